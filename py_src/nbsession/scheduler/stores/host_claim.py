"""One machine at a time for a database on a network file system."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import tempfile
from pathlib import Path

from nbsession.core.errors import StoreError

SILENT_SECONDS = 15.0
"""After so long without a sign of life the next machine may have the database."""


class OtherHostError(StoreError):
    """Another machine has the database."""


class HostClaim:
    """A file beside a database that names the machine that has it, and is young while it lives.

    Parameters
    ----------
    database
        The database's path.
    host
        What no two machines have in common.
    """

    def __init__(self, database: Path, host: str) -> None:
        self._database = database
        self._path = Path(f"{database}-host")
        self._host = host

    def renew(self) -> None:
        """Say that this machine has the database.

        Raises
        ------
        OtherHostError
            If another one says so, and has done so lately.
        StoreError
            If the file cannot be written.
        """
        try:
            self._renew()
        except OSError as error:
            raise StoreError(
                f"{self._path} cannot be written: {error.strerror or error}; look after the "
                "network's disk, or name a file on a local one with NBSession.database"
            ) from error

    def give_up(self) -> None:
        """Let any machine have the database at once."""
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _renew(self) -> None:
        number, name = tempfile.mkstemp(prefix=f"{self._path.name}-", dir=self._path.parent)
        try:
            with os.fdopen(number, "w", encoding="utf-8") as news:
                json.dump({"host": self._host, "name": socket.gethostname()}, news)
                news.flush()
                # Both ages are of one clock then, that of the disk's server.
                now = os.fstat(news.fileno()).st_mtime
            self._check(now)
            Path(name).replace(self._path)
        except BaseException:
            Path(name).unlink()
            raise

    def _check(self, now: float) -> None:
        try:
            # Opened, as a network file system looks again only then.
            with self._path.open(encoding="utf-8") as file:
                seen = os.fstat(file.fileno()).st_mtime
                holder = json.load(file)
                is_other = holder["host"] != self._host
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return  # it says nothing that could be heeded
        if is_other and now - seen < SILENT_SECONDS:
            raise OtherHostError(
                f"{self._database} lies on a network file system and is in use on "
                f"{holder['name']}: stop the servers there, or name a file on a local disk with "
                "NBSession.database"
            )
