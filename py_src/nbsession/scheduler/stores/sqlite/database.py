"""Connections to databases of this version, which are checked, migrated or set aside first."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from nbsession.core.errors import StoreBusyError, StoreError
from nbsession.core.schedule.instant import from_instant

from .errors import is_damage, store_error
from .files import DatabaseLock, make_place
from .schema import APPLICATION_ID, MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from logging import Logger
    from types import TracebackType

BUSY_MS = 5
"""The longest that SQLite itself may wait for others, which blocks the event loop."""


class StoreConnection(sqlite3.Connection):
    """A connection that waits a moment for others, but not again while they go on."""

    waits = True

    def set_waits(self, *, waits: bool) -> None:
        """Wait a moment for others, or not at all."""
        if waits is not self.waits:
            self.execute(f"PRAGMA busy_timeout = {BUSY_MS if waits else 0}").fetchall()
            self.waits = waits

    def failed(self, error: sqlite3.Error, path: Path) -> StoreError:
        """Return the error to raise instead; do not wait again while others go on."""
        failure = store_error(error, path)
        if isinstance(failure, StoreBusyError):
            self.set_waits(waits=False)
        return failure


class Transaction:
    """A transaction that writes: ``with Transaction(…) as transaction``."""

    def __init__(self, connection: StoreConnection, path: Path, check: Callable[[], None]) -> None:
        self._connection = connection
        self._path = path
        self._check = check
        self._last_id = 0
        self._changes = 0
        self._on_commit: list[Callable[[], object]] = []
        self.execute: Callable[..., sqlite3.Cursor] = connection.execute

    def __enter__(self) -> Self:
        try:
            self.execute("BEGIN IMMEDIATE")
            self._check()
            (last_id,) = self.row("SELECT value FROM serial")
        except sqlite3.Error as error:
            self._roll_back()
            raise self._connection.failed(error, self._path) from error
        except StoreError:
            self._roll_back()
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
                # Others look when the file has changed: nothing written changes nothing.
                if self._connection.total_changes != self._changes:
                    self.execute("UPDATE serial SET value = ?", (self._last_id,))
                self.execute("COMMIT")
            except sqlite3.Error as failure:
                self._roll_back()
                raise store_error(failure, self._path) from failure
            for change in self._on_commit:
                change()
            return
        self._roll_back()
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

    def on_commit(self, change: Callable[[], object]) -> None:
        """Call a function once all of this is committed."""
        self._on_commit.append(change)

    def _roll_back(self) -> None:
        if self._connection.in_transaction:  # some errors have done it already
            self.execute("ROLLBACK")


_WAIT_SECONDS = 5.0
_RETRY_SECONDS = 0.02
_SMALLEST_BYTES = 512
_MUCH_BYTES = 200_000_000  # to look at all of that takes about a second; most of it are outputs

_T = TypeVar("_T")

Condition = Literal["sound", "empty", "older", "newer", "damaged"]


def open_database(  # noqa: PLR0913 - each says how
    path: Path,
    *,
    is_network: bool,
    now_us: int,
    log: Logger,
    waits: bool = True,
    before: Callable[[], object] | None = None,
) -> tuple[StoreConnection, DatabaseLock]:
    """Open a database; make it, bring it up to date, or set it aside and begin a new one.

    `before` is called before it is opened, by one process at a time.
    """
    lock = DatabaseLock(path, waits=waits)
    seconds = _WAIT_SECONDS if waits else 0.0
    connection = None
    try:
        if before is not None:
            lock.reserve()
            before()
        make_place(path)
        as_it_is = {"sound", "empty"} if before is None else {"sound"}
        if (condition := _condition(path, is_network, seconds)) not in as_it_is:
            lock.hold_alone(_PURPOSES[condition])
            # Another server may have been here first.
            found = _condition(path, is_network, seconds)
            if found in ("damaged", "newer"):
                _set_aside(path, found, now_us, log, is_empty=before is None)
            elif found == "empty":
                path.unlink()
            if before is not None:
                before()
            make_place(path)
        connection = _retry_while_busy(path, lambda: _connect(path, is_network), seconds)
        if before is not None or condition not in as_it_is:
            lock.share()
    except BaseException:
        if connection is not None:
            connection.close()
        lock.close()
        raise
    return connection, lock


_PURPOSES: dict[Condition, str] = {
    "sound": "is to be used alone",
    "empty": "is empty and must be written again",
    "older": "was written by an older nbsession and must be brought up to date",
    "newer": "was written by a newer nbsession and must be set aside",
    "damaged": "is damaged and must be set aside",
}


def _condition(path: Path, is_network: bool, seconds: float) -> Condition:
    if 0 < path.stat().st_size < _SMALLEST_BYTES:
        return "damaged"  # SQLite would take it for an empty one

    def inspect() -> Condition:
        with contextlib.closing(_open_file(path, is_network)) as connection:
            # Another process may hold the database for long: no more is looked at until it can be
            # written to.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            connection.execute("BEGIN")  # so that all this is of one moment
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            owner = connection.execute("PRAGMA application_id").fetchone()[0]
            if tables and owner != APPLICATION_ID:
                raise StoreError(
                    f"{path} is another program's database; name another file with "
                    "NBSession.database"
                )
            if not tables:
                return "empty"
            if version > len(MIGRATIONS):
                return "newer"
            parts = ["1"] if path.stat().st_size < _MUCH_BYTES else ["tasks", "specs"]
            for part in parts:
                if connection.execute(f"PRAGMA quick_check({part})").fetchone()[0] != "ok":
                    return "damaged"
            return "older" if version < len(MIGRATIONS) else "sound"

    try:
        return _retry_while_busy(path, inspect, seconds)
    except StoreError as error:
        if isinstance(error.__cause__, sqlite3.Error) and is_damage(error.__cause__):
            return "damaged"
        raise


def _set_aside(
    path: Path, condition: Condition, now_us: int, log: Logger, *, is_empty: bool
) -> None:
    stamp = from_instant(now_us).strftime("%Y%m%dT%H%M%S.%fZ")
    name = f"{path.stem}.{condition}-{stamp}"
    aside = path.with_name(f"{name}{path.suffix}")
    for number in itertools.count(2):  # a clock that was set back tells the same time twice
        if not aside.exists():
            break
        aside = path.with_name(f"{name}-{number}{path.suffix}")
    try:
        for ending in ("-wal", "-shm", "-journal", ""):  # the file last: till then it is in place
            with contextlib.suppress(FileNotFoundError):
                Path(f"{path}{ending}").rename(f"{aside}{ending}")
    except OSError as error:
        raise StoreError(
            f"{path} cannot be set aside: {error.strerror or error}; let its folder be written to, "
            "or name another file with NBSession.database"
        ) from error
    why = "is damaged" if condition == "damaged" else "was written by a newer nbsession"
    what = (
        "an empty one begun: global tasks have to be scheduled again"
        if is_empty
        else "the tasks of this server are written to a new one"
    )
    log.warning(
        "The database of tasks %s %s. It was set aside as %s, and %s.", path, why, aside, what
    )


def _connect(path: Path, is_network: bool) -> StoreConnection:
    connection = _open_file(path, is_network)
    try:
        if not is_network:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute("PRAGMA synchronous = NORMAL")
        _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _open_file(path: Path, is_network: bool) -> StoreConnection:
    # mode=rw: a file that was deleted meanwhile must not be made with other permissions.
    address = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(
        address, uri=True, timeout=BUSY_MS / 1000, isolation_level=None, factory=StoreConnection
    )
    try:
        if is_network:
            # Without this a database that was moved here in WAL would share memory once more.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
            connection.execute("PRAGMA journal_mode = TRUNCATE").fetchall()
            connection.execute("PRAGMA locking_mode = NORMAL").fetchall()
            connection.execute("SELECT 1 FROM sqlite_master").fetchall()  # gives the lock back
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection) -> None:
    # All in one: servers that begin a database together must not see an older version between.
    connection.execute("BEGIN IMMEDIATE")
    try:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        if version < len(MIGRATIONS):
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _retry_while_busy(path: Path, do: Callable[[], _T], seconds: float) -> _T:
    # To begin a database is waited for by SQLite's own timeout alone, which does not hold
    # for the change to WAL.
    end = time.monotonic() + seconds
    while True:
        try:
            return do()
        except sqlite3.DatabaseError as error:
            failure = store_error(error, path)
            if not isinstance(failure, StoreBusyError) or time.monotonic() >= end:
                raise failure from error
        time.sleep(_RETRY_SECONDS)
