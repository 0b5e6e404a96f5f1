"""A transaction that writes."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Self

from nbsession.core.errors import StoreBusyError, StoreError

from .sqlite_errors import store_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType


BUSY_MS = 5
"""How long SQLite itself may wait for others, which blocks the event loop."""


class StoreConnection(sqlite3.Connection):
    """A connection that waits a moment for others, but not again while they go on."""

    waits = True

    def set_waits(self, *, waits: bool) -> None:
        """Wait a moment for others, or not at all."""
        if waits is not self.waits:
            self.execute(f"PRAGMA busy_timeout = {BUSY_MS if waits else 0}").fetchall()
            self.waits = waits

    def failed(self, error: sqlite3.Error, path: Path) -> StoreError:
        """Return what to raise in an error's stead."""
        failure = store_error(error, path)
        if isinstance(failure, StoreBusyError):
            self.set_waits(waits=False)
        return failure


class Writing:
    """A transaction that writes, from its beginning to its end: ``with Writing(…) as writing``.

    Whatever is raised inside takes everything back.

    Attributes
    ----------
    revision
        What every row that is changed in it gets.

    Parameters
    ----------
    connection
        Without a transaction.
    path
        The database's, for errors.
    check
        Raises if the database is not to be written to.

    Raises
    ------
    StoreBusyError
        If another process is writing, and goes on.
    StoreError
        If the database has failed.
    """

    __slots__ = (
        "_changes",
        "_check",
        "_connection",
        "_last_id",
        "_path",
        "_then",
        "execute",
        "revision",
    )

    def __init__(self, connection: StoreConnection, path: Path, check: Callable[[], None]) -> None:
        self._connection = connection
        self._path = path
        self._check = check
        self._last_id = 0
        self._changes = 0
        self._then: list[Callable[[], object]] = []
        self.execute: Callable[..., sqlite3.Cursor] = connection.execute

    def __enter__(self) -> Self:
        try:
            self.execute("BEGIN IMMEDIATE")
            self._check()
            (last_id,) = self.row("SELECT value FROM serial")
        except sqlite3.Error as error:
            self._take_back()
            raise self._connection.failed(error, self._path) from error
        except StoreError:
            self._take_back()
            raise
        self._connection.set_waits(waits=True)
        self.revision: int = last_id + 1
        self._last_id = self.revision
        self._changes = self._connection.total_changes
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            try:
                # Nothing written is no news for others, who look when the file has changed.
                if self._connection.total_changes != self._changes:
                    self.execute("UPDATE serial SET value = ?", (self._last_id,))
                self.execute("COMMIT")
            except sqlite3.Error as failure:
                self._take_back()
                raise store_error(failure, self._path) from failure
            for change in self._then:
                change()
            return
        self._take_back()
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.ProgrammingError
        ):
            raise store_error(error, self._path) from error

    def row(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Return the first row that a statement finds, or None."""
        return self.execute(statement, values).fetchone()

    def next_id(self) -> int:
        """Return a number that was never given before."""
        self._last_id += 1
        return self._last_id

    def then(self, change: Callable[[], object]) -> None:
        """Call a function once all of this is kept."""
        self._then.append(change)

    def _take_back(self) -> None:
        if self._connection.in_transaction:  # some errors have done it already
            self.execute("ROLLBACK")
