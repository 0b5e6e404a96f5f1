"""Tasks of a server whose scheduler is made when it is first needed."""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, Any

from nbsession.core.errors import NoSuchTaskError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbsession.scheduler.board import TaskBoard
    from nbsession.scheduler.wire import RunsJSON, ScheduledJSON, TaskJSON


class LateBoard:
    """A `TaskBoard`; on the server's event loop only.

    Parameters
    ----------
    find
        Returns the scheduler's board, None while no task is kept anywhere.
    make
        Returns it always.
    """

    def __init__(self, find: Callable[[], TaskBoard | None], make: Callable[[], TaskBoard]) -> None:
        self._find = find
        self._make = make

    def list(self) -> list[TaskJSON]:
        """Return every task that holds its name, in the order of names."""
        board = self._find()
        return board.list() if board is not None else []

    def show(self, name: str, task_id: int | None = None) -> TaskJSON:
        """Return one task."""
        return self._named(name).show(name, task_id)

    def history(self, name: str, limit: int, task_id: int | None = None) -> RunsJSON:
        """Return runs as `Run.to_json` gives them, the newest first."""
        return self._named(name).history(name, limit, task_id)

    def run(self, run_id: int) -> dict[str, Any] | None:
        """Return a run by its id."""
        board = self._find()
        return board.run(run_id) if board is not None else None

    def schedule(self, spec: Mapping[str, Any], *, replace: bool) -> ScheduledJSON:
        """Declare a task by its `TaskSpec.to_json`; idempotent by name."""
        board = self._make()
        # Timers keep the context in which they were set: not that of a visitor's request.
        return contextvars.Context().run(board.schedule, spec, replace=replace)

    def cancel(self, name: str, *, wait: bool) -> None:
        """Take a task off; with `wait` after one more run."""
        contextvars.Context().run(self._named(name).cancel, name, wait=wait)

    def pause(self, name: str) -> TaskJSON:
        """Let nothing be due until it is resumed."""
        return contextvars.Context().run(self._named(name).pause, name)

    def resume(self, name: str) -> TaskJSON:
        """Go on: the next occurrence is the first one after now."""
        return contextvars.Context().run(self._named(name).resume, name)

    def run_now(self, name: str) -> dict[str, Any]:
        """Run at once, by the task's overlap policy; return the run's row as it is now."""
        return contextvars.Context().run(self._named(name).run_now, name)

    def _named(self, name: str) -> TaskBoard:
        board = self._find()
        if board is None:
            raise NoSuchTaskError(name)
        return board
