"""Tasks and their occurrences, as engines and stores share them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from dataclasses import replace as copy_with
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nbsession.core.tasks.run import Run, RunState
    from nbsession.core.tasks.spec import TaskSpec

TaskState = Literal["scheduled", "running", "paused", "finished", "cancelled"]


@dataclass(slots=True, eq=False)
class TaskRecord:
    """One task of an engine; confined to the engine's loop."""

    id: int
    spec: TaskSpec
    due_us: int | None
    paused: bool = False
    asks: bool = False
    ending: bool = False
    open_runs: int = 0
    run_count: int = 0
    error_count: int = 0
    last_run_us: int | None = None
    last_state: RunState | None = None
    gap_id: int | None = None
    last_error: str | None = None
    ended_by: str | None = None
    revision: int = 0

    def __lt__(self, other: TaskRecord) -> bool:
        """Order records of one id and one next occurrence, which a replaced database can bring."""
        return id(self) < id(other)

    @property
    def state(self) -> TaskState:
        """The state that is shown."""
        if self.paused:
            return "paused"
        if self.open_runs:
            return "running"
        return "scheduled" if self.due_us is not None or self.asks else "finished"


STILL_GOING = "the run before was still going"
ALREADY_QUEUED = "another run is queued already"


class Verdict(NamedTuple):
    """The state that a run begins with, and the reason."""

    state: RunState
    reason: str | None = None


def overlap_verdict(task: TaskRecord, open_runs: int, has_queued: Callable[[], bool]) -> Verdict:
    """Return the verdict of a task's overlap policy on one more run."""
    overlap = task.spec.policies.overlap
    if overlap == "allow" or not open_runs:
        return Verdict("running")
    if overlap == "skip":
        return Verdict("skipped", STILL_GOING)
    return Verdict("skipped", ALREADY_QUEUED) if has_queued() else Verdict("queued")


class OccurrenceRange(NamedTuple):
    """Occurrences of a task in a row."""

    first_us: int
    last_us: int
    number: int | None = 1


class RemovedTask(TaskRecord):
    """A task that was removed: as it was, but without code and arguments."""

    __slots__ = ()

    @classmethod
    def of(cls, task: TaskRecord) -> RemovedTask:
        """Make one of a task."""
        values = {field.name: getattr(task, field.name) for field in fields(TaskRecord)}
        target = copy_with(task.spec.target, callable=None)
        spec = copy_with(task.spec, target=target, args=(), kwargs={}, at_target=None)
        return cls(**values | {"spec": spec, "due_us": None})

    @property
    def state(self) -> TaskState:
        """The state that is shown."""
        return "cancelled"


def last_state_after(last_state: RunState | None, run: Run) -> RunState:
    """Return a task's `last_state` once an occurrence has ended: runs count for more than gaps."""
    if run.started_us is not None or last_state in (None, "skipped", "missed"):
        return run.state
    return last_state


def free_ranges(
    ranges: Sequence[OccurrenceRange], is_free: Callable[[OccurrenceRange], bool]
) -> Sequence[OccurrenceRange]:
    """Return those that have no row yet, as one if that holds for all."""
    if len(ranges) > 1:
        numbers = [each.number for each in ranges if each.number is not None]
        number = sum(numbers) if len(numbers) == len(ranges) else None
        joined = OccurrenceRange(ranges[0].first_us, ranges[-1].last_us, number)
        if is_free(joined):
            return [joined]
    return [each for each in ranges if is_free(each)]


def grow(row: Run, more: OccurrenceRange, now_us: int) -> None:
    """Let a row stand for occurrences after its own, too."""
    row.until_us, row.ended_us = more.last_us, now_us
    if row.count is not None:
        row.count = None if more.number is None else row.count + more.number
