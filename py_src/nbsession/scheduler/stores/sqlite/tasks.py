"""Tasks in a SQLite database."""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nbsession.core.errors import TaskExistsError
from nbsession.core.tasks.spec import TaskSpec

from .database import Transaction
from .schema import TASK_COLUMNS, SqliteTask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from logging import Logger
    from pathlib import Path

    from nbsession.core.schedule.clock import Clock
    from nbsession.scheduler.records import TaskRecord

    from .database import StoreConnection

PRUNE_AT_ONCE = 1_000
"""Rows of each kind: up to some 20 ms of a server's event loop."""

_ROW = f"SELECT {TASK_COLUMNS} FROM tasks WHERE id = ?"  # noqa: S608 - constants


class SqliteRecords:
    """The records that the rows of an open database were read into, for the parts of its store.

    Each task has one record as long as the store is open, so that what a run's end counts reaches
    whoever holds the task.
    """

    def __init__(
        self,
        path: Path,
        log: Logger,
        connect: Callable[[], StoreConnection],
        check_files: Callable[[], None],
    ) -> None:
        self._path = path
        self._log = log
        self._connect = connect
        self._check_files = check_files
        self.tasks: dict[int, SqliteTask] = {}
        self.engine_id = 0  # none is open yet
        self.has_own_changes = False  # of which this engine does not know
        self.is_another_database = False  # than the one that the engine knows

    def transaction(self) -> Transaction:
        """Return a transaction that writes."""
        return Transaction(self._connect(), self._path, self._check_files)

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return what a statement finds."""
        connection = self._connect()
        try:
            return connection.execute(statement, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise connection.failed(error, self._path) from error

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Let what is read inside be of one moment."""
        self.rows("BEGIN")
        try:
            yield
        finally:
            self.rows("ROLLBACK")

    def read(self, task_id: int) -> SqliteTask | None:
        """Return a record, read again; None if the task was removed, or as `update`."""
        rows = self.rows(_ROW, (task_id,))
        return self.update(rows[0]) if rows else None

    def update(self, row: Sequence[Any], spec_text: str | None = None) -> SqliteTask | None:
        """Return the record of a row of `TASK_COLUMNS`, brought up to date.

        None, and a line in the log, if what was declared means nothing here, as with a time zone
        that this machine does not know: one such task is no reason to do without the others.
        """
        task_id, epoch = row[0], row[-1]
        task = self.tasks.get(task_id)
        if task is None or task.epoch != epoch:  # the same epoch: the same declaration
            if spec_text is None:
                found = self.rows("SELECT spec FROM specs WHERE task_id = ?", (task_id,))
                if not found:
                    return None  # removed between the two looks
                spec_text = found[0][0]
            try:
                spec = TaskSpec.from_json(json.loads(spec_text))
            except (KeyError, TypeError, ValueError) as error:
                self._log.error("Task %s of %s cannot be read: %r", task_id, self._path, error)
                return None
            if task is None:
                task = self.tasks[task_id] = SqliteTask(task_id, spec, None)
            task.spec = spec
        task.update(row)
        return task

    def note_change(
        self,
        transaction: Transaction,
        task: SqliteTask,
        revision: int,
        epoch: int | None = None,
    ) -> None:
        """Note a change by this engine of a row that had a revision until now.

        If the engine did not know that one, it does not know the new one: `changes` reads the row.
        """
        if task.seen_revision == revision:

            def note() -> None:
                task.revision = task.seen_revision = transaction.revision
                if epoch is not None:
                    task.epoch = epoch

            transaction.on_commit(note)


_IDLE = """
    SELECT id, ending, idle_since_us, EXISTS (SELECT 1 FROM runs WHERE task_id = tasks.id)
    FROM tasks WHERE due_us IS NULL AND asks = 0 AND paused = 0 AND open_runs = 0
"""
_IDLE_SINCE = "UPDATE tasks SET idle_since_us = ? WHERE id = ?"


class SqliteTasks:
    """A `TaskStore`."""

    def __init__(self, records: SqliteRecords, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._seen_version = 0  # of the database
        self._seen_revision = 0

    def load(self) -> list[TaskRecord]:
        records = self._records
        records.tasks.clear()
        self._seen_version = self._version()
        with records.reading():
            self._seen_revision = self._revision()
            rows = records.rows(
                f"SELECT {TASK_COLUMNS}, spec FROM tasks JOIN specs ON task_id = id"  # noqa: S608 - columns are this package's own
            )
        tasks: list[TaskRecord] = []
        for *row, spec_text in rows:
            if task := records.update(row, spec_text):
                task.seen_revision = task.revision
                task.untrimmed = 1  # engines that were killed may have left rows
                tasks.append(task)
        return tasks

    def changes(self) -> tuple[list[TaskRecord], list[int]] | None:
        records = self._records
        if records.is_another_database:
            return self._all_changes()
        version = self._version()
        if version == self._seen_version and not records.has_own_changes:
            return None
        with records.reading():
            seen = self._revision()
            since = (self._seen_revision,)
            revisions = records.rows("SELECT id, revision FROM tasks WHERE revision > ?", since)
            gone = records.rows("SELECT task_id FROM removed WHERE revision > ?", since)
            changed = [
                task
                for task_id, revision in revisions
                if not self._is_seen(task_id, revision) and (task := records.read(task_id))
            ]
        for task in changed:
            task.seen_revision = task.revision
        removed = [task_id for (task_id,) in gone if records.tasks.pop(task_id, None)]
        self._seen_version, self._seen_revision = version, seen
        records.has_own_changes = False
        return (list(changed), removed) if changed or removed else None

    def _all_changes(self) -> tuple[list[TaskRecord], list[int]]:
        """Return the tasks of another database, and the ids of those that it does not have."""
        records = self._records
        version = self._version()
        with records.reading():
            seen = self._revision()
            names = dict(records.rows("SELECT id, name FROM tasks"))
            known = records.tasks.values()
            removed = [task.id for task in known if names.get(task.id) != task.spec.name]
            for task_id in removed:
                del records.tasks[task_id]
            for other in known:
                other.epoch = -1  # its declaration is another one's too: read it
            changed = [task for task_id in names if (task := records.read(task_id))]
        for task in changed:
            task.seen_revision, task.untrimmed = task.revision, 1
        self._seen_version, self._seen_revision = version, seen
        records.has_own_changes = records.is_another_database = False
        return list(changed), removed

    def get(self, task_id: int) -> TaskRecord | None:
        return self._records.read(task_id)

    def add(self, spec: TaskSpec, due_us: int | None, *, asks: bool) -> TaskRecord:
        text = json.dumps(spec.to_json())
        with self._records.transaction() as transaction:
            at, task_id = transaction.revision, transaction.next_id()
            row = (task_id, spec.name, due_us, asks, at, at)
            try:
                transaction.execute(
                    "INSERT INTO tasks (id, name, due_us, paused, asks, epoch, revision)"
                    " VALUES (?, ?, ?, 0, ?, ?, ?)",
                    row,
                )
            except sqlite3.IntegrityError:
                raise TaskExistsError(f"a task named {spec.name!r} is there already") from None
            transaction.execute("INSERT INTO specs (task_id, spec) VALUES (?, ?)", (task_id, text))
        task = SqliteTask(task_id, spec, due_us, asks=asks, revision=at, epoch=at, seen_revision=at)
        self._records.tasks[task_id] = task
        return task

    def replace(self, task: TaskRecord, spec: TaskSpec, due_us: int | None, *, asks: bool) -> bool:
        text = json.dumps(spec.to_json())
        with self._records.transaction() as transaction:
            if not self._set(
                transaction,
                task,
                "name = ?, due_us = ?, asks = ?, ended_by = NULL, epoch = ?",
                (spec.name, due_us, asks, transaction.revision),
                epoch=transaction.revision,
            ):
                return False
            transaction.execute("UPDATE specs SET spec = ? WHERE task_id = ?", (text, task.id))
        task.spec, task.due_us, task.asks, task.ended_by = spec, due_us, asks, None
        return True

    def pause(self, task: TaskRecord, *, paused: bool, due_us: int | None, asks: bool) -> None:
        with self._records.transaction() as transaction:
            self._set(
                transaction,
                task,
                "paused = ?, due_us = ?, asks = ?, epoch = ?",
                (paused, due_us, asks, transaction.revision),
                epoch=transaction.revision,
            )
        task.paused, task.due_us, task.asks = paused, due_us, asks

    def end(self, task: TaskRecord) -> None:
        with self._records.transaction() as transaction:
            self._set(transaction, task, "ending = ?", (True,))
        task.ending = True

    def remove(self, task: TaskRecord) -> None:
        with self._records.transaction() as transaction:
            self._remove(transaction, task.id)

    def remove_named(self, name: str) -> bool:
        with self._records.transaction() as transaction:
            found = transaction.row("SELECT id FROM tasks WHERE name = ? AND ending = 0", (name,))
            if found is not None:
                self._remove(transaction, found[0])
        return found is not None

    def set_due(self, task: TaskRecord, due_us: int | None, error: str | None) -> bool:
        known = self._records.tasks.get(task.id)
        if known is None:
            return False
        with self._records.transaction() as transaction:
            row = transaction.row("SELECT due_us, epoch FROM tasks WHERE id = ?", (task.id,))
            if row != (task.due_us, known.epoch):
                return False
            # An answer goes on from the last occurrence; a moved grid may pass the same instants
            # once more, as others.
            epoch = known.epoch if known.due_us is None else transaction.revision
            self._set(
                transaction,
                task,
                "due_us = ?, asks = 0, ended_by = ?, epoch = ?",
                (due_us, error, epoch),
                epoch=epoch,
            )
        task.due_us, task.asks, task.ended_by = due_us, False, error
        return True

    def prune(self, transaction: Transaction, oldest_us: int | None) -> tuple[list[int], bool]:
        """Remove finished tasks; return their ids, and whether there may be more."""
        now_us, left = self._clock.now_us(), PRUNE_AT_ONCE
        removed: list[int] = []
        for task_id, ending, idle_since_us, has_rows in transaction.execute(_IDLE).fetchall():
            is_old = oldest_us is not None and (idle_since_us or now_us) < oldest_us
            if ending or (is_old and not has_rows):
                self._remove(transaction, task_id)
                removed.append(task_id)
            elif idle_since_us is None:
                transaction.execute(_IDLE_SINCE, (now_us, task_id))
            else:
                continue
            left -= 1
            if not left:
                return removed, True
        return removed, False

    def _set(
        self,
        transaction: Transaction,
        task: TaskRecord,
        columns: str,
        values: Sequence[Any],
        *,
        epoch: int | None = None,
    ) -> bool:
        """Change a task's row, of which `epoch` is a column; return whether it is there."""
        found = transaction.row("SELECT revision FROM tasks WHERE id = ?", (task.id,))
        if found is None:
            return False
        if epoch is not None and epoch == transaction.revision:
            columns += ", covered_us = NULL"
        transaction.execute(
            f"UPDATE tasks SET {columns}, idle_since_us = NULL, revision = ? WHERE id = ?",  # noqa: S608 - columns are this class's own
            (*values, transaction.revision, task.id),
        )
        if known := self._records.tasks.get(task.id):
            self._records.note_change(transaction, known, found[0], epoch)
        return True

    def _remove(self, transaction: Transaction, task_id: int) -> None:
        if transaction.execute("DELETE FROM tasks WHERE id = ?", (task_id,)).rowcount:
            transaction.execute("DELETE FROM specs WHERE task_id = ?", (task_id,))
            transaction.execute(
                "INSERT INTO removed (revision, task_id, removed_us) VALUES (?, ?, ?)",
                (transaction.next_id(), task_id, self._clock.now_us()),
            )
        transaction.on_commit(lambda: self._records.tasks.pop(task_id, None))

    def _is_seen(self, task_id: int, revision: int) -> bool:
        task = self._records.tasks.get(task_id)
        return task is not None and task.seen_revision == revision

    def _version(self) -> int:
        version: int = self._records.rows("PRAGMA data_version")[0][0]
        return version

    def _revision(self) -> int:
        revision: int = self._records.rows("SELECT value FROM serial")[0][0]
        return revision
