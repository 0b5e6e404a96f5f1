"""A task as its users hold it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from nbsession.core.errors import NoSuchTaskError, TaskGoneError
from nbsession.core.references import PartOfState, part_of_state
from nbsession.core.run import Run

from .run_future import RunFuture
from .schedule_text import schedule_text

if TYPE_CHECKING:
    from .board import TaskBoard
    from .wire import TaskJSON

CANCELLED = "cancelled"


class Task(PartOfState):
    """A scheduled task; made by ``state.schedule_task``, found in ``state.tasks``.

    Each attribute is asked for anew. Once the task is cancelled every order raises a KeyError, also
    if another task has its name. With ``wait=True`` it is still seen to run once more; then, as
    else at once, `state` is ``"cancelled"``, and the counts stay as they were.

    Parameters
    ----------
    board
        Where the task is.
    known
        The task as it is now.
    """

    def __init__(self, board: TaskBoard, known: TaskJSON) -> None:
        self._board = board
        self._known = known

    def __reduce__(self) -> tuple[Any, ...]:
        return _task_of_state, (self.name,)

    def __eq__(self, other: object) -> bool:
        """Return whether both are the same task, which a new one of its name is not."""
        if not isinstance(other, Task):
            return NotImplemented
        return (self._board, self._known["id"]) == (other._board, other._known["id"])

    def __hash__(self) -> int:
        return hash(self._known["id"])

    @property
    def name(self) -> str:
        """The task's name."""
        return self._known["name"]

    @property
    def next_run(self) -> datetime | None:
        """When it is due next, aware UTC; None while it is paused, and when it is finished."""
        return _moment(self._look()["next_run"])

    @property
    def last_run(self) -> datetime | None:
        """When its last run started, aware UTC; None before the first."""
        return _moment(self._look()["last_run"])

    @property
    def state(self) -> str:
        """``"scheduled"``, ``"running"``, ``"paused"``, ``"finished"`` or ``"cancelled"``."""
        return self._look()["state"]

    @property
    def run_count(self) -> int:
        """How many runs have ended; the tries of one run count as one."""
        return self._look()["run_count"]

    @property
    def error_count(self) -> int:
        """How many of them have failed or were lost."""
        return self._look()["error_count"]

    @property
    def last_error(self) -> str | None:
        """The last error as text, of a run or of the code that says when; None without one."""
        return self._look()["last_error"]

    def history(self, n: int = 20) -> list[Run]:
        """Return the last occurrences, the newest first.

        Parameters
        ----------
        n
            How many at most; of a cancelled task those that are still kept.

        Raises
        ------
        ValueError
            If `n` is not a whole number of at least 0.
        """
        if isinstance(n, bool) or not isinstance(n, int) or n < 0:  # type: ignore[redundant-expr]
            message = f"history takes how many runs, a whole number of at least 0; got {n!r}"
            raise ValueError(message)
        try:
            rows = self._board.history(self.name, n, self._id) if n else []
        except NoSuchTaskError:
            rows = []
        return [Run.from_json(row) for row in rows]

    def pause(self) -> None:
        """Let nothing be due until `resume`; a run that is going on may finish."""
        self._check_is_there()
        self._known = self._board.pause(self.name)

    def resume(self) -> None:
        """Go on with the first occurrence after now; does nothing unless paused."""
        self._check_is_there()
        self._known = self._board.resume(self.name)

    def run_now(self) -> RunFuture:
        """Run once more, at once, by the task's overlap policy.

        Returns
        -------
        RunFuture
            A `concurrent.futures.Future` that can also be awaited, of the finished `Run`.
        """
        self._check_is_there()
        return RunFuture(self._board, self._board.run_now(self.name))

    def cancel(self, wait: bool = False) -> None:
        """Take the task off; its name is free at once.

        Parameters
        ----------
        wait
            Whether the next occurrence still runs; otherwise an async run in progress is cancelled.

        Raises
        ------
        KeyError
            If it is cancelled already.
        """
        self._check_is_there()
        self._board.cancel(self.name, wait=wait)

    def __repr__(self) -> str:
        known = self._look()
        parts = [schedule_text(known["schedule"]), known["state"]]
        if known["next_run"] is not None:
            parts.append(f"next run {known['next_run']}")
        parts += [f"runs: {known['run_count']}", f"errors: {known['error_count']}"]
        return f"<Task {self.name!r}: {', '.join(parts)}>"

    @property
    def _id(self) -> int | None:
        return self._known["id"] or None

    def _check_is_there(self) -> None:
        """Raise NoSuchTaskError unless the task has its name."""
        shown = self._board.show(self.name)
        if self._id not in (None, shown["id"]):
            raise TaskGoneError(self.name)
        self._known = shown

    def _look(self) -> TaskJSON:
        try:
            self._known = self._board.show(self.name, self._id)
        except NoSuchTaskError:
            self._known = {**self._known, "state": CANCELLED, "next_run": None}
        return self._known


def _task_of_state(name: str) -> Task:
    task: Task = part_of_state("tasks")[name]
    return task


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
