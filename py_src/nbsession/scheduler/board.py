"""What can be asked and ordered of tasks, in JSON: one interface for every way to get there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .wire import RunsJSON, ScheduledJSON, TaskJSON


class TaskBoard(Protocol):
    """Tasks by name. Blocking and callable from any thread, unless an implementation says else.

    Raises
    ------
    NoSuchTaskError
        If no task has the name.
    TaskExistsError
        If a name is taken by a task that may not be replaced from here.
    StoreError
        If the tasks cannot be kept.
    """

    def list(self) -> list[TaskJSON]:
        """Return every task that holds its name, in the order of names."""

    def show(self, name: str, task_id: int | None = None) -> TaskJSON:
        """Return the task that holds the name.

        With an id that very task, also if it runs once more without its name, or has gone not long
        ago: then its state is ``"cancelled"``.
        """

    def history(self, name: str, limit: int, task_id: int | None = None) -> RunsJSON:
        """Return runs of such a task as `Run.to_json` gives them, the newest first."""

    def run(self, run_id: int) -> dict[str, Any] | None:
        """Return a run by its id."""

    def schedule(self, spec: Mapping[str, Any], *, replace: bool) -> ScheduledJSON:
        """Declare a task by its `TaskSpec.to_json`; idempotent by name."""

    def cancel(self, name: str, *, wait: bool) -> None:
        """Take a task off; with `wait` after one more run."""

    def pause(self, name: str) -> TaskJSON:
        """Let nothing be due until it is resumed."""

    def resume(self, name: str) -> TaskJSON:
        """Go on: the next occurrence is the first one after now."""

    def run_now(self, name: str) -> dict[str, Any]:
        """Run at once, by the task's overlap policy; return the run's row as it is now."""

    def wait_for_run(self, run_id: int, seconds: float) -> dict[str, Any] | None:
        """Return a run once it is final, or as it is after so long; None if it is unknown."""
