"""The tables of the SQLite store, version by version."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from nbsession.core.tasks.run import Run
from nbsession.scheduler.records import TaskRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

APPLICATION_ID = 0x6E627374
"""In the head of a SQLite file, for the program that it belongs to: ``nbst``."""

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
    # A removed task, for engines that do not know of it yet; `swept`: its rows are deleted too.
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
_RUN_FIELDS = tuple(field.name for field in fields(Run))
RUN_COLUMNS = ", ".join(_RUN_FIELDS)


@dataclass(slots=True, eq=False)
class SqliteTask(TaskRecord):
    """A task's record with what its store knows of its row."""

    epoch: int = 0
    seen_revision: int = 0
    """The one that the engine knows."""

    untrimmed: int = 0
    """Rows added since too many were deleted."""

    def update(self, row: Sequence[Any]) -> None:
        """Take the values of a row of `TASK_COLUMNS`."""
        _, self.due_us, paused, asks, ending, *counts = row
        self.paused, self.asks, self.ending = bool(paused), bool(asks), bool(ending)
        self.open_runs, self.run_count, self.error_count, self.last_run_us, *last = counts
        self.last_state, self.gap_id, self.last_error, self.ended_by, *revisions = last
        self.revision, self.epoch = revisions


def read_run(row: Sequence[Any]) -> Run:
    """Make a run of a row of `RUN_COLUMNS`."""
    return Run(**dict(zip(_RUN_FIELDS, row, strict=True)))
