"""Tasks and runs of one process: they end with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbsession.core.errors import TaskExistsError
from nbsession.core.schedule.clock import SystemClock
from nbsession.core.tasks.run import OPEN_STATES, Run
from nbsession.scheduler.abc import Claimed, HistoryLimits
from nbsession.scheduler.records import (
    OccurrenceRange,
    TaskRecord,
    Verdict,
    free_ranges,
    grow,
    last_state_after,
    overlap_verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nbsession.core.schedule.clock import Clock
    from nbsession.core.tasks.spec import TaskSpec
    from nbsession.scheduler.abc import Claim


class MemoryRuns:
    """A `RunStore` whose rows are the engine's own runs."""

    def __init__(self, limits: HistoryLimits, tasks: dict[int, TaskRecord]) -> None:
        self._limits = limits
        self._tasks = tasks
        self._rows: dict[int, list[Run]] = {}  # by task, the oldest first; none without a row
        self._runs: dict[int, Run] = {}
        self._last_row_us: dict[int, int] = {}  # by task, of its occurrences as they are laid out
        self._laid_out: dict[int, int] = {}  # by task, the last row before they were
        self._last_run_id = 0

    def get(self, run_id: int) -> Run | None:
        return self._runs.get(run_id)

    def history(self, task: TaskRecord, limit: int) -> list[Run]:
        return self._rows.get(task.id, [])[: -limit - 1 : -1] if limit > 0 else []

    def claim(self, claims: Sequence[Claim]) -> list[Claimed]:
        return [
            self._claim(claim) if claim.task.id in self._tasks else Claimed(won=False)
            for claim in claims
        ]

    def start_by_hand(self, task: TaskRecord, now_us: int) -> Run:
        return self._begin(task, self._by_overlap(task), None, now_us)

    def start_queued(self, task: TaskRecord, now_us: int) -> Run | None:
        queued = None
        for run in self._rows.get(task.id, ()):
            if run.state == "running":
                return None
            if run.state == "queued":
                queued = run
        if queued is not None:
            queued.state, queued.started_us, queued.tries = "running", now_us, 1
            task.last_run_us, task.gap_id = now_us, None
        return queued

    def update(self, runs: Iterable[Run]) -> None:
        pass  # the runs are the rows

    def finish(self, ended: Sequence[tuple[TaskRecord, Run]]) -> None:
        for task, run in ended:
            _count(task, run)
            if task.open_runs:  # rows may be too many since the open one was spared
                self._trim(self._rows.get(task.id, []))

    def lose_open(self, now_us: int) -> None:
        """Mark open runs lost, and count them."""
        for task_id, rows in self._rows.items():
            for run in rows:
                if run.state in OPEN_STATES:
                    run.state, run.reason, run.ended_us = "lost", "ended with its process", now_us
                    if task_id in self._tasks:
                        _count(self._tasks[task_id], run)

    def lay_out(self, task: TaskRecord) -> None:
        """Note that a task's occurrences are others from now on."""
        self._laid_out[task.id] = self._last_run_id
        self._last_row_us.pop(task.id, None)

    def forget(self, task: TaskRecord) -> None:
        """Release what is known of the occurrences of a task that was removed."""
        self._last_row_us.pop(task.id, None)
        self._laid_out.pop(task.id, None)

    def prune(self, oldest_us: int | None) -> dict[int, int]:
        """Delete rows; return when the last of a task ended, for tasks that have lost some."""
        last_us: dict[int, int] = {}
        for task_id, rows in list(self._rows.items()):
            rest = []
            is_there = task_id in self._tasks
            for run in rows:
                is_new = oldest_us is None or (run.ended_us or 0) >= oldest_us
                if run.state in OPEN_STATES or (is_there and is_new):
                    rest.append(run)
                else:
                    del self._runs[run.id]
                    last_us[task_id] = run.ended_us or 0
            self._rows[task_id] = rest
            if not rest:
                del self._rows[task_id]
        return last_us

    def has_rows(self, task: TaskRecord) -> bool:
        """Return whether a task has a row."""
        return task.id in self._rows

    def _claim(self, claim: Claim) -> Claimed:
        task, due_us = claim.task, claim.run_due_us
        task.due_us, task.asks = claim.next_due_us, claim.asks
        missed, verdict = Verdict("missed", claim.reason), None
        if claim.verdict == "run":
            verdict = self._by_overlap(task)
        if verdict is not None and verdict.state == "skipped":
            gaps = self._add_gaps(claim, [*claim.missed, OccurrenceRange(due_us, due_us)], verdict)
            return Claimed(won=True, run=gaps[-1] if gaps else None, gaps=gaps)
        gaps = self._add_gaps(claim, claim.missed, missed)
        run = None
        if verdict is not None and self._is_free(task, OccurrenceRange(due_us, due_us)):
            run = self._begin(task, verdict, due_us, claim.now_us)
        return Claimed(won=True, run=run, gaps=gaps)

    def _by_overlap(self, task: TaskRecord) -> Verdict:
        def has_queued() -> bool:
            return any(run.state == "queued" for run in self._rows[task.id])

        return overlap_verdict(task, task.open_runs, has_queued)

    def _begin(self, task: TaskRecord, verdict: Verdict, due_us: int | None, now_us: int) -> Run:
        ended_us = now_us if verdict.state == "skipped" else None
        run = self._add(task, verdict, due_us, ended_us)
        if verdict.state == "running":
            run.started_us, run.tries = now_us, 1
            task.last_run_us, task.gap_id = now_us, None
        if ended_us is None:
            task.open_runs += 1
        return run

    def _add_gaps(
        self, claim: Claim, ranges: Sequence[OccurrenceRange], verdict: Verdict
    ) -> list[Run]:
        """Add what was missed or skipped to the row before it, or as new rows."""
        task, gaps = claim.task, []
        for each in free_ranges(ranges, lambda each: self._is_free(task, each)):
            row = self._row_before(task, each.first_us)
            if row is not None and (row.id, row.state, row.reason) == (task.gap_id, *verdict):
                grow(row, each, claim.now_us)
                self._last_row_us[task.id] = each.last_us
            else:
                row = self._add(task, verdict, each.first_us, claim.now_us, each)
                task.gap_id = row.id
            gaps.append(row)
        return gaps

    def _is_free(self, task: TaskRecord, occurrences: OccurrenceRange) -> bool:
        last_us = self._last_row_us.get(task.id)
        if last_us is None or occurrences.first_us > last_us:  # as nearly always
            return True
        row = self._row_before(task, occurrences.last_us)
        return row is None or (row.until_us or 0) < occurrences.first_us

    def _row_before(self, task: TaskRecord, instant_us: int) -> Run | None:
        """Return the last row until an instant, of the occurrences as they are laid out now."""
        since, found = self._laid_out.get(task.id, 0), None
        for run in self._rows.get(task.id, ()):
            if run.id > since and run.due_us is not None and run.due_us <= instant_us:
                found = run if found is None or run.due_us > (found.due_us or 0) else found
        return found

    def _add(
        self,
        task: TaskRecord,
        verdict: Verdict,
        due_us: int | None,
        ended_us: int | None,
        occurrences: OccurrenceRange | None = None,
    ) -> Run:
        run_id = self._last_run_id = self._last_run_id + 1
        (state, reason), name = verdict, task.spec.name
        run = Run(
            id=run_id, task=name, state=state, reason=reason, due_us=due_us, ended_us=ended_us
        )
        if occurrences is not None:
            run.until_us, run.count = occurrences.last_us, occurrences.number
        if run.until_us is not None:
            last_us = self._last_row_us.get(task.id, run.until_us)
            self._last_row_us[task.id] = max(run.until_us, last_us)
        self._runs[run_id] = run
        rows = self._rows.setdefault(task.id, [])
        rows.append(run)
        self._trim(rows)
        if ended_us is not None:
            task.last_state = last_state_after(task.last_state, run)
        return run

    def _trim(self, rows: list[Run]) -> None:
        place = 0
        while len(rows) > self._limits.runs and place < len(rows):
            if rows[place].state in OPEN_STATES:
                place += 1  # a row that is open is history only when it has ended
            else:
                del self._runs[rows.pop(place).id]


def _count(task: TaskRecord, run: Run) -> None:
    task.open_runs -= 1
    task.gap_id = None
    task.last_state = last_state_after(task.last_state, run)
    if run.started_us is not None:
        task.run_count += 1
        if run.state != "succeeded":
            task.error_count += 1
            task.last_error = run.error or run.reason


class MemoryTasks:
    """A `TaskStore` whose records are the engine's own."""

    def __init__(self, records: dict[int, TaskRecord], runs: MemoryRuns) -> None:
        self._records = records
        self._runs = runs
        self._names: dict[str, TaskRecord] = {}
        self._last_id = 0
        self._without_rows_since_us: dict[int, int] = {}  # by id, of finished tasks

    def load(self) -> list[TaskRecord]:
        return list(self._records.values())

    def changes(self) -> None:
        return None

    def get(self, task_id: int) -> TaskRecord | None:
        return self._records.get(task_id)

    def add(self, spec: TaskSpec, due_us: int | None, *, asks: bool) -> TaskRecord:
        if spec.name in self._names:
            raise TaskExistsError(f"a task named {spec.name!r} is there already")
        self._last_id += 1
        task = TaskRecord(self._last_id, spec, due_us, asks=asks)
        self._records[task.id] = self._names[spec.name] = task
        return task

    def replace(self, task: TaskRecord, spec: TaskSpec, due_us: int | None, *, asks: bool) -> bool:
        if task.id not in self._records:
            return False
        self._without_rows_since_us.pop(task.id, None)
        self._runs.lay_out(task)
        task.spec, task.due_us, task.asks, task.ended_by = spec, due_us, asks, None
        return True

    def pause(self, task: TaskRecord, *, paused: bool, due_us: int | None, asks: bool) -> None:
        self._runs.lay_out(task)
        task.paused, task.due_us, task.asks = paused, due_us, asks

    def end(self, task: TaskRecord) -> None:
        task.ending = True
        del self._names[task.spec.name]

    def remove(self, task: TaskRecord) -> None:
        self._runs.forget(task)
        self._without_rows_since_us.pop(task.id, None)
        if self._records.pop(task.id, None) and not task.ending:
            del self._names[task.spec.name]

    def remove_named(self, name: str) -> bool:
        task = self._names.get(name)
        if task is not None:
            self.remove(task)
        return task is not None

    def set_due(self, task: TaskRecord, due_us: int | None, error: str | None) -> bool:
        if task.due_us is not None:  # a moved grid may pass the same instants again, as others
            self._runs.lay_out(task)
        task.due_us, task.asks, task.ended_by = due_us, False, error
        return task.id in self._records

    def prune(self, now_us: int, oldest_us: int | None, last_rows_us: dict[int, int]) -> list[int]:
        """Remove finished tasks, given when the last deleted row of a task ended."""
        for task_id in last_rows_us.keys() & self._records.keys():
            self._without_rows_since_us[task_id] = last_rows_us[task_id]
        removed = [task for task in self.load() if self._is_over(task, now_us, oldest_us)]
        for task in removed:
            self.remove(task)
        return [task.id for task in removed]

    def _is_over(self, task: TaskRecord, now_us: int, oldest_us: int | None) -> bool:
        if task.state != "finished":
            return False
        if task.ending:
            return True
        if oldest_us is None or self._runs.has_rows(task):
            return False
        return self._without_rows_since_us.setdefault(task.id, now_us) < oldest_us


class MemoryStore:
    """A `Store` of one engine, which no other one shares."""

    shared = False

    def __init__(self, limits: HistoryLimits | None = None, clock: Clock | None = None) -> None:
        self.limits = limits or HistoryLimits()
        self._clock = clock or SystemClock()
        records: dict[int, TaskRecord] = {}
        self.runs = MemoryRuns(self.limits, records)
        self.tasks = MemoryTasks(records, self.runs)

    def open(self) -> None:
        pass

    def close(self) -> None:
        self.runs.lose_open(self._clock.now_us())
        for task in self.tasks.load():
            task.open_runs = 0  # some have ended since the loop was closed, which is noted nowhere

    def follow_file(self) -> bool:
        return False

    def beat(self) -> list[Run]:
        return []

    def prune(self) -> tuple[list[int], bool]:
        now_us = self._clock.now_us()
        oldest_us = self.limits.oldest_us(now_us)
        last_rows_us = self.runs.prune(oldest_us)
        return self.tasks.prune(now_us, oldest_us, last_rows_us), False
