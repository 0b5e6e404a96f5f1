"""Runs in a SQLite database: read, kept and counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nbsession.scheduler.task_record import last_state_after

from .sqlite_records import SqliteRecords
from .sqlite_rows import IS_OPEN, RUN_COLUMNS, read_run, storable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nbsession.core.run import Run, RunState
    from nbsession.scheduler.task_record import TaskRecord

    from .sqlite_writing import Writing

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
                text = storable(run.progress_text)
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
                    *(storable(run.error), storable(run.traceback), storable(run.output)),
                    *(run.progress, storable(run.progress_text), run.id, self._engine_id),
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
        error = storable(run.error or run.reason) if has_failed else None
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
