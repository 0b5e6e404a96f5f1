"""Runs in a SQLite database: read, kept and counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nbsession.core.tasks.run import Run
from nbsession.core.text import well_formed
from nbsession.scheduler.abc import ALREADY_QUEUED, STILL_GOING, Claimed
from nbsession.scheduler.records import OccurrenceRange, free_ranges, grow, last_state_after

from .schema import IS_OPEN, RUN_COLUMNS, read_run
from .tasks import SqliteRecords, SqliteTasks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nbsession.core.tasks.run import RunState
    from nbsession.scheduler.abc import Claim
    from nbsession.scheduler.records import TaskRecord

    from .database import Writing
    from .schema import KeptTask

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


class _Count(NamedTuple):
    revision: int
    runs: int
    errors: int
    last_state: RunState
    last_error: str | None


class SqliteRuns(SqliteRecords):
    """The part of a SQLite store that keeps what becomes of runs; see `Store`."""

    def update(self, runs: Iterable[Run]) -> None:
        """Keep progress and tries of open runs."""
        with self._writing() as writing:
            for run in runs:
                text = well_formed(run.progress_text)
                values = (run.tries, run.progress, text, run.id, self._engine_id)
                writing.execute(_UPDATE, values)

    def finish(self, ended: Sequence[tuple[TaskRecord, Run]]) -> None:
        """Keep what runs have become, and count them at their tasks, which may have gone.

        A run that another engine has marked lost, as this one was silent, stays lost, and becomes
        so here too.
        """
        with self._writing() as writing:
            for task, run in ended:
                values = (
                    *(run.state, run.reason, run.started_us, run.ended_us, run.tries),
                    *(well_formed(run.error), well_formed(run.traceback), well_formed(run.output)),
                    *(run.progress, well_formed(run.progress_text), run.id, self._engine_id),
                )
                if writing.execute(_FINISH, values).rowcount:
                    self._finish(writing, task, run)
                elif row := writing.row(_OWN_RUN, (run.id, self._engine_id)):
                    kept = read_run(row)
                    run.state, run.reason, run.ended_us = kept.state, kept.reason, kept.ended_us

    def history(self, task: TaskRecord, limit: int) -> list[Run]:
        """Return a task's rows, the newest first."""
        # There may be more than the limit of the history, until they are pruned.
        count = max(0, min(limit, self.limits.runs))
        return [read_run(row) for row in self._rows(_HISTORY, (task.id, count))]

    def run(self, run_id: int) -> Run | None:
        """Return a row."""
        rows = self._rows(_RUN, (run_id,))
        return read_run(rows[0]) if rows else None

    def _finish(self, writing: Writing, task: TaskRecord, run: Run) -> None:
        count = self._count(writing, task.id, run)
        if count is None:
            return
        if kept := self._kept(task):
            self._mark(writing, kept, count.revision)

        def note() -> None:
            task.open_runs -= 1
            task.run_count += count.runs
            task.error_count += count.errors
            task.last_state, task.gap_id = count.last_state, None
            task.last_error = count.last_error or task.last_error

        writing.then(note)

    def _count(self, writing: Writing, task_id: int, run: Run) -> _Count | None:
        found = writing.row(_LAST, (task_id,))
        if found is None:
            return None
        revision, last_state = found
        has_run = run.started_us is not None
        has_failed = has_run and run.state != "succeeded"
        error = well_formed(run.error or run.reason) if has_failed else None
        last_state = last_state_after(last_state, run)
        count = _Count(revision, int(has_run), int(has_failed), last_state, error)
        _, *counted = count
        writing.execute(_COUNT, (*counted, writing.revision, task_id))
        return count

    def _mark_lost(self, writing: Writing, engine_id: int, reason: str) -> list[Run]:
        """Mark an engine's open runs lost; each is so only once, as it is open no more."""
        rows = writing.execute(_OPEN_OF_ENGINE, (engine_id,)).fetchall()
        runs = []
        for task_id, *row in rows:
            run = read_run(row)
            run.state, run.reason, run.ended_us = "lost", reason, self._clock.now_us()
            writing.execute(_LOSE, (reason, run.ended_us, run.id))
            self._count(writing, task_id, run)
            runs.append(run)
        self._must_look = self._must_look or bool(runs)  # no record has heard of it
        return runs


_AT_ONCE = 1_000  # of each kind: up to some 20 ms of a server's event loop
_TELL_US = 86_400 * 1_000_000  # for so long a server may sleep, and still hears what has gone

_TRIM = f"""
    DELETE FROM runs WHERE id IN (
        SELECT id FROM runs WHERE task_id = ? AND NOT {IS_OPEN} AND id <= (
            SELECT id FROM runs WHERE task_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?
        ) LIMIT ?
    )
"""  # noqa: S608 - constants
# Ids grow with time: who is too old is among the first.
_DROP_OLD = f"""
    DELETE FROM runs WHERE id IN (SELECT id FROM runs ORDER BY id LIMIT ?)
        AND NOT {IS_OPEN} AND ended_us < ?
"""  # noqa: S608 - constants
_SWEEP = f"""
    DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE task_id = ? LIMIT ?) AND NOT {IS_OPEN}
"""  # noqa: S608 - constants
_SWEPT = "UPDATE removed SET swept = 1 WHERE task_id = ? AND swept = 0"
_FORGET = "DELETE FROM removed WHERE removed_us < ? AND swept = 1"
_IDLE = """
    SELECT id, ending, idle_since_us, EXISTS (SELECT 1 FROM runs WHERE task_id = tasks.id)
    FROM tasks WHERE due_us IS NULL AND asks = 0 AND paused = 0 AND open_runs = 0
"""
_IDLE_SINCE = "UPDATE tasks SET idle_since_us = ? WHERE id = ?"


class SqlitePruning(SqliteTasks, SqliteRuns):
    """The part of a SQLite store that keeps it small; see `Store`."""

    def prune(self) -> tuple[list[int], bool]:
        """Forget rows and finished tasks beyond the history's limits.

        And tasks that are `ending`, without a next occurrence, and without an open run. Return the
        ids of those tasks, and whether there may be more to forget than is quick.
        """
        now_us = self._clock.now_us()
        oldest_us = None
        if self.limits.seconds is not None:
            oldest_us = now_us - round(self.limits.seconds * 1_000_000)
        with self._writing() as writing:
            is_more = self._trim_grown(writing)
            if oldest_us is not None:
                dropped = writing.execute(_DROP_OLD, (_AT_ONCE, oldest_us)).rowcount
                is_more |= dropped > _AT_ONCE // 2  # not all: some of the oldest may be open
            is_more |= self._sweep(writing)
            writing.execute(_FORGET, (now_us - _TELL_US,))
            removed, are_more = self._remove_finished(writing, now_us, oldest_us)
        return removed, is_more or are_more

    def _trim(self, writing: Writing, kept: KeptTask, at_most: int = _AT_ONCE) -> int:
        """Drop the rows of a task that are too many; return how many."""
        values = (kept.id, kept.id, self.limits.runs, at_most)
        dropped = writing.execute(_TRIM, values).rowcount
        if dropped < at_most:
            kept.grown = 0
        return dropped

    def _trim_grown(self, writing: Writing) -> bool:
        """Drop the rows of tasks that have too many; return whether there may be more."""
        left = _AT_ONCE
        for kept in self._records.values():
            if kept.grown:
                if left <= 0:
                    return True
                left -= 1 + self._trim(writing, kept, left)
        return left <= 0

    def _sweep(self, writing: Writing) -> bool:
        """Drop the rows of tasks that have gone; return whether there may be more."""
        left = _AT_ONCE
        gone = writing.execute("SELECT task_id FROM removed WHERE swept = 0").fetchmany(_AT_ONCE)
        for (task_id,) in gone:
            left -= 1 + writing.execute(_SWEEP, (task_id, left)).rowcount
            if writing.row("SELECT 1 FROM runs WHERE task_id = ?", (task_id,)) is None:
                writing.execute(_SWEPT, (task_id,))
            if left <= 0:
                return True
        return False

    def _remove_finished(
        self, writing: Writing, now_us: int, oldest_us: int | None
    ) -> tuple[list[int], bool]:
        removed: list[int] = []
        left = _AT_ONCE
        for task_id, ending, idle_since_us, has_rows in writing.execute(_IDLE).fetchall():
            is_old = oldest_us is not None and (idle_since_us or now_us) < oldest_us
            if ending or (is_old and not has_rows):
                self._remove(writing, task_id)
                removed.append(task_id)
            elif idle_since_us is None:
                writing.execute(_IDLE_SINCE, (now_us, task_id))
            else:
                continue
            left -= 1
            if not left:
                return removed, True
        return removed, False


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
_KEEP = """
    UPDATE tasks SET due_us = ?, asks = ?, open_runs = open_runs + ?,
        last_run_us = coalesce(?, last_run_us), gap_id = ?, covered_us = ?, revision = ?,
        last_state = CASE
            WHEN last_state IS NULL OR last_state IN ('skipped', 'missed')
            THEN coalesce(?, last_state) ELSE last_state
        END
    WHERE id = ?
"""


class _Found(NamedTuple):
    due_us: int | None
    asks: int
    epoch: int
    revision: int
    open_runs: int
    gap_id: int | None
    covered_us: int | None


class _Verdict(NamedTuple):
    state: RunState
    reason: str | None = None


_RUNNING = _Verdict("running")


class SqliteClaims(SqlitePruning):
    """The part of a SQLite store that begins runs, by the overlap policies; see `Store`."""

    def claim(self, claims: Sequence[Claim]) -> list[Claimed]:
        """Claim occurrences by compare-and-set on `due_us`, in one transaction."""
        with self._writing() as writing:
            return [self._claim(writing, claim) for claim in claims]

    def start_by_hand(self, task: TaskRecord, now_us: int) -> Run:
        """Add the row of a run that no occurrence asked for, by the task's overlap policy."""
        with self._writing() as writing:
            found = self._look(writing, task) or _Found(None, 0, 0, 0, 0, None, None)
            verdict = self._by_overlap(writing, task, found)
            run = self._run(writing, task, verdict, None, now_us)
            self._insert(writing, task, found, run)
            self._keep(writing, task, found, [run], (found.due_us, bool(found.asks)))
        return run

    def start_queued(self, task: TaskRecord, now_us: int) -> Run | None:
        """Turn this engine's queued run of a task into a running one.

        None if there is none, or while another run of the task goes, here or elsewhere.
        """
        with self._writing() as writing:
            rows = writing.execute(_OPEN, (task.id,)).fetchall()
            mine = [row[0] for row in rows if row[1:] == ("queued", self._engine_id)]
            if not mine or any(row[1] == "running" for row in rows):
                return None
            writing.execute(_START, (now_us, mine[0]))
            if (found := self._look(writing, task)) and (kept := self._kept(task)):
                writing.execute(_STARTED, (now_us, writing.revision, task.id))
                self._mark(writing, kept, found.revision)
        task.last_run_us, task.gap_id = now_us, None
        return self.run(mine[0])

    def _claim(self, writing: Writing, claim: Claim) -> Claimed:
        task, kept, found = claim.task, self._kept(claim.task), self._look(writing, claim.task)
        if kept is None or found is None:
            return Claimed(won=False)
        if (found.due_us, found.epoch) != (task.due_us, kept.epoch):
            return Claimed(won=False)
        verdict = None
        if claim.verdict == "run":
            verdict = self._by_overlap(writing, task, found)
        run, due_us = None, claim.run_due_us
        if verdict is not None and verdict.state == "skipped":
            ranges = [*claim.missed, OccurrenceRange(due_us, due_us)]
            gaps = self._add_gaps(writing, claim, found, ranges, verdict)
            run = gaps[-1] if gaps else None
        else:
            gaps = []
            if claim.missed:
                missed = _Verdict("missed", claim.reason)
                gaps = self._add_gaps(writing, claim, found, claim.missed, missed)
            if verdict is not None and self._is_free(writing, task, found, due_us, due_us):
                run = self._run(writing, task, verdict, due_us, claim.now_us)
                self._insert(writing, task, found, run)
        rows = gaps if run is None or run.state == "skipped" else [*gaps, run]
        self._keep(writing, task, found, rows, (claim.next_due_us, claim.asks))
        if kept.grown >= _TRIM_AT:
            self._trim(writing, kept)
        return Claimed(won=True, run=run, gaps=gaps)

    def _look(self, writing: Writing, task: TaskRecord) -> _Found | None:
        row = writing.row(_LOOK, (task.id,))
        return None if row is None else _Found(*row)

    def _by_overlap(self, writing: Writing, task: TaskRecord, found: _Found) -> _Verdict:
        """Return what a run of a task would be now."""
        overlap = task.spec.policies.overlap
        if overlap == "allow" or not found.open_runs:
            return _RUNNING
        if overlap == "skip":
            return _Verdict("skipped", STILL_GOING)
        rows = writing.execute(_OPEN, (task.id,)).fetchall()
        if all(state != "queued" for _, state, _ in rows):
            return _Verdict("queued")
        return _Verdict("skipped", ALREADY_QUEUED)

    def _run(
        self,
        writing: Writing,
        task: TaskRecord,
        verdict: _Verdict,
        due_us: int | None,
        now_us: int,
    ) -> Run:
        state, reason = verdict
        run_id, name = writing.next_id(), task.spec.name
        run = Run(id=run_id, task=name, state=state, reason=reason, due_us=due_us)
        if state == "running":
            run.started_us, run.tries = now_us, 1
        elif state != "queued":
            run.ended_us = now_us
        return run

    def _add_gaps(
        self,
        writing: Writing,
        claim: Claim,
        found: _Found,
        ranges: Sequence[OccurrenceRange],
        verdict: _Verdict,
    ) -> list[Run]:
        """Add what was missed or skipped to the row before it, or as new rows."""
        task, gap_id, gaps = claim.task, found.gap_id, []
        for each in free_ranges(
            ranges, lambda each: self._is_free(writing, task, found, each.first_us, each.last_us)
        ):
            before = writing.row(_ROW_BEFORE, (task.id, found.epoch, each.first_us))
            grown = None
            if before is not None and before[0] == gap_id:
                grown = writing.row(_GAP, (gap_id, *verdict))
            if grown is not None:
                row = read_run(grown)
                grow(row, each, claim.now_us)
                writing.execute(_GROW, (row.until_us, row.count, row.ended_us, row.id))
            else:
                row = self._run(writing, task, verdict, each.first_us, claim.now_us)
                row.until_us, row.count = each.last_us, each.number
                self._insert(writing, task, found, row)
                gap_id = row.id
            gaps.append(row)
        return gaps

    def _is_free(
        self, writing: Writing, task: TaskRecord, found: _Found, first_us: int, last_us: int
    ) -> bool:
        """Return whether no row has an instant from the first to the last."""
        if found.covered_us is None or first_us > found.covered_us:  # as nearly always
            return True
        row = writing.row(_ROW_BEFORE, (task.id, found.epoch, last_us))
        return row is None or row[1] < first_us

    def _insert(self, writing: Writing, task: TaskRecord, found: _Found, run: Run) -> None:
        values = (
            *(run.id, task.id, run.task, found.epoch, run.due_us, run.until_us, run.count),
            *(self._engine_id, run.state, run.reason, run.started_us, run.ended_us, run.tries),
        )
        writing.execute(_INSERT, values)

    def _keep(
        self,
        writing: Writing,
        task: TaskRecord,
        found: _Found,
        rows: Sequence[Run],
        following: tuple[int | None, bool],
    ) -> None:
        """Note new rows at their task, and its next occurrence."""
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
            *(writing.revision, last_state, task.id),
        )
        writing.execute(_KEEP, values)

        def note() -> None:
            task.due_us, task.asks = due_us, asks
            task.open_runs += opened
            task.last_run_us = started_us or task.last_run_us
            task.gap_id = gap_id
            if ended is not None:
                task.last_state = last_state_after(task.last_state, ended)

        writing.then(note)
        if kept := self._kept(task):
            kept.grown += len(rows)  # too many by those that have only grown
            self._mark(writing, kept, found.revision)
