"""The history of a task: runs, and occurrences that were missed or skipped."""

from __future__ import annotations

import math
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from nbsession.core.references import PartOfState
from nbsession.core.schedule.instant import from_instant, instant_or_none, iso_or_none

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

RunState = Literal["queued", "running", "succeeded", "failed", "skipped", "missed", "lost"]

OPEN_STATES = ("queued", "running")


@dataclass(slots=True, kw_only=True)
class Run:
    """One occurrence, from its claim on; or several in a row that were missed or skipped.

    Users get copies, which nothing changes any more.

    Attributes
    ----------
    id
        Unique in its store.
    task
        The task's name.
    state
        ``"queued"`` behind another run and ``"running"`` are open; ``"succeeded"``, ``"failed"``,
        ``"skipped"`` (another run was going), ``"missed"`` (too late) and ``"lost"`` (died with its
        worker or server) are final.
    reason
        Why it was skipped, missed or lost, that it ran late, or why it has failed without an
        exception of its own: ``"timeout"`` or ``"cancelled"``, with more behind it if its code has
        not ended; or that it had a process of its own because its task was running in two workers
        that died. None otherwise.
    due_us, started_us, ended_us
        Instants in µs since the epoch, UTC, or None. `due_us` is None for a run by hand.
    until_us
        When the last of several occurrences in a row was due, an instant; of one the same as
        `due_us`.
    count
        How many occurrences it stands for: 1, or those that were missed or skipped in a row, for
        the same reason and with no run between; None if they were too many to be counted.
    tries
        How often the callable was called.
    error
        The exception's type and message; None without one.
    traceback
        Its traceback as text, for people.
    output
        What the run wrote to stdout and stderr, bounded.
    progress
        From 0 to 1, as the task said; None if it said nothing.
    progress_text
        What the task said with it.
    """

    id: int
    task: str
    state: RunState
    reason: str | None = None
    due_us: int | None = None
    started_us: int | None = None
    ended_us: int | None = None
    tries: int = 0
    error: str | None = None
    traceback: str | None = None
    output: str = ""
    progress: float | None = None
    progress_text: str = ""
    until_us: int | None = None
    count: int | None = 1

    def __post_init__(self) -> None:
        if self.until_us is None:
            self.until_us = self.due_us

    @property
    def due(self) -> datetime | None:
        """When it was due, aware UTC; None for a run by hand."""
        return None if self.due_us is None else from_instant(self.due_us)

    @property
    def until(self) -> datetime | None:
        """When the last of several occurrences was due, aware UTC; of one the same as `due`."""
        return None if self.until_us is None else from_instant(self.until_us)

    @property
    def started_at(self) -> datetime | None:
        """When the callable was first called, aware UTC; None if it never was."""
        return None if self.started_us is None else from_instant(self.started_us)

    @property
    def ended_at(self) -> datetime | None:
        """When it ended, aware UTC; None while it is open."""
        return None if self.ended_us is None else from_instant(self.ended_us)

    @property
    def duration_seconds(self) -> float | None:
        """How long it took, in seconds; None if it was never started or has not ended."""
        if self.started_us is None or self.ended_us is None:
            return None
        return (self.ended_us - self.started_us) / 1e6

    def to_json(self, *, with_text: bool = True) -> dict[str, Any]:
        """Return what `from_json` reads; on demand without output and traceback, which are long."""
        data = {
            "id": self.id,
            "task": self.task,
            "state": self.state,
            "reason": self.reason,
            "due": iso_or_none(self.due_us),
            "until": iso_or_none(self.until_us),
            "count": self.count,
            "started_at": iso_or_none(self.started_us),
            "ended_at": iso_or_none(self.ended_us),
            "tries": self.tries,
            "error": self.error,
            "progress": self.progress,
            "progress_text": self.progress_text,
        }
        if with_text:
            data |= {"traceback": self.traceback, "output": self.output}
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Run:
        """Read what `to_json` has written."""
        return cls(
            id=data["id"],
            task=data["task"],
            state=data["state"],
            reason=data["reason"],
            due_us=instant_or_none(data["due"]),
            until_us=instant_or_none(data.get("until")),
            count=data.get("count", 1),
            started_us=instant_or_none(data["started_at"]),
            ended_us=instant_or_none(data["ended_at"]),
            tries=data["tries"],
            error=data["error"],
            traceback=data.get("traceback"),
            output=data.get("output", ""),
            progress=data["progress"],
            progress_text=data["progress_text"],
        )


MAX_TEXT_CHARACTERS = 200


@dataclass(slots=True, eq=False, repr=False)
class CurrentRun(PartOfState):
    """The run that the calling code of a task belongs to.

    Attributes
    ----------
    id
        The run's.
    task
        The task's name.
    due_us
        When it was due, an instant in µs since the epoch, UTC; None for a run by hand.
    attempt
        1 for the first try.
    """

    _path = "run"

    id: int
    task: str
    due_us: int | None
    attempt: int
    _report: Callable[[float, str], object]  # takes a progress; callable on any thread

    def progress(self, fraction: float, text: str = "") -> None:
        """Report how far the run has come.

        Parameters
        ----------
        fraction
            From 0 to 1.
        text
            The present step, at most 200 characters of it.

        Raises
        ------
        ValueError
            If the fraction is not between 0 and 1.
        TypeError
            If it is no number.
        """
        message = f"progress takes a fraction from 0 to 1, got {fraction!r}"
        if isinstance(fraction, bool | str | bytes):
            raise TypeError(message)
        try:
            number = float(fraction)
        except TypeError:
            raise TypeError(message) from None
        if math.isnan(number) or not 0 <= number <= 1:
            raise ValueError(message)
        self._report(number, str(text)[:MAX_TEXT_CHARACTERS])


current_run: ContextVar[CurrentRun | None] = ContextVar("nbsession_current_run", default=None)
