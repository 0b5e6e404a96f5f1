"""From occurrences to rows in a SQLite database, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from nbsession.core.run import Run
from nbsession.scheduler.abc import ALREADY_QUEUED, STILL_GOING, Claimed
from nbsession.scheduler.task_record import last_state_after

from .sqlite_pruning import SqlitePruning
from .sqlite_rows import IS_OPEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbsession.core.run import RunState
    from nbsession.scheduler.abc import Claim
    from nbsession.scheduler.task_record import TaskRecord

    from .sqlite_writing import Writing

_TRIM_AT = 32  # new rows: to look for old ones costs as much as a few of them

_LOOK = "SELECT due_us, asks, epoch, revision, open_runs FROM tasks WHERE id = ?"
_OPEN = f"SELECT id, state, engine_id FROM runs WHERE task_id = ? AND {IS_OPEN}"  # noqa: S608 - constants
_START = "UPDATE runs SET state = 'running', started_us = ?, tries = 1 WHERE id = ?"
_STARTED = "UPDATE tasks SET last_run_us = ?, revision = ? WHERE id = ?"
# IGNORE: a row of the same occurrence is there, which happens if a trigger's code repeats itself.
_INSERT = """
    INSERT OR IGNORE INTO runs
        (id, task_id, task, epoch, due_us, engine_id, state, reason, started_us, ended_us, tries)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_KEEP = """
    UPDATE tasks SET due_us = ?, asks = ?, open_runs = open_runs + ?,
        last_run_us = coalesce(?, last_run_us), revision = ?,
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


class SqliteClaims(SqlitePruning):
    """The part of a SQLite store that begins runs, by the overlap policies; see `Store`."""

    def claim(self, claims: Sequence[Claim]) -> list[Claimed]:
        """Claim occurrences by compare-and-set on `due_us`, in one transaction."""
        with self._writing() as writing:
            return [self._claim(writing, claim) for claim in claims]

    def start_by_hand(self, task: TaskRecord, now_us: int) -> Run:
        """Add the row of a run that no occurrence asked for, by the task's overlap policy."""
        with self._writing() as writing:
            found = self._look(writing, task) or _Found(None, 0, 0, 0, 0)
            run = self._begin(writing, task, found, None, now_us)
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
        task.last_run_us = now_us
        return self.run(mine[0])

    def _claim(self, writing: Writing, claim: Claim) -> Claimed:
        task, kept, found = claim.task, self._kept(claim.task), self._look(writing, claim.task)
        if kept is None or found is None:
            return Claimed(won=False)
        if (found.due_us, found.epoch) != (task.due_us, kept.epoch):
            return Claimed(won=False)
        rows = [
            self._run(writing, task, "missed", due_us, reason=claim.reason, ended_us=claim.now_us)
            for due_us in claim.missed_us
        ]
        if claim.verdict == "run":
            rows.append(self._begin(writing, task, found, claim.run_due_us, claim.now_us))
        rows = [run for run in rows if self._insert(writing, task, found, run)]
        self._keep(writing, task, found, rows, (claim.next_due_us, claim.asks))
        if kept.grown >= _TRIM_AT:
            self._trim(writing, kept)
        last = rows[-1] if rows else None
        return Claimed(won=True, run=None if last is None or last.state == "missed" else last)

    def _look(self, writing: Writing, task: TaskRecord) -> _Found | None:
        row = writing.row(_LOOK, (task.id,))
        return None if row is None else _Found(*row)

    def _begin(
        self, writing: Writing, task: TaskRecord, found: _Found, due_us: int | None, now_us: int
    ) -> Run:
        overlap = task.spec.policies.overlap
        if overlap == "allow" or not found.open_runs:
            return self._run(writing, task, "running", due_us, started_us=now_us, tries=1)
        if overlap == "skip":
            reason = STILL_GOING
        else:
            rows = writing.execute(_OPEN, (task.id,)).fetchall()
            if all(state != "queued" for _, state, _ in rows):
                return self._run(writing, task, "queued", due_us)
            reason = ALREADY_QUEUED
        return self._run(writing, task, "skipped", due_us, reason=reason, ended_us=now_us)

    def _run(
        self, writing: Writing, task: TaskRecord, state: RunState, due_us: int | None, **more: Any
    ) -> Run:
        return Run(id=writing.next_id(), task=task.spec.name, state=state, due_us=due_us, **more)

    def _insert(self, writing: Writing, task: TaskRecord, found: _Found, run: Run) -> bool:
        values = (
            *(run.id, task.id, run.task, found.epoch, run.due_us, self._engine_id),
            *(run.state, run.reason, run.started_us, run.ended_us, run.tries),
        )
        return bool(writing.execute(_INSERT, values).rowcount)

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
        values = (due_us, asks, opened, started_us, writing.revision, last_state, task.id)
        writing.execute(_KEEP, values)

        def note() -> None:
            task.due_us, task.asks = due_us, asks
            task.open_runs += opened
            task.last_run_us = started_us or task.last_run_us
            if ended is not None:
                task.last_state = last_state_after(task.last_state, ended)

        writing.then(note)
        if kept := self._kept(task):
            kept.grown += len(rows)
            self._mark(writing, kept, found.revision)
