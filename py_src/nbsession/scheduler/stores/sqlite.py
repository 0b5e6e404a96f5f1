"""Tasks and runs in a SQLite database: they outlive the server, and servers may share them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbsession.core.errors import StoreError

from .file_system import file_system_kind, is_network
from .host_claim import HostClaim, OtherHostError
from .placing import make_place
from .sqlite_claims import SqliteClaims
from .sqlite_engines import SqliteEngines
from .sqlite_opening import open_database

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from logging import Logger
    from pathlib import Path

    from nbsession.core.clock import Clock
    from nbsession.core.run import Run
    from nbsession.scheduler.abc import HistoryLimits

    from .sqlite_use import Use


class SqliteStore(SqliteClaims, SqliteEngines):
    """A `Store` in one file, for any number of engines of one machine.

    A database that is damaged, or of a newer nbsession, is renamed, never deleted, and a new one
    begun; unless a server that still runs is using it. On a network file system SQLite's journal
    is used, which needs no shared memory, and only by one machine at a time.

    Parameters
    ----------
    path
        The file; made for its owner alone, with its folder, if it is not there.
    clock
        By which engines live and rows grow old.
    log
        Is told of what was set aside, and of what cannot be read.
    limits
        How much of the past is kept.
    kind_of_file_system
        Tells the name of a folder's, as mounts have it.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        log: Logger,
        limits: HistoryLimits | None = None,
        *,
        kind_of_file_system: Callable[[Path], str] = file_system_kind,
    ) -> None:
        super().__init__(path, clock, log, limits)
        self._kind_of_file_system = kind_of_file_system
        self._use: Use | None = None
        self._host: HostClaim | None = None

    def open(self) -> None:
        """Make it ready; note that this engine lives; mark the runs of dead engines lost.

        May take some seconds if other servers begin at the same time.
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
        if self._connection is None and self._host is None:
            return
        try:
            if self._leave() and self._host is not None:
                self._host.give_up()
        except StoreError as error:  # then others will, as the process is gone
            self._log.warning("%s", error)
        finally:
            self._let_go()
            self._host = None

    def _open_connection(self) -> sqlite3.Connection:
        # Here, not in `beat`: an engine that has something to write does that first.
        if self._connection is None and self._host is not None:
            self._host.renew()
            self._connect()
            self._must_look = True  # the new connection has not seen what others have done
            # The other machine has taken this engine for dead: no run before it lives again.
            super().beat()
        return super()._open_connection()

    def _connect(self) -> None:
        self._connection, self._use = open_database(
            self.path,
            is_network=self._host is not None,
            now_us=self._clock.now_us(),
            log=self._log,
        )

    def _let_go(self) -> None:
        connection, use = self._connection, self._use
        self._connection = self._use = None
        if connection is not None:
            connection.close()
        if use is not None:
            use.close()
