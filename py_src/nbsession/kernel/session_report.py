"""What this session runs by time, for the server: its periodic callbacks and its own tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from .callback_rows import row_of
from .well_formed import well_formed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbsession.scheduler.wire import TaskJSON

    from .kernel_tasks import KernelTasks
    from .periodic import PeriodicCallback, PeriodicCallbacks

MAX_ROWS = 500


class SessionReport(TypedDict):
    """Rows of callbacks and tasks, at most 500 of each."""

    callbacks: list[dict[str, Any]]
    tasks: list[TaskJSON]


def report(parts: Mapping[str, Any]) -> SessionReport:
    """Return the rows as they are now; on any thread.

    Parameters
    ----------
    parts
        Of the session; those that it has never used are not made for this.
    """
    callbacks: PeriodicCallbacks | None = parts.get("periodic")
    tasks: KernelTasks | None = parts.get("tasks")
    items = callbacks.items()[:MAX_ROWS] if callbacks is not None else []
    return {
        "callbacks": [_callback(str(number), callback) for number, callback in items],
        "tasks": well_formed(tasks.board.list()[:MAX_ROWS]) if tasks is not None else [],
    }


def _callback(row_id: str, callback: PeriodicCallback) -> dict[str, Any]:
    return {
        **row_of(row_id, callback),
        "errors": callback.errors,
        "last_duration": callback.last_duration,
    }
