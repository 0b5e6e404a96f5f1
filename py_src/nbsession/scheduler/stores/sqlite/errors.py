"""From SQLite's errors to those of a store, with the remedy."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from nbsession.core.errors import StoreBusyError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

_BUSY = frozenset((sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL))
# A journal was deleted under another server, which begins a new one in a moment.
_BUSY_IN_DETAIL = frozenset((sqlite3.SQLITE_IOERR_SHORT_READ,))
_DAMAGED = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))
_UNWRITABLE = frozenset((sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN))


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether the file is damaged or no database."""
    return _code(error) in _DAMAGED


def store_error(error: sqlite3.Error, path: Path) -> StoreError:
    """Return the error to raise instead."""
    code = _code(error)
    if code in _BUSY or getattr(error, "sqlite_errorcode", -1) in _BUSY_IN_DETAIL:
        return StoreBusyError(f"another server is writing to {path}; try again in a moment")
    if code == sqlite3.SQLITE_FULL:
        remedy = (
            "the disk is full: make room on it, or name a file elsewhere with NBSession.database"
        )
    elif code in _UNWRITABLE:
        remedy = (
            f"{error}: let the file and its folder be written to, or name another file with "
            "NBSession.database"
        )
    elif code in _DAMAGED:
        remedy = (
            f"the database is damaged ({error}): stop every server that uses it; the next one to "
            "start sets it aside and begins a new one"
        )
    else:
        remedy = f"{error}: look after the disk, or name a file elsewhere with NBSession.database"
    return StoreError(f"the tasks cannot be stored in {path}; {remedy}")


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", -1) & 0xFF  # without what SQLite adds in detail
