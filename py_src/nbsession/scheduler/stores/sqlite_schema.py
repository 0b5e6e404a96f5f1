"""The tables of the SQLite store, version by version."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
