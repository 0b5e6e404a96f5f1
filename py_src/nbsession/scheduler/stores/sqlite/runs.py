"""Runs in a SQLite database."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nbsession.core.tasks.run import Run
from nbsession.core.text import well_formed
from nbsession.scheduler.abc import Claimed
from nbsession.scheduler.records import (
    OccurrenceRange,
    Verdict,
    free_ranges,
    grow,
    last_state_after,
    overlap_verdict,
)

from .schema import IS_OPEN, RUN_COLUMNS, read_run
from .tasks import PRUNE_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nbsession.core.schedule.clock import Clock
    from nbsession.core.tasks.run import RunState
    from nbsession.scheduler.abc import Claim, HistoryLimits
    from nbsession.scheduler.records import TaskRecord

    from .database import Transaction
    from .schema import SqliteTask
    from .tasks import SqliteRecords

_HISTORY = f"SELECT {RUN_COLUMNS} FROM runs WHERE task_id = ? ORDER BY id DESC LIMIT ?"  # noqa: S608 - constants
_RUN = f"SELECT {RUN_COLUMNS} FROM runs WHERE id = ?"  # noqa: S608 - constants
# The engine's own: another database, put in this one's place, has runs of the same ids.
_OWN_RUN = f"SELECT {RUN_COLUMNS} FROM runs WHERE id = ? AND engine_id = ?"  # noqa: S608 - constants
_UPDATE = f"""
    UPDATE runs SET tries = ?, progress = ?, progress_text = ?
    WHERE id = ? AND engine_id = ? AND {IS_OPEN}
"""  # noqa: S608 - constants
_FINISH = f"""
    UPDATE runs SET state = ?, reason = ?, started_us = ?, ended_us = ?, tries = ?, error = ?,
        traceback = ?, output = ?, progress = ?, progress_text = ?
    WHERE id = ? AND engine_id = ? AND {IS_OPEN}
"""  # noqa: S608 - constants
_LAST = "SELECT revision, last_state FROM tasks WHERE id = ?"
_COUNT = """
    UPDATE tasks SET open_runs = open_runs - 1, run_count = run_count + ?,
        error_count = error_count + ?, last_state = ?, gap_id = NULL,
        last_error = coalesce(?, last_error), revision = ?
    WHERE id = ?
"""
_OPEN_OF_ENGINE = f"SELECT task_id, {RUN_COLUMNS} FROM runs WHERE {IS_OPEN} AND engine_id = ?"  # noqa: S608 - constants
_LOSE = "UPDATE runs SET state = 'lost', reason = ?, ended_us = ? WHERE id = ?"

# A server that slept no longer than this still learns what was removed.
_KEEP_REMOVED_US = 86_400 * 1_000_000

_TRIM = f"""
    DELETE FROM runs WHERE id IN (
        SELECT id FROM runs WHERE task_id = ? AND NOT {IS_OPEN} AND id <= (
            SELECT id FROM runs WHERE task_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?
        ) LIMIT ?
    )
"""  # noqa: S608 - constants
# Ids grow with time: the oldest rows are among the first.
_DROP_OLD = f"""
    DELETE FROM runs WHERE id IN (SELECT id FROM runs ORDER BY id LIMIT ?)
        AND NOT {IS_OPEN} AND ended_us < ?
"""  # noqa: S608 - constants
_SWEEP = f"""
    DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE task_id = ? LIMIT ?) AND NOT {IS_OPEN}
"""  # noqa: S608 - constants
_SWEPT = "UPDATE removed SET swept = 1 WHERE task_id = ? AND swept = 0"
_FORGET = "DELETE FROM removed WHERE removed_us < ? AND swept = 1"

_TRIM_AT = 32  # new rows: to look for old ones costs as much as a few of them

_LOOK = (
    "SELECT due_us, asks, epoch, revision, open_runs, gap_id, covered_us FROM tasks WHERE id = ?"
)
_OPEN = f"SELECT id, state, engine_id FROM runs WHERE task_id = ? AND {IS_OPEN}"  # noqa: S608 - constants
_START = "UPDATE runs SET state = 'running', started_us = ?, tries = 1 WHERE id = ?"
_STARTED = "UPDATE tasks SET last_run_us = ?, gap_id = NULL, revision = ? WHERE id = ?"
# Rows of one epoch do not overlap: this is the only one that may hold the instant.
_ROW_BEFORE = """
    SELECT id, until_us FROM runs WHERE task_id = ? AND epoch = ? AND due_us <= ?
    ORDER BY due_us DESC LIMIT 1
"""
_GAP = f"SELECT {RUN_COLUMNS} FROM runs WHERE id = ? AND state = ? AND reason = ?"  # noqa: S608 - constants
_GROW = "UPDATE runs SET until_us = ?, count = ?, ended_us = ? WHERE id = ?"
_INSERT = """
    INSERT INTO runs
        (id, task_id, task, epoch, due_us, until_us, count, engine_id,
         state, reason, started_us, ended_us, tries)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE_TASK = """
    UPDATE tasks SET due_us = ?, asks = ?, open_runs = open_runs + ?,
        last_run_us = coalesce(?, last_run_us), gap_id = ?, covered_us = ?, revision = ?,
        last_state = CASE
            WHEN last_state IS NULL OR last_state IN ('skipped', 'missed')
            THEN coalesce(?, last_state) ELSE last_state
        END
    WHERE id = ?
"""


class _Count(NamedTuple):
    revision: int
    runs: int
    errors: int
    last_state: RunState
    last_error: str | None


class _Found(NamedTuple):
    due_us: int | None
    asks: int
    epoch: int
    revision: int
    open_runs: int
    gap_id: int | None
    covered_us: int | None


class SqliteRuns:
    """A `RunStore`, which also prunes rows, and marks those of dead engines lost."""

    def __init__(self, records: SqliteRecords, clock: Clock, limits: HistoryLimits) -> None:
        self._records = records
        self._clock = clock
        self._limits = limits

    def update(self, runs: Iterable[Run]) -> None:
        with self._records.transaction() as transaction:
            for run in runs:
                text = well_formed(run.progress_text)
                values = (run.tries, run.progress, text, run.id, self._records.engine_id)
                transaction.execute(_UPDATE, values)

    def finish(self, ended: Sequence[tuple[TaskRecord, Run]]) -> None:
        with self._records.transaction() as transaction:
            for task, run in ended:
                values = (
                    *(run.state, run.reason, run.started_us, run.ended_us, run.tries),
                    *(well_formed(run.error), well_formed(run.traceback), well_formed(run.output)),
                    *(
                        run.progress,
                        well_formed(run.progress_text),
                        run.id,
                        self._records.engine_id,
                    ),
                )
                if transaction.execute(_FINISH, values).rowcount:
                    self._finish(transaction, task, run)
                elif row := transaction.row(_OWN_RUN, (run.id, self._records.engine_id)):
                    lost = read_run(row)
                    run.state, run.reason, run.ended_us = lost.state, lost.reason, lost.ended_us

    def history(self, task: TaskRecord, limit: int) -> list[Run]:
        # There may be more than the limit of the history, until they are pruned.
        count = max(0, min(limit, self._limits.runs))
        return [read_run(row) for row in self._records.rows(_HISTORY, (task.id, count))]

    def get(self, run_id: int) -> Run | None:
        rows = self._records.rows(_RUN, (run_id,))
        return read_run(rows[0]) if rows else None

    def claim(self, claims: Sequence[Claim]) -> list[Claimed]:
        with self._records.transaction() as transaction:
            return [self._claim(transaction, claim) for claim in claims]

    def start_by_hand(self, task: TaskRecord, now_us: int) -> Run:
        with self._records.transaction() as transaction:
            found = self._look(transaction, task) or _Found(None, 0, 0, 0, 0, None, None)
            verdict = self._by_overlap(transaction, task, found)
            run = self._run(transaction, task, verdict, None, now_us)
            self._insert(transaction, task, found, run)
            self._store_rows(transaction, task, found, [run], (found.due_us, bool(found.asks)))
        return run

    def start_queued(self, task: TaskRecord, now_us: int) -> Run | None:
        with self._records.transaction() as transaction:
            rows = transaction.execute(_OPEN, (task.id,)).fetchall()
            mine = [row[0] for row in rows if row[1:] == ("queued", self._records.engine_id)]
            if not mine or any(row[1] == "running" for row in rows):
                return None
            transaction.execute(_START, (now_us, mine[0]))
            found, known = self._look(transaction, task), self._records.tasks.get(task.id)
            if found and known:
                transaction.execute(_STARTED, (now_us, transaction.revision, task.id))
                self._records.note_change(transaction, known, found.revision)
        task.last_run_us, task.gap_id = now_us, None
        return self.get(mine[0])

    def prune(self, transaction: Transaction, oldest_us: int | None) -> bool:
        """Delete rows beyond the limits; return whether there may be more."""
        is_more = self._trim_all(transaction)
        if oldest_us is not None:
            dropped = transaction.execute(_DROP_OLD, (PRUNE_AT_ONCE, oldest_us)).rowcount
            is_more |= dropped > PRUNE_AT_ONCE // 2  # not all: some of the oldest may be open
        is_more |= self._sweep(transaction)
        transaction.execute(_FORGET, (self._clock.now_us() - _KEEP_REMOVED_US,))
        return is_more

    def _claim(self, transaction: Transaction, claim: Claim) -> Claimed:
        task = claim.task
        known, found = self._records.tasks.get(task.id), self._look(transaction, task)
        if known is None or found is None:
            return Claimed(won=False)
        if (found.due_us, found.epoch) != (task.due_us, known.epoch):
            return Claimed(won=False)
        verdict = None
        if claim.verdict == "run":
            verdict = self._by_overlap(transaction, task, found)
        run, due_us = None, claim.run_due_us
        if verdict is not None and verdict.state == "skipped":
            ranges = [*claim.missed, OccurrenceRange(due_us, due_us)]
            gaps = self._add_gaps(transaction, claim, found, ranges, verdict)
            run = gaps[-1] if gaps else None
        else:
            gaps = []
            if claim.missed:
                missed = Verdict("missed", claim.reason)
                gaps = self._add_gaps(transaction, claim, found, claim.missed, missed)
            if verdict is not None and self._is_free(transaction, task, found, due_us, due_us):
                run = self._run(transaction, task, verdict, due_us, claim.now_us)
                self._insert(transaction, task, found, run)
        rows = gaps if run is None or run.state == "skipped" else [*gaps, run]
        self._store_rows(transaction, task, found, rows, (claim.next_due_us, claim.asks))
        if known.untrimmed >= _TRIM_AT:
            self._trim(transaction, known)
        return Claimed(won=True, run=run, gaps=gaps)

    def _look(self, transaction: Transaction, task: TaskRecord) -> _Found | None:
        row = transaction.row(_LOOK, (task.id,))
        return None if row is None else _Found(*row)

    def _by_overlap(self, transaction: Transaction, task: TaskRecord, found: _Found) -> Verdict:
        def has_queued() -> bool:
            rows = transaction.execute(_OPEN, (task.id,)).fetchall()
            return any(state == "queued" for _, state, _ in rows)

        return overlap_verdict(task, found.open_runs, has_queued)

    def _run(
        self,
        transaction: Transaction,
        task: TaskRecord,
        verdict: Verdict,
        due_us: int | None,
        now_us: int,
    ) -> Run:
        state, reason = verdict
        run_id, name = transaction.next_id(), task.spec.name
        run = Run(id=run_id, task=name, state=state, reason=reason, due_us=due_us)
        if state == "running":
            run.started_us, run.tries = now_us, 1
        elif state != "queued":
            run.ended_us = now_us
        return run

    def _add_gaps(
        self,
        transaction: Transaction,
        claim: Claim,
        found: _Found,
        ranges: Sequence[OccurrenceRange],
        verdict: Verdict,
    ) -> list[Run]:
        """Add what was missed or skipped to the row before it, or as new rows."""
        task, gap_id, gaps = claim.task, found.gap_id, []
        for each in free_ranges(
            ranges,
            lambda each: self._is_free(transaction, task, found, each.first_us, each.last_us),
        ):
            before = transaction.row(_ROW_BEFORE, (task.id, found.epoch, each.first_us))
            grown = None
            if before is not None and before[0] == gap_id:
                grown = transaction.row(_GAP, (gap_id, *verdict))
            if grown is not None:
                row = read_run(grown)
                grow(row, each, claim.now_us)
                transaction.execute(_GROW, (row.until_us, row.count, row.ended_us, row.id))
            else:
                row = self._run(transaction, task, verdict, each.first_us, claim.now_us)
                row.until_us, row.count = each.last_us, each.number
                self._insert(transaction, task, found, row)
                gap_id = row.id
            gaps.append(row)
        return gaps

    def _is_free(
        self, transaction: Transaction, task: TaskRecord, found: _Found, first_us: int, last_us: int
    ) -> bool:
        """Return whether no row has an instant from the first to the last."""
        if found.covered_us is None or first_us > found.covered_us:  # as nearly always
            return True
        row = transaction.row(_ROW_BEFORE, (task.id, found.epoch, last_us))
        return row is None or row[1] < first_us

    def _insert(self, transaction: Transaction, task: TaskRecord, found: _Found, run: Run) -> None:
        engine_id = self._records.engine_id
        values = (
            *(run.id, task.id, run.task, found.epoch, run.due_us, run.until_us, run.count),
            *(engine_id, run.state, run.reason, run.started_us, run.ended_us, run.tries),
        )
        transaction.execute(_INSERT, values)

    def _store_rows(
        self,
        transaction: Transaction,
        task: TaskRecord,
        found: _Found,
        rows: Sequence[Run],
        following: tuple[int | None, bool],
    ) -> None:
        """Update a task's row after new rows of it, with its next occurrence."""
        due_us, asks = following
        last = rows[-1] if rows else None
        opened = int(last is not None and last.ended_us is None)
        started_us = None if last is None else last.started_us
        ended = next((run for run in reversed(rows) if run.ended_us is not None), None)
        last_state = None if ended is None else ended.state
        gap_id = found.gap_id
        if started_us is not None:
            gap_id = None
        elif ended is not None and ended.due_us is not None:
            gap_id = ended.id
        covered_us = found.covered_us
        for run in rows:
            if run.until_us is not None and (covered_us is None or run.until_us > covered_us):
                covered_us = run.until_us
        values = (
            *(due_us, asks, opened, started_us, gap_id, covered_us),
            *(transaction.revision, last_state, task.id),
        )
        transaction.execute(_UPDATE_TASK, values)

        def note() -> None:
            task.due_us, task.asks = due_us, asks
            task.open_runs += opened
            task.last_run_us = started_us or task.last_run_us
            task.gap_id = gap_id
            if ended is not None:
                task.last_state = last_state_after(task.last_state, ended)

        transaction.on_commit(note)
        if known := self._records.tasks.get(task.id):
            known.untrimmed += len(rows)  # too many by those that have only grown
            self._records.note_change(transaction, known, found.revision)

    def _finish(self, transaction: Transaction, task: TaskRecord, run: Run) -> None:
        count = self._count(transaction, task.id, run)
        if count is None:
            return
        if known := self._records.tasks.get(task.id):
            self._records.note_change(transaction, known, count.revision)

        def note() -> None:
            task.open_runs -= 1
            task.run_count += count.runs
            task.error_count += count.errors
            task.last_state, task.gap_id = count.last_state, None
            task.last_error = count.last_error or task.last_error

        transaction.on_commit(note)

    def _count(self, transaction: Transaction, task_id: int, run: Run) -> _Count | None:
        found = transaction.row(_LAST, (task_id,))
        if found is None:
            return None
        revision, last_state = found
        has_run = run.started_us is not None
        has_failed = has_run and run.state != "succeeded"
        error = well_formed(run.error or run.reason) if has_failed else None
        last_state = last_state_after(last_state, run)
        count = _Count(revision, int(has_run), int(has_failed), last_state, error)
        _, *counted = count
        transaction.execute(_COUNT, (*counted, transaction.revision, task_id))
        return count

    def mark_lost(self, transaction: Transaction, engine_id: int, reason: str) -> list[Run]:
        """Mark an engine's open runs lost; each is so only once, as it is open no more."""
        rows = transaction.execute(_OPEN_OF_ENGINE, (engine_id,)).fetchall()
        runs = []
        for task_id, *row in rows:
            run = read_run(row)
            run.state, run.reason, run.ended_us = "lost", reason, self._clock.now_us()
            transaction.execute(_LOSE, (reason, run.ended_us, run.id))
            self._count(transaction, task_id, run)
            runs.append(run)
        if runs:
            self._records.has_own_changes = True
        return runs

    def _trim(
        self, transaction: Transaction, task: SqliteTask, at_most: int = PRUNE_AT_ONCE
    ) -> int:
        """Delete the rows of a task that are too many; return how many."""
        values = (task.id, task.id, self._limits.runs, at_most)
        dropped = transaction.execute(_TRIM, values).rowcount
        if dropped < at_most:
            task.untrimmed = 0
        return dropped

    def _trim_all(self, transaction: Transaction) -> bool:
        """Delete the rows of tasks that have too many; return whether there may be more."""
        left = PRUNE_AT_ONCE
        for task in self._records.tasks.values():
            if task.untrimmed:
                if left <= 0:
                    return True
                left -= 1 + self._trim(transaction, task, left)
        return left <= 0

    def _sweep(self, transaction: Transaction) -> bool:
        """Delete the rows of removed tasks; return whether there may be more."""
        left = PRUNE_AT_ONCE
        unswept = transaction.execute("SELECT task_id FROM removed WHERE swept = 0")
        for (task_id,) in unswept.fetchmany(PRUNE_AT_ONCE):
            left -= 1 + transaction.execute(_SWEEP, (task_id, left)).rowcount
            if transaction.row("SELECT 1 FROM runs WHERE task_id = ?", (task_id,)) is None:
                transaction.execute(_SWEPT, (task_id,))
            if left <= 0:
                return True
        return False
