"""The tables of the SQLite store, version by version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbsession.core.tasks.run import Run
from nbsession.scheduler.records import TaskRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

APPLICATION_ID = 0x6E627374
"""What SQLite keeps in the file's head to tell whose it is: ``nbst``."""

_VERSION_1 = (
    # One counter for every id and revision: none is ever given again.
    "CREATE TABLE serial (value INTEGER NOT NULL)",
    "INSERT INTO serial VALUES (0)",
    # What changes with every run, and so is short. `epoch` is the revision that laid its
    # occurrences out: a declaration, a pause, a moved grid.
    """
    CREATE TABLE tasks (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        due_us INTEGER,
        paused INTEGER NOT NULL,
        asks INTEGER NOT NULL,
        ending INTEGER NOT NULL DEFAULT 0,
        open_runs INTEGER NOT NULL DEFAULT 0,
        run_count INTEGER NOT NULL DEFAULT 0,
        error_count INTEGER NOT NULL DEFAULT 0,
        last_run_us INTEGER,
        last_state TEXT,
        last_error TEXT,
        epoch INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        idle_since_us INTEGER
    )
    """,
    "CREATE UNIQUE INDEX names ON tasks (name) WHERE ending = 0",
    "CREATE INDEX idle ON tasks (id) WHERE due_us IS NULL AND asks = 0 AND paused = 0",
    "CREATE TABLE specs (task_id INTEGER PRIMARY KEY, spec TEXT NOT NULL)",
    """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        task_id INTEGER NOT NULL,
        task TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        due_us INTEGER,
        engine_id INTEGER NOT NULL,
        state TEXT NOT NULL,
        reason TEXT,
        started_us INTEGER,
        ended_us INTEGER,
        tries INTEGER NOT NULL DEFAULT 0,
        error TEXT,
        progress REAL,
        progress_text TEXT NOT NULL DEFAULT '',
        traceback TEXT,
        output TEXT NOT NULL DEFAULT ''
    )
    """,
    "CREATE UNIQUE INDEX occurrences ON runs (task_id, epoch, due_us) WHERE due_us IS NOT NULL",
    "CREATE INDEX history ON runs (task_id)",
    "CREATE INDEX open_runs ON runs (task_id) WHERE state IN ('queued', 'running')",
    # A task that has gone, for the engines that have not heard of it. `swept`: so have its rows.
    """
    CREATE TABLE removed (
        revision INTEGER PRIMARY KEY,
        task_id INTEGER NOT NULL,
        removed_us INTEGER NOT NULL,
        swept INTEGER NOT NULL DEFAULT 0
    )
    """,
    "CREATE INDEX unswept ON removed (task_id) WHERE swept = 0",
    # `beat_seconds` is of the clock that never jumps, which engines since one boot share.
    """
    CREATE TABLE engines (
        id INTEGER PRIMARY KEY,
        machine TEXT NOT NULL,
        boot TEXT NOT NULL,
        pids TEXT NOT NULL,
        pid INTEGER NOT NULL,
        process_start TEXT NOT NULL,
        beats INTEGER NOT NULL,
        beat_seconds REAL NOT NULL
    )
    """,
    f"PRAGMA application_id = {APPLICATION_ID}",
)

# What ended a task, and what its last failed run has raised, are two things.
_VERSION_2 = (
    "ALTER TABLE tasks RENAME COLUMN last_error TO ended_by",
    "ALTER TABLE tasks ADD COLUMN last_error TEXT",
    """
    UPDATE tasks SET last_error = (
        SELECT coalesce(error, reason) FROM runs
        WHERE task_id = tasks.id AND started_us IS NOT NULL AND state IN ('failed', 'lost')
        ORDER BY id DESC LIMIT 1
    )
    """,
)

# What was missed or skipped in a row is one row, from `due_us` to `until_us`, `count` times, where
# NULL is more often than was counted. The task knows which row may still grow, and until when its
# occurrences, as they are laid out now, have rows.
_VERSION_3 = (
    "ALTER TABLE runs ADD COLUMN until_us INTEGER",
    "ALTER TABLE runs ADD COLUMN count INTEGER DEFAULT 1",
    "UPDATE runs SET until_us = due_us",
    "ALTER TABLE tasks ADD COLUMN gap_id INTEGER",
    "ALTER TABLE tasks ADD COLUMN covered_us INTEGER",
    """
    UPDATE tasks SET covered_us = (
        SELECT max(due_us) FROM runs WHERE task_id = tasks.id AND epoch = tasks.epoch
    )
    """,
)

MIGRATIONS: Sequence[Sequence[str]] = (_VERSION_1, _VERSION_2, _VERSION_3)
"""The statements that lead to version 1, from there to version 2, and so on; never changed once
they are released."""

IS_OPEN = "state IN ('queued', 'running')"
"""As the index of open runs says it: otherwise SQLite does not see that it can use it."""

TASK_COLUMNS = (
    "id, due_us, paused, asks, ending, open_runs, run_count, error_count, last_run_us, last_state, "
    "gap_id, last_error, ended_by, revision, epoch"
)
RUN_COLUMNS = (
    "id, task, state, reason, due_us, started_us, ended_us, tries, error, traceback, output, "
    "progress, progress_text, until_us, count"
)


@dataclass(slots=True, eq=False)
class KeptTask(TaskRecord):
    """A task's record, and what its store notes of it."""

    epoch: int = 0
    told: int = 0
    grown: int = 0

    def take(self, row: Sequence[Any]) -> None:
        """Become what a row of `TASK_COLUMNS` says."""
        (
            _,
            self.due_us,
            paused,
            asks,
            ending,
            self.open_runs,
            self.run_count,
            self.error_count,
            self.last_run_us,
            self.last_state,
            self.gap_id,
            self.last_error,
            self.ended_by,
            self.revision,
            self.epoch,
        ) = row
        self.paused, self.asks, self.ending = bool(paused), bool(asks), bool(ending)


def read_run(row: Sequence[Any]) -> Run:
    """Return the run that a row of `RUN_COLUMNS` says."""
    (
        run_id,
        task,
        state,
        reason,
        due_us,
        started_us,
        ended_us,
        tries,
        error,
        traceback,
        output,
        progress,
        progress_text,
        until_us,
        count,
    ) = row
    return Run(
        id=run_id,
        task=task,
        state=state,
        reason=reason,
        due_us=due_us,
        started_us=started_us,
        ended_us=ended_us,
        tries=tries,
        error=error,
        traceback=traceback,
        output=output,
        progress=progress,
        progress_text=progress_text,
        until_us=until_us,
        count=count,
    )
