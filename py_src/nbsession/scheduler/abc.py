"""Contracts between an engine, its store and its executor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from nbsession.core.tracebacks import error_text, traceback_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

    from nbsession.core.tasks.run import Run
    from nbsession.core.tasks.spec import TaskSpec

    from .records import OccurrenceRange, TaskRecord


@dataclass(frozen=True, slots=True)
class HistoryLimits:
    """Limits of the history that a store keeps."""

    runs: int = 100
    """Rows of each task."""

    seconds: float | None = 30 * 86_400.0
    """Age of a row, and of a finished task without one; None for no limit."""

    def oldest_us(self, now_us: int) -> int | None:
        """Return the instant before which rows are too old."""
        return None if self.seconds is None else now_us - round(self.seconds * 1_000_000)


@dataclass(slots=True)
class Claim:
    """An occurrence that an engine wants to deal with, if no other engine has."""

    task: TaskRecord
    """Its `due_us` is the occurrence, as the engine knows it."""

    verdict: Literal["run", "missed"]
    """``"missed"`` adds the rows of `missed` only."""

    next_due_us: int | None
    """The occurrence after it; None if there is none, or if the trigger is code."""

    asks: bool
    """Whether the trigger's code has to be asked for it."""

    run_due_us: int
    """The instant of the run: the last one due; `task.due_us` if nothing was missed."""

    missed: Sequence[OccurrenceRange]
    """The earlier occurrences that this run stands in for, in order; one range of them unless the
    trigger is code, which may say a time that has a row. Includes the last occurrence if the
    verdict is "missed"."""

    reason: str
    """Of the rows of `missed`."""

    now_us: int
    """When the claim is made; the start of a run that it starts."""

    late: str | None = None
    """Why the run is later than the task's misfire grace; None if it is not."""


@dataclass(slots=True)
class Claimed:
    """The result of a claim."""

    won: bool
    """Whether the occurrence is this engine's. If not, the task has changed: read it again."""

    run: Run | None = None
    """Its row: ``"running"`` (with its first try counted), ``"queued"`` or ``"skipped"`` by the
    task's overlap policy; None for the verdict "missed", and if the occurrence has a row already,
    as when a trigger's code repeats itself."""

    gaps: Sequence[Run] = ()
    """The rows of what was missed or skipped, new or grown, in order."""


@dataclass(slots=True)
class Outcome:
    """The end of a try of a run; the times are instants, from where the callable ran."""

    state: Literal["succeeded", "failed", "lost"]
    started_us: int | None = None
    ended_us: int | None = None
    reason: str | None = None
    error: str | None = None
    traceback: str | None = None
    output: str = ""


class TriggerCodeError(RuntimeError):
    """The code of a trigger has raised elsewhere; the text is that of its error."""

    def __init__(self, error: str, traceback: str) -> None:
        super().__init__(error)
        self.traceback = traceback


class TaskStore(Protocol):
    """Stores tasks; see `Store`. A method that changes a task changes the given record too."""

    def load(self) -> list[TaskRecord]:
        """Return every task."""

    def changes(self) -> tuple[list[TaskRecord], list[int]] | None:
        """Return tasks that others have changed since the last call, and ids they have removed.

        None if nothing at all has changed, which is cheap to find out.
        """

    def get(self, task_id: int) -> TaskRecord | None:
        """Return a task as it is now; None if it was removed."""

    def add(self, spec: TaskSpec, due_us: int | None, *, asks: bool) -> TaskRecord:
        """Add a task. Raises `TaskExistsError` if another one holds the name."""

    def replace(self, task: TaskRecord, spec: TaskSpec, due_us: int | None, *, asks: bool) -> bool:
        """Declare a task anew; id, history, counts and pause stay. False if it was removed."""

    def pause(self, task: TaskRecord, *, paused: bool, due_us: int | None, asks: bool) -> None:
        """Pause or resume a task, and set its next occurrence."""

    def end(self, task: TaskRecord) -> None:
        """Free the name at once; the task is removed after its next occurrence."""

    def remove(self, task: TaskRecord) -> None:
        """Remove a task; its rows stay until they are pruned."""

    def remove_named(self, name: str) -> bool:
        """Remove the task that holds a name, also one that cannot be read; False if none does."""

    def set_due(self, task: TaskRecord, due_us: int | None, error: str | None) -> bool:
        """Set the occurrence that a trigger's code has answered, or a moved grid.

        False if the task has changed meanwhile: read it again.
        """


class RunStore(Protocol):
    """Stores runs and counts them at their tasks' records; see `Store`."""

    def get(self, run_id: int) -> Run | None:
        """Return a row."""

    def history(self, task: TaskRecord, limit: int) -> list[Run]:
        """Return a task's rows, the newest first."""

    def claim(self, claims: Sequence[Claim]) -> list[Claimed]:
        """Claim occurrences by compare-and-set on `due_us`, in one transaction.

        What was missed or skipped joins the task's newest ended row if that has the same state and
        reason, the same declaration laid its occurrences out, and no run has begun or ended since.
        Where a run would be skipped, so is what it would have stood in for. An instant between a
        row's `due_us` and `until_us` has its row.
        """

    def start_by_hand(self, task: TaskRecord, now_us: int) -> Run:
        """Add the row of a run without an occurrence, by the task's overlap policy."""

    def start_queued(self, task: TaskRecord, now_us: int) -> Run | None:
        """Turn this engine's queued run of a task into a running one.

        None if there is none, or while another run of the task goes, here or elsewhere.
        """

    def update(self, runs: Iterable[Run]) -> None:
        """Store progress and tries of open runs."""

    def finish(self, ended: Sequence[tuple[TaskRecord, Run]]) -> None:
        """Store ended runs, and count them at their tasks, which may have been removed.

        A run that another engine has marked lost, as this one was silent, stays lost, and becomes
        so here too.
        """


class Store(Protocol):
    """Stores tasks and their runs. Every method is called on the engine's loop.

    All are quick, but `open` may take some seconds if others open the same at that time.

    Each is one transaction: complete or not at all, also when the process is killed.

    Raises `StoreBusyError` if another process is in the way for the moment, `StoreError` if the
    store has failed.
    """

    shared: bool
    """Whether other engines may work on it at the same time."""

    limits: HistoryLimits

    @property
    def tasks(self) -> TaskStore:
        """Return the tasks."""

    @property
    def runs(self) -> RunStore:
        """Return the runs."""

    def open(self) -> None:
        """Make it ready; note that this engine lives; mark the runs of dead engines lost."""

    def close(self) -> None:
        """Mark the open runs of this engine as lost, and release everything."""

    def beat(self) -> list[Run]:
        """Note that this engine lives; return the runs of others that it has marked lost."""

    def follow_file(self) -> bool:
        """Open the file that is in place of the store's, if that was deleted or replaced.

        Return whether that happened: `changes` returns the differences.
        """

    def prune(self) -> tuple[list[int], bool]:
        """Delete rows and finished tasks beyond the history's limits.

        And tasks that are `ending`, without a next occurrence, and without an open run. Return the
        ids of those tasks, and whether there may be more to delete than is quick.
        """


class RunListener(Protocol):
    """Notified by an executor of its runs, on the engine's loop."""

    def progressed(self, run_id: int, fraction: float, text: str) -> None:
        """Note a run's progress."""

    def ended(self, run_id: int, outcome: Outcome) -> None:
        """Note that a try has ended; once for every `Executor.start` that has not raised."""


def abandoned(reason: str) -> str:
    """Return the reason of a run whose code has not ended though it was cancelled."""
    return f"{reason}; its code has not ended and may overlap the next run"


class Executor(Protocol):
    """Calls the callables of tasks. Every method is called on the engine's loop."""

    def start(self, run: Run, task: TaskRecord, attempt: int, listener: RunListener) -> None:
        """Call the task's target; notify the listener of its end, perhaps before this returns."""

    def cancel(self, run_id: int, reason: str) -> None:
        """End a run if that can be done: an async callable is cancelled, a process killed.

        The listener is notified of the end with this reason, when it has come. A sync callable in a
        thread goes on to its own end.
        """

    def abandon(self, run_id: int, reason: str) -> None:
        """Give a run up that was cancelled some time ago and has not ended.

        The listener is notified of the end soon, with the reason `abandoned`, whatever its code
        does. A sync callable in a thread goes on to its own end.
        """

    async def next_instant(self, task: TaskRecord, now_us: int) -> int | None:
        """Ask the code of a trigger for its next instant; raise what it raises."""

    def forget(self, task: TaskRecord) -> None:
        """Release what belongs to a task that was removed."""

    async def close(self) -> None:
        """End everything that runs."""


def failed(
    error: BaseException,
    ended_us: int,
    started_us: int | None = None,
    reason: str | None = None,
    frames: TracebackType | None = None,
) -> Outcome:
    """Return the outcome of a try that has raised.

    With a reason if the exception does not say it, and, if `frames` is given, with those frames of
    the traceback only.
    """
    return Outcome(
        state="failed",
        started_us=started_us,
        ended_us=ended_us,
        reason=reason,
        error=error_text(error),
        traceback=traceback_text(error, error.__traceback__ if frames is None else frames),
    )
