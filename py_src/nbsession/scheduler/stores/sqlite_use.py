"""Who uses a database's file: many servers at a time, or one that must change the file itself."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from nbsession.core.errors import StoreError

from .placing import make_place
from .sqlite_errors import store_error

_SHARE_MS = 5_000  # others may be bringing the database up to date
_ALONE_MS = 1_000  # others only look at it, or will not give it up anyway


class Use:
    """A lock beside a database, which every server holds as long as it uses it.

    It is SQLite's own lock on an empty file: it works on every system, and goes with its process.

    Parameters
    ----------
    database
        The database's path.
    is_patient
        Whether to wait for others, which blocks the event loop.

    Raises
    ------
    StoreError
        If the lock's file cannot be made, or another server keeps it to itself.
    """

    def __init__(self, database: Path, *, is_patient: bool = True) -> None:
        self._database = database
        self._is_patient = is_patient
        self._path = Path(f"{database}-use")
        make_place(self._path)
        self._connection = sqlite3.connect(self._path, isolation_level=None)
        try:
            self.share()
        except BaseException:
            self.close()
            raise

    def share(self) -> None:
        """Use the database beside others."""
        try:
            self._let_go(_SHARE_MS)
            self._connection.execute("BEGIN")
            self._connection.execute("SELECT 1 FROM sqlite_master").fetchall()  # takes the lock
        except sqlite3.Error as error:
            raise store_error(error, self._path) from error

    def reserve(self) -> None:
        """Use the database beside others, of which no other one may reserve it meanwhile."""
        try:
            self._let_go(_SHARE_MS)
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise store_error(error, self._path) from error

    def hold_alone(self, purpose: str) -> None:
        """Use the database alone.

        Parameters
        ----------
        purpose
            What must be done to it, for the error.
        """
        try:
            self._let_go(_ALONE_MS)
            self._connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            if not self._is_patient:
                raise store_error(error, self._path) from error
            raise StoreError(
                f"{self._database} {purpose}, but another server is using it: stop that one, or "
                "name another file with NBSession.database"
            ) from error

    def close(self) -> None:
        """Use it no more."""
        self._connection.close()

    def _let_go(self, patience_ms: int) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        wait_ms = patience_ms if self._is_patient else 0
        self._connection.execute(f"PRAGMA busy_timeout = {wait_ms}").fetchall()
