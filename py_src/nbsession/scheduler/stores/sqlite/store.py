"""Tasks and runs in a SQLite database: they outlive the server, and servers may share them."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

from nbsession.core.errors import StoreBusyError, StoreError

from .database import open_database
from .engines import SqliteEngines
from .files import HostClaim, OtherHostError, file_system_kind, is_network, make_place
from .recovery import DatabaseFiles
from .runs import SqliteClaims

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from logging import Logger
    from pathlib import Path

    from nbsession.core.schedule.clock import Clock
    from nbsession.core.tasks.run import Run
    from nbsession.scheduler.abc import HistoryLimits

    from .database import StoreConnection
    from .files import Use


_CLOSE_MS = 100
_FOLLOW_SECONDS = 15.0  # between tries to write a file where that cannot be done
_SERIAL = "SELECT value FROM serial"
_ENGINE = "SELECT * FROM engines WHERE id = ?"


class SqliteStore(SqliteClaims, SqliteEngines):
    """A `Store` in one file, for any number of engines of one machine.

    A database that is damaged, or of a newer nbsession, is renamed, never deleted, and a new one
    begun; unless a server that still runs is using it. On a network file system SQLite's journal
    is used, which needs no shared memory, and only by one machine at a time.
    """

    def __init__(  # noqa: PLR0913 - the last two say how to open it
        self,
        path: Path,
        clock: Clock,
        log: Logger,
        limits: HistoryLimits | None = None,
        *,
        kind_of_file_system: Callable[[Path], str] = file_system_kind,
        is_patient: bool = True,
    ) -> None:
        super().__init__(path, clock, log, limits)
        self._is_patient = is_patient
        self._kind_of_file_system = kind_of_file_system
        self._use: Use | None = None
        self._host: HostClaim | None = None
        self._is_unknown = False  # whether this engine has yet to say that it lives
        self._before: tuple[int, Any] = 0, None  # of the files that were in place before
        self._next_follow = 0.0  # in the clock's monotonic seconds
        self.file_notice: dict[str, Any] | None = None

    def open(self) -> None:
        """Make it ready; note that this engine lives; mark the runs of dead engines lost.

        May take some seconds if other servers begin at the same time, and it is patient.
        """
        make_place(self.path)
        try:
            if is_network(self._kind_of_file_system(self.path.parent)):
                self._host = HostClaim(self.path, self._process.host)
                self._host.renew()
            self._connect()
            self.beat()
        except BaseException:
            self._let_go()
            self._host = None
            raise

    def follow_file(self) -> bool:
        """Open what is in the file's place now, if it was deleted or replaced while in use.

        A file that was deleted is written again from what is open; another database that was put
        in its place is the truth from then on. Return whether that happened: `changes` tells what
        is different.
        """
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
        """Note that this engine lives; return the runs of others that it has marked lost."""
        if self._host is not None:
            try:
                self._host.renew()
            except OtherHostError:
                self._let_go()  # not a row more: two machines would spoil the file
                raise
        return super().beat()

    def close(self) -> None:
        """Mark what this engine still runs as lost, and let go of everything."""
        if self._files is None and self._host is None:
            return
        try:
            self.follow_file()
            self._rows(f"PRAGMA busy_timeout = {_CLOSE_MS}")
            if self._leave() and self._host is not None:
                self._host.give_up()
        except StoreError as error:  # then others will, as the process is gone
            self._log.warning("%s", error)
        finally:
            self._let_go()
            self._host = None

    def _open_connection(self) -> StoreConnection:
        # Here, not in `beat`: an engine that has something to write does that first.
        if self._connection is None and self._host is not None:
            self._host.renew()
            self._connect()
            self._must_look = True  # the new connection has not seen what others have done
            # The other machine has taken this engine for dead: no run before it lives again.
            super().beat()
        if self._is_unknown:
            self._is_unknown = False
            try:
                super().beat()
            except BaseException:
                self._is_unknown = True
                raise
        return super()._open_connection()

    def _connect(self) -> None:
        self._connection, self._use = open_database(
            self.path,
            is_network=self._host is not None,
            now_us=self._clock.now_us(),
            log=self._log,
            is_patient=self._is_patient,
        )
        self._files = DatabaseFiles(self.path)

    def _follow(self, files: DatabaseFiles) -> None:
        if self._use is not None:  # so that others can do what must be done alone
            self._use.close()
            self._use = None
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._before = self._own_state(self._connection)

        def begin() -> None:
            old = self._connection
            if old is not None and files.write_again(old):
                self._connection = None
                old.close()

        connection, use = open_database(
            self.path,
            is_network=self._host is not None,
            now_us=self._clock.now_us(),
            log=self._log,
            is_patient=False,
            begin=begin,
        )
        if self._connection is not None:
            self._connection.close()
        self._connection, self._use, self._files = connection, use, DatabaseFiles(self.path)
        self._next_follow, self._is_unknown = 0.0, False
        if self._has_all_of_ours(connection):
            self._must_look = True
            self._notice(
                f"{self.path} was deleted while in use: a copy is there now, with all tasks"
            )
        else:
            self._engine_id, self._is_another, self._heard = 0, True, {}
            names = {name for (name,) in self._rows("SELECT name FROM tasks WHERE ending = 0")}
            missing = sorted(
                kept.spec.name
                for kept in self._records.values()
                if not kept.ending and kept.spec.name not in names
            )
            self._notice(
                f"{self.path} was replaced while in use: the database that is there now counts",
                missing,
            )
        self._is_unknown = True

    def _has_all_of_ours(self, connection: sqlite3.Connection) -> bool:
        """Return whether the database is a copy of the one that was open before."""
        serial, engine = self._own_state(connection)
        last_serial, last_engine = self._before
        return engine is not None and engine == last_engine and serial >= last_serial

    def _own_state(self, connection: sqlite3.Connection) -> tuple[int, Any]:
        """Return what only this engine writes to a database, and how far it has come."""
        engine = connection.execute(_ENGINE, (self._engine_id,)).fetchone()
        return connection.execute(_SERIAL).fetchone()[0], engine

    def _notice(self, message: str, missing: Sequence[str] = ()) -> None:
        if self.file_notice is not None and self.file_notice["message"] == message and not missing:
            return
        self.file_notice = {"message": message, "missing": list(missing)}
        names = ", ".join(map(repr, missing))
        self._log.warning("%s%s", message, f"; missing from it: {names}" if missing else "")

    def _let_go(self) -> None:
        connection, use = self._connection, self._use
        self._connection = self._use = self._files = None
        if connection is not None:
            connection.close()
        if use is not None:
            use.close()
