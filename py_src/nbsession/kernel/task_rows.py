"""What the pages show of this kernel's own tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from nbsession.scheduler.schedule_text import schedule_text, state_text

from .well_formed import well_formed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbsession.scheduler.wire import TaskJSON

    from .kernel_tasks import KernelTasks
    from .pages import Pages


class TaskRow(TypedDict):
    """A task as a page shows it; js_src/shared/panel.ts has the same."""

    name: str
    schedule: str
    state: str
    next_run: str | None
    run_count: int
    error_count: int
    gap: str


class TaskRows:
    """Keeps the page model's rows up to date.

    Parameters
    ----------
    parts
        Of the session: its tasks, once it has some.
    pages
        Publishes the rows, at most every 50 ms.
    """

    def __init__(self, parts: Mapping[str, Any], pages: Pages) -> None:
        self._parts = parts
        self.publish = pages.mirror("tasks", self.read)

    def read(self) -> list[TaskRow]:
        """Return the rows, in the order of names."""
        tasks: KernelTasks | None = self._parts.get("tasks")
        return [] if tasks is None else [_row(task) for task in tasks.board.list()]


def _row(task: TaskJSON) -> TaskRow:
    gap = task.get("gap")
    row: TaskRow = {
        "name": task["name"],
        "schedule": schedule_text(task["schedule"]),
        "state": task["state"],
        "next_run": task["next_run"],
        "run_count": task["run_count"],
        "error_count": task["error_count"],
        "gap": "" if gap is None else state_text(gap["state"], gap["count"]),
    }
    return well_formed(row)  # type: ignore[no-any-return]  # of the type that it is given
