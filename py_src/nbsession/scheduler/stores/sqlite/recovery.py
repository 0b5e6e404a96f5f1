"""The files of an open database: seen when they are deleted or replaced, and written anew."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import stat
import time
from pathlib import Path

from nbsession.core.errors import StoreBusyError, StoreError

from .errors import store_error
from .files import make_place

FRESH_SECONDS = 0.002
"""For so long nobody looks again: no other server writes a file anew so quickly."""

_TRIES = 3

Identity = tuple[int, int] | None
"""Device and inode; None for no file."""


class DatabaseFiles:
    """The file that a connection has open, and those that SQLite keeps beside it.

    A file that is deleted or replaced stays there for those who have it open: SQLite goes on with
    it as if nothing had happened, and all of it goes with the last of them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        real = os.path.realpath(path)  # where SQLite looks for the others
        self._paths = (str(path), f"{real}-wal", f"{real}-shm")
        self._opened = self._now()
        self._accepted = self._opened
        self._checked = 0.0
        self._mode = 0o600
        with contextlib.suppress(OSError):  # deleted in this very moment
            self._mode = stat.S_IMODE(path.stat().st_mode)

    @property
    def are_in_place(self) -> bool:
        """Return whether who opens the path gets these files."""
        return self._now() == self._opened

    @property
    def are_accepted(self) -> bool:
        """Return whether nothing has changed since `accept`."""
        return self._now() == self._accepted

    def check(self) -> None:
        """Refuse to write to files of which nobody has yet looked where they are."""
        moment = time.monotonic()
        if moment - self._checked < FRESH_SECONDS:
            return
        if self._now() not in (self._opened, self._accepted):
            message = f"{self.path} was deleted or replaced and is being opened again"
            raise StoreBusyError(message)
        self._checked = moment

    def accept(self) -> None:
        """Let the open files be written to though they are not in place."""
        self._accepted = self._now()

    def write_again(self, connection: sqlite3.Connection) -> bool:
        """Give the path a file again, if it has none, and none that SQLite would take for its own.

        Called by one process at a time. Return whether the connection must be closed before another
        one is opened: on the same file they would share what was deleted beside it.
        """
        try:
            found = _identity(self._paths[0])
            if found is None:
                self._write(connection)
            elif found != self._opened[0]:
                self._remove_beside()
            else:
                if not self._is_newer_beside():
                    _checkpoint(connection)
                return True
        except sqlite3.Error as error:
            raise store_error(error, self.path) from error
        except OSError as error:
            message = f"{self.path} cannot be written again: {error.strerror or error}"
            raise StoreError(message) from error
        return False

    def _write(self, connection: sqlite3.Connection) -> None:
        # A file that was only renamed is whole then, and can be put back.
        with contextlib.suppress(sqlite3.Error, StoreBusyError):
            _checkpoint(connection)
        path = Path(os.path.realpath(self.path))  # it may be a link to what is gone
        for _ in range(_TRIES):
            copy = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
            make_place(copy)
            try:
                connection.execute("VACUUM INTO ?", (str(copy),))
                copy.chmod(self._mode)
                connection.execute("BEGIN IMMEDIATE")  # nobody writes to the old one from here on
                try:
                    if _serial(connection) != _serial_of(copy):
                        continue
                    self._remove_beside()
                    _link(copy, path)
                    return
                finally:
                    connection.execute("ROLLBACK")
            finally:
                copy.unlink(missing_ok=True)
        message = f"another server is writing to what was {self.path}; try again in a moment"
        raise StoreBusyError(message)

    def _remove_beside(self) -> None:
        """Remove the journals of the old file: SQLite would apply them to a new one."""
        for path, opened in zip(self._paths[1:], self._opened[1:], strict=True):
            if opened is not None and _identity(path) == opened:
                Path(path).unlink()

    def _is_newer_beside(self) -> bool:
        """Return whether somebody has begun new journals in place of deleted ones."""
        now = self._now()
        return any(
            found not in (None, opened)
            for found, opened in zip(now[1:], self._opened[1:], strict=True)
        )

    def _now(self) -> tuple[Identity, ...]:
        return tuple(map(_identity, self._paths))


def _identity(path: str) -> Identity:
    try:
        status = os.stat(path)  # noqa: PTH116 - for every transaction: a `Path` takes twice as long
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _checkpoint(connection: sqlite3.Connection) -> None:
    """Move everything from the journal into the file."""
    is_busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if is_busy:
        message = "another server is using the database; try again in a moment"
        raise StoreBusyError(message)


def _serial(connection: sqlite3.Connection) -> int:
    (serial,) = connection.execute("SELECT value FROM serial").fetchone()
    return int(serial)


def _serial_of(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return _serial(connection)


def _link(copy: Path, path: Path) -> None:
    """Give a file a second name, unless there is another of that name already."""
    try:
        path.hardlink_to(copy)
    except FileExistsError:
        pass  # another server was first: that one is opened
    except OSError:  # a file system without links
        if not path.exists():
            copy.rename(path)
