"""Tasks in a SQLite database."""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nbsession.core.errors import StoreError, TaskExistsError
from nbsession.core.tasks.spec import TaskSpec
from nbsession.scheduler.abc import HistoryLimits

from .database import StoreConnection, Writing
from .schema import TASK_COLUMNS, KeptTask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from logging import Logger
    from pathlib import Path

    from nbsession.core.schedule.clock import Clock
    from nbsession.scheduler.records import TaskRecord

    from .recovery import DatabaseFiles

_ROW = f"SELECT {TASK_COLUMNS} FROM tasks WHERE id = ?"  # noqa: S608 - constants


class SqliteRecords:
    """A connection, the records that its rows were read into, and what tells them apart.

    Each task has one record as long as the store is open, so that what a run's end counts reaches
    whoever holds the task.
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


_IS_AT = "SELECT revision FROM tasks WHERE id = ?"


class SqliteTasks(SqliteRecords):
    """The part of a SQLite store that keeps what is declared of tasks; see `Store`."""

    def load(self) -> list[TaskRecord]:
        """Return every task."""
        self._records.clear()
        self._seen_version = self._version()
        with self._reading():
            self._seen_revision = self._rows("SELECT value FROM serial")[0][0]
            rows = self._rows(f"SELECT {TASK_COLUMNS}, spec FROM tasks JOIN specs ON task_id = id")  # noqa: S608 - columns are this package's own
        tasks: list[TaskRecord] = []
        for *row, spec_text in rows:
            if kept := self._read(row, spec_text):
                kept.told = kept.revision
                kept.grown = 1  # nobody knows what engines have left that were killed
                tasks.append(kept)
        return tasks

    def changes(self) -> tuple[list[TaskRecord], list[int]] | None:
        """Return tasks that others have changed since the last call, and ids they have removed.

        None if nothing at all has changed, which is cheap to find out.
        """
        if self._is_another:
            return self._all_changes()
        version = self._version()
        if version == self._seen_version and not self._must_look:
            return None
        with self._reading():
            seen = self._rows("SELECT value FROM serial")[0][0]
            since = (self._seen_revision,)
            revisions = self._rows("SELECT id, revision FROM tasks WHERE revision > ?", since)
            gone = self._rows("SELECT task_id FROM removed WHERE revision > ?", since)
            changed = [
                kept
                for task_id, revision in revisions
                if not self._is_told(task_id, revision) and (kept := self._read_row(task_id))
            ]
        for kept in changed:
            kept.told = kept.revision
        removed = [task_id for (task_id,) in gone if self._records.pop(task_id, None)]
        self._seen_version, self._seen_revision, self._must_look = version, seen, False
        return (list(changed), removed) if changed or removed else None

    def _all_changes(self) -> tuple[list[TaskRecord], list[int]]:
        """Return what another database has, and the ids of what it does not have."""
        version = self._version()
        with self._reading():
            seen = self._rows("SELECT value FROM serial")[0][0]
            names = dict(self._rows("SELECT id, name FROM tasks"))
            removed = [
                known.id
                for known in self._records.values()
                if names.get(known.id) != known.spec.name
            ]
            for task_id in removed:
                del self._records[task_id]
            for known in self._records.values():
                known.epoch = -1  # its declaration is another one's too: read it
            changed = [kept for task_id in names if (kept := self._read_row(task_id))]
        for kept in changed:
            kept.told, kept.grown = kept.revision, 1
        self._seen_version, self._seen_revision = version, seen
        self._must_look = self._is_another = False
        return list(changed), removed

    def read(self, task_id: int) -> TaskRecord | None:
        """Return a task as it is now; None if it has gone."""
        return self._read_row(task_id)

    def add(self, spec: TaskSpec, due_us: int | None, *, asks: bool) -> TaskRecord:
        """Add a task. Raises `TaskExistsError` if another one holds the name."""
        text = json.dumps(spec.to_json())
        with self._writing() as writing:
            at, task_id = writing.revision, writing.next_id()
            row = (task_id, spec.name, due_us, asks, at, at)
            try:
                writing.execute(
                    "INSERT INTO tasks (id, name, due_us, paused, asks, epoch, revision)"
                    " VALUES (?, ?, ?, 0, ?, ?, ?)",
                    row,
                )
            except sqlite3.IntegrityError:
                raise TaskExistsError(f"a task named {spec.name!r} is there already") from None
            writing.execute("INSERT INTO specs (task_id, spec) VALUES (?, ?)", (task_id, text))
        kept = KeptTask(task_id, spec, due_us, asks=asks, revision=at, epoch=at, told=at)
        self._records[task_id] = kept
        return kept

    def replace(self, task: TaskRecord, spec: TaskSpec, due_us: int | None, *, asks: bool) -> bool:
        """Declare a task anew; its id, history, counts and pause stay. False if it has gone."""
        text = json.dumps(spec.to_json())
        with self._writing() as writing:
            if not self._set(
                writing,
                task,
                "name = ?, due_us = ?, asks = ?, ended_by = NULL, epoch = ?",
                (spec.name, due_us, asks, writing.revision),
                epoch=writing.revision,
            ):
                return False
            writing.execute("UPDATE specs SET spec = ? WHERE task_id = ?", (text, task.id))
        task.spec, task.due_us, task.asks, task.ended_by = spec, due_us, asks, None
        return True

    def pause(self, task: TaskRecord, *, paused: bool, due_us: int | None, asks: bool) -> None:
        """Pause or resume a task, and set its next occurrence."""
        with self._writing() as writing:
            self._set(
                writing,
                task,
                "paused = ?, due_us = ?, asks = ?, epoch = ?",
                (paused, due_us, asks, writing.revision),
                epoch=writing.revision,
            )
        task.paused, task.due_us, task.asks = paused, due_us, asks

    def end(self, task: TaskRecord) -> None:
        """Free the name at once; the task goes with its next occurrence."""
        with self._writing() as writing:
            self._set(writing, task, "ending = ?", (True,))
        task.ending = True

    def remove(self, task: TaskRecord) -> None:
        """Remove a task; its rows stay until they are pruned."""
        with self._writing() as writing:
            self._remove(writing, task.id)

    def remove_named(self, name: str) -> bool:
        """Remove the task that holds a name, also one whose row means nothing here."""
        with self._writing() as writing:
            found = writing.row("SELECT id FROM tasks WHERE name = ? AND ending = 0", (name,))
            if found is not None:
                self._remove(writing, found[0])
        return found is not None

    def set_due(self, task: TaskRecord, due_us: int | None, error: str | None) -> bool:
        """Set the occurrence that a trigger's code has answered, or a moved grid.

        False if the task has changed meanwhile: read it again.
        """
        kept = self._kept(task)
        if kept is None:
            return False
        with self._writing() as writing:
            row = writing.row("SELECT due_us, epoch FROM tasks WHERE id = ?", (task.id,))
            if row != (task.due_us, kept.epoch):
                return False
            # An answer goes on from the last occurrence; a moved grid may pass the same instants
            # once more, as others.
            epoch = kept.epoch if kept.due_us is None else writing.revision
            self._set(
                writing,
                task,
                "due_us = ?, asks = 0, ended_by = ?, epoch = ?",
                (due_us, error, epoch),
                epoch=epoch,
            )
        task.due_us, task.asks, task.ended_by = due_us, False, error
        return True

    def _set(
        self,
        writing: Writing,
        task: TaskRecord,
        columns: str,
        values: Sequence[Any],
        *,
        epoch: int | None = None,
    ) -> bool:
        """Change a task's row, of which `epoch` is a column; return whether it is there."""
        found = writing.row(_IS_AT, (task.id,))
        if found is None:
            return False
        if epoch is not None and epoch == writing.revision:
            columns += ", covered_us = NULL"
        writing.execute(
            f"UPDATE tasks SET {columns}, idle_since_us = NULL, revision = ? WHERE id = ?",  # noqa: S608 - columns are this class's own
            (*values, writing.revision, task.id),
        )
        if kept := self._kept(task):
            self._mark(writing, kept, found[0], epoch)
        return True

    def _remove(self, writing: Writing, task_id: int) -> None:
        if writing.execute("DELETE FROM tasks WHERE id = ?", (task_id,)).rowcount:
            writing.execute("DELETE FROM specs WHERE task_id = ?", (task_id,))
            writing.execute(
                "INSERT INTO removed (revision, task_id, removed_us) VALUES (?, ?, ?)",
                (writing.next_id(), task_id, self._clock.now_us()),
            )
        writing.then(lambda: self._records.pop(task_id, None))

    def _is_told(self, task_id: int, revision: int) -> bool:
        kept = self._records.get(task_id)
        return kept is not None and kept.told == revision

    def _version(self) -> int:
        version: int = self._rows("PRAGMA data_version")[0][0]
        return version
