"""Where the database of a server lies, and whose it is."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import socket
import sqlite3
import tempfile
from pathlib import Path

from nbsession.core.errors import StoreError

from .errors import store_error

_READABLE_CHARACTERS = 40


def database_path(data_dir: Path, root_dir: Path) -> Path:
    """Return where the tasks of a root directory are kept."""
    root = os.path.realpath(root_dir)
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:12]
    readable = re.sub(r"[^A-Za-z0-9_.]+", "-", Path(root).name)[:_READABLE_CHARACTERS].strip("-.")
    return data_dir / "nbsession" / "tasks" / f"{readable or 'root'}-{digest}.sqlite"


def make_place(path: Path) -> None:
    """Make the database's folder and, empty, its file, for nobody but their owner.

    What is there already keeps its permissions: a file may be shared on purpose.
    """
    try:
        folders = (path.parent, *path.parent.parents)
        for folder in reversed([folder for folder in folders if not folder.exists()]):
            folder.mkdir(mode=0o700, exist_ok=True)  # with `parents` only the last gets the mode
        # Never opened when it is there: to close it would drop this process's locks on it.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise StoreError(
            f"the tasks cannot be kept in {path}: {error.strerror or error}; let its folder be "
            "written to, or name another file with NBSession.database"
        ) from error
    if not path.is_file():
        raise StoreError(
            f"the tasks cannot be kept in {path}, which is no file; name one with "
            "NBSession.database"
        )


_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK_KINDS = frozenset(
    (
        *("9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs", "gfs2", "gpfs"),
        *("glusterfs", "lustre", "mmfs", "ncpfs", "nfs", "nfs3", "nfs4", "ocfs2", "orangefs"),
        *("panfs", "pvfs2", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs", "webdav"),
    )
)
_LOCAL_FUSES = frozenset(
    ("bindfs", "encfs", "fuse-overlayfs", "gocryptfs", "lxcfs", "mergerfs", "ntfs-3g")
)


def is_network(kind: str) -> bool:
    """Return whether other machines may have the file system open too.

    Then no memory is shared with whoever has a file open, as SQLite's WAL needs it. What FUSE
    brings is taken for a network's unless it is known not to be.
    """
    family, _, name = kind.partition(".")
    return kind in _NETWORK_KINDS or (family == "fuse" and name not in _LOCAL_FUSES)


def file_system_kind(folder: Path) -> str:
    """Return the name of the kind, such as ``"ext4"`` or ``"nfs4"``; '' if it cannot be told."""
    where = folder.resolve()
    found, depth = "", -1
    for mount_point, kind in _mounts():
        place = Path(mount_point)
        # The last of those at one place covers the others.
        if len(place.parts) >= depth and where.is_relative_to(place):
            found, depth = kind, len(place.parts)
    return found


def _mounts() -> list[tuple[str, str]]:
    if _MOUNTS.exists():
        # Not psutil, which in old versions asks every mount: one whose server is away hangs.
        text = _MOUNTS.read_text(encoding="utf-8", errors="replace")
        return [_mount(line) for line in text.splitlines()]
    import psutil

    return [
        (part.mountpoint, "smbfs" if "remote" in part.opts.split(",") else part.fstype)
        for part in psutil.disk_partitions(all=True)
    ]


def _mount(line: str) -> tuple[str, str]:
    before, _, after = line.partition(" - ")
    escaped = before.split(" ")[4]
    place = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), escaped)
    return place, after.split(" ")[0]


SILENT_SECONDS = 15.0
"""After so long without a sign of life the next machine may have the database."""


class OtherHostError(StoreError):
    """Another machine has the database."""


class HostClaim:
    """A file beside a database that names the machine that has it, and is young while it lives."""

    def __init__(self, database: Path, host: str) -> None:
        self._database = database
        self._path = Path(f"{database}-host")
        self._host = host

    def renew(self) -> None:
        """Say that this machine has the database."""
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


_SHARE_MS = 5_000  # others may be bringing the database up to date
_ALONE_MS = 1_000  # others only look at it, or will not give it up anyway


class Use:
    """A lock beside a database, which every server holds as long as it uses it.

    It is SQLite's own lock on an empty file: it works on every system, and goes with its process.
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
        """Use the database alone."""
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
