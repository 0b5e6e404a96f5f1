"""The tasks of a SQLite store as its engine knows them: one record for each."""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nbsession.core.errors import StoreError
from nbsession.core.task_spec import TaskSpec
from nbsession.scheduler.abc import HistoryLimits

from .sqlite_rows import TASK_COLUMNS, KeptTask
from .sqlite_writing import StoreConnection, Writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from logging import Logger
    from pathlib import Path

    from nbsession.core.clock import Clock
    from nbsession.scheduler.task_record import TaskRecord

    from .sqlite_file import DatabaseFiles

_ROW = f"SELECT {TASK_COLUMNS} FROM tasks WHERE id = ?"  # noqa: S608 - constants


class SqliteRecords:
    """A connection, the records that its rows were read into, and what tells them apart.

    Each task has one record as long as the store is open, so that what a run's end counts reaches
    whoever holds the task.

    Parameters
    ----------
    path
        The database's.
    clock
        By which engines live and rows grow old.
    log
        Is told of what cannot be read.
    limits
        How much of the past is kept.
    """

    shared = True

    def __init__(
        self, path: Path, clock: Clock, log: Logger, limits: HistoryLimits | None = None
    ) -> None:
        self.path = path
        self.limits = limits or HistoryLimits()
        self._clock = clock
        self._log = log
        self._connection: StoreConnection | None = None
        self._files: DatabaseFiles | None = None
        self._engine_id = 0  # none is open yet
        self._records: dict[int, KeptTask] = {}
        self._seen_version = 0  # of the database
        self._seen_revision = 0
        self._must_look = False  # whether this engine itself changed what it has not told
        self._is_another = False  # whether another database is open than the engine knows

    def _open_connection(self) -> StoreConnection:
        if self._connection is None:
            raise StoreError(f"the store of tasks {self.path} is closed")
        return self._connection

    def _writing(self) -> Writing:
        return Writing(self._open_connection(), self.path, self._check_files)

    def _check_files(self) -> None:
        if self._files is not None:
            self._files.check()

    def _rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        connection = self._open_connection()
        try:
            return connection.execute(statement, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise connection.failed(error, self.path) from error

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Let what is read inside be of one moment."""
        self._rows("BEGIN")
        try:
            yield
        finally:
            self._rows("ROLLBACK")

    def _kept(self, task: TaskRecord) -> KeptTask | None:
        return self._records.get(task.id)

    def _read(self, row: Sequence[Any], spec_text: str | None = None) -> KeptTask | None:
        """Return the record of a row of `TASK_COLUMNS`, brought up to date.

        None, and a line in the log, if what was declared means nothing here, as with a time zone
        that this machine does not know: one such task is no reason to do without the others.
        """
        task_id, epoch = row[0], row[-1]
        kept = self._records.get(task_id)
        if kept is None or kept.epoch != epoch:  # the same epoch: the same declaration
            if spec_text is None:
                found = self._rows("SELECT spec FROM specs WHERE task_id = ?", (task_id,))
                if not found:
                    return None  # removed between the two looks
                spec_text = found[0][0]
            try:
                spec = TaskSpec.from_json(json.loads(spec_text))
            except (KeyError, TypeError, ValueError) as error:
                self._log.error("Task %s of %s cannot be read: %r", task_id, self.path, error)
                return None
            if kept is None:
                kept = self._records[task_id] = KeptTask(task_id, spec, None)
            kept.spec = spec
        kept.take(row)
        return kept

    def _read_row(self, task_id: int) -> KeptTask | None:
        rows = self._rows(_ROW, (task_id,))
        return self._read(rows[0]) if rows else None

    def _mark(
        self, writing: Writing, kept: KeptTask, revision: int, epoch: int | None = None
    ) -> None:
        """Note a change by this engine of a row that had a revision until now.

        If that one had not been told, neither is it now: `changes` will read the row and tell it.
        """
        if kept.told == revision:

            def tell() -> None:
                kept.revision = kept.told = writing.revision
                if epoch is not None:
                    kept.epoch = epoch

            writing.then(tell)
