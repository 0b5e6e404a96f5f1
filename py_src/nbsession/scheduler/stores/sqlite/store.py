"""Tasks and runs in a SQLite database, which outlives the server, and which servers may share."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

from nbsession.core.errors import StoreBusyError, StoreError
from nbsession.scheduler.abc import HistoryLimits

from .database import open_database
from .engines import SqliteEngines
from .files import (
    DatabaseFiles,
    HostClaim,
    OtherHostError,
    file_system_kind,
    is_network,
    make_place,
)
from .runs import SqliteRuns
from .tasks import SqliteRecords, SqliteTasks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from logging import Logger
    from pathlib import Path

    from nbsession.core.schedule.clock import Clock
    from nbsession.core.tasks.run import Run

    from .database import StoreConnection
    from .files import DatabaseLock

_CLOSE_MS = 100
_FOLLOW_SECONDS = 15.0  # between tries to write a file where that cannot be done
_SERIAL = "SELECT value FROM serial"
_ENGINE = "SELECT * FROM engines WHERE id = ?"


class SqliteStore:
    """A `Store` in one file, for any number of engines of one machine.

    A database that is damaged, or of a newer nbsession, is renamed, never deleted, and a new one
    begun; unless a server that still runs is using it. On a network file system SQLite's journal
    is used, which needs no shared memory, and only by one machine at a time.
    """

    shared = True

    def __init__(  # noqa: PLR0913 - the last two say how to open it
        self,
        path: Path,
        clock: Clock,
        log: Logger,
        limits: HistoryLimits | None = None,
        *,
        kind_of_file_system: Callable[[Path], str] = file_system_kind,
        waits: bool = True,
    ) -> None:
        self.path = path
        self.limits = limits or HistoryLimits()
        self._clock = clock
        self._log = log
        self._waits = waits
        self._kind_of_file_system = kind_of_file_system
        self._records = SqliteRecords(path, log, self._open_connection, self._check_files)
        self.tasks = SqliteTasks(self._records, clock)
        self.runs = SqliteRuns(self._records, clock, self.limits)
        self.engines = SqliteEngines(self._records, self.runs, clock)
        self._connection: StoreConnection | None = None
        self._files: DatabaseFiles | None = None
        self._lock: DatabaseLock | None = None
        self._host: HostClaim | None = None
        self._must_beat = False  # before anything else is written
        self._before: tuple[int, Any] = 0, None  # of the files that were in place before
        self._next_follow = 0.0  # in the clock's monotonic seconds
        self.file_notice: dict[str, Any] | None = None

    def open(self) -> None:
        make_place(self.path)
        try:
            if is_network(self._kind_of_file_system(self.path.parent)):
                self._host = HostClaim(self.path, self.engines.process.host)
                self._host.renew()
            self._connect(waits=self._waits)
            self.beat()
        except BaseException:
            self._release()
            self._host = None
            raise

    def follow_file(self) -> bool:
        files, now = self._files, self._clock.monotonic()
        if files is None:
            return False
        if self._connection is not None and (
            files.are_in_place or (now < self._next_follow and files.are_accepted)
        ):
            return False
        try:
            self._follow(files)
        except StoreBusyError:
            raise
        except StoreError as error:
            # What is open is used on: better than nothing while this server runs.
            files.accept()
            self._next_follow = now + _FOLLOW_SECONDS
            self._notice(
                f"{self.path} was deleted or replaced, and cannot be opened again ({error}); until "
                "it can, what is scheduled is lost when this server ends",
            )
            return False
        return True

    def beat(self) -> list[Run]:
        if self._host is not None:
            try:
                self._host.renew()
            except OtherHostError:
                self._release()  # not a row more: two machines would spoil the file
                raise
        return self.engines.beat()

    def close(self) -> None:
        if self._files is None and self._host is None:
            return
        try:
            self.follow_file()
            self._records.rows(f"PRAGMA busy_timeout = {_CLOSE_MS}")
            if self.engines.leave() and self._host is not None:
                self._host.give_up()
        except StoreError as error:  # then others will, as the process is gone
            self._log.warning("%s", error)
        finally:
            self._release()
            self._host = None

    def prune(self) -> tuple[list[int], bool]:
        oldest_us = self.limits.oldest_us(self._clock.now_us())
        with self._records.transaction() as transaction:
            are_more_rows = self.runs.prune(transaction, oldest_us)
            removed, are_more_tasks = self.tasks.prune(transaction, oldest_us)
        return removed, are_more_rows or are_more_tasks

    def _open_connection(self) -> StoreConnection:
        # Here, not in `beat`: an engine that has something to write does that first.
        if self._connection is None and self._host is not None:
            self._host.renew()
            self._connect(waits=self._waits)
            self._records.has_own_changes = (
                True  # the new connection has not seen what others have done
            )
            # The other machine has taken this engine for dead: no run before it lives again.
            self.engines.beat()
        if self._must_beat:
            self._must_beat = False
            try:
                self.engines.beat()
            except BaseException:
                self._must_beat = True
                raise
        if self._connection is None:
            raise StoreError(f"the store of tasks {self.path} is closed")
        return self._connection

    def _check_files(self) -> None:
        if self._files is not None:
            self._files.check()

    def _connect(
        self, *, waits: bool, before: Callable[[], object] | None = None
    ) -> StoreConnection:
        connection, lock = open_database(
            self.path,
            is_network=self._host is not None,
            now_us=self._clock.now_us(),
            log=self._log,
            waits=waits,
            before=before,
        )
        if self._connection is not None:
            self._connection.close()
        self._connection, self._lock, self._files = connection, lock, DatabaseFiles(self.path)
        return connection

    def _follow(self, files: DatabaseFiles) -> None:
        if self._lock is not None:  # so that others can do what must be done alone
            self._lock.close()
            self._lock = None
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._before = self._own_state(self._connection)

        def write_again() -> None:
            old = self._connection
            if old is not None and files.write_again(old):
                self._connection = None
                old.close()

        connection = self._connect(waits=False, before=write_again)
        self._next_follow, self._must_beat = 0.0, False
        if self._has_all_of_ours(connection):
            self._records.has_own_changes = True
            self._notice(
                f"{self.path} was deleted while in use: a copy is there now, with all tasks"
            )
        else:
            self.engines.forget()
            self._records.is_another_database = True
            names = {
                name for (name,) in self._records.rows("SELECT name FROM tasks WHERE ending = 0")
            }
            missing = sorted(
                task.spec.name
                for task in self._records.tasks.values()
                if not task.ending and task.spec.name not in names
            )
            self._notice(
                f"{self.path} was replaced while in use: the database that is there now counts",
                missing,
            )
        self._must_beat = True

    def _has_all_of_ours(self, connection: sqlite3.Connection) -> bool:
        """Return whether the database is a copy of the one that was open before."""
        serial, engine = self._own_state(connection)
        last_serial, last_engine = self._before
        return engine is not None and engine == last_engine and serial >= last_serial

    def _own_state(self, connection: sqlite3.Connection) -> tuple[int, Any]:
        """Return what only this engine writes to a database, and how far it has come."""
        engine = connection.execute(_ENGINE, (self._records.engine_id,)).fetchone()
        return connection.execute(_SERIAL).fetchone()[0], engine

    def _notice(self, message: str, missing: Sequence[str] = ()) -> None:
        if self.file_notice is not None and self.file_notice["message"] == message and not missing:
            return
        self.file_notice = {"message": message, "missing": list(missing)}
        names = ", ".join(map(repr, missing))
        self._log.warning("%s%s", message, f"; missing from it: {names}" if missing else "")

    def _release(self) -> None:
        connection, lock = self._connection, self._lock
        self._connection = self._lock = self._files = None
        if connection is not None:
            connection.close()
        if lock is not None:
            lock.close()
