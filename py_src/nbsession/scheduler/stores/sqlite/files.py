"""The files of a database: their place, their locks, and their loss while they are open."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import socket
import sqlite3
import stat
import tempfile
import time
from pathlib import Path

from nbsession.core.errors import StoreBusyError, StoreError

from .errors import store_error

_READABLE_CHARACTERS = 40


def database_path(data_dir: Path, root_dir: Path) -> Path:
    """Return the path of the database of a root directory."""
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
            f"the tasks cannot be stored in {path}: {error.strerror or error}; let its folder be "
            "written to, or name another file with NBSession.database"
        ) from error
    if not path.is_file():
        raise StoreError(
            f"the tasks cannot be stored in {path}, which is no file; name one with "
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

    Then processes that open a file share no memory, which SQLite's WAL needs. FUSE is taken for a
    network unless it is known not to be one.
    """
    family, _, name = kind.partition(".")
    return kind in _NETWORK_KINDS or (family == "fuse" and name not in _LOCAL_FUSES)


def file_system_kind(folder: Path) -> str:
    """Return the name of the kind, such as ``"ext4"`` or ``"nfs4"``; '' if it is unknown."""
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
        """Claim the database for this machine, or go on to."""
        try:
            number, name = tempfile.mkstemp(prefix=f"{self._path.name}-", dir=self._path.parent)
            try:
                with os.fdopen(number, "w", encoding="utf-8") as file:
                    json.dump({"host": self._host, "name": socket.gethostname()}, file)
                    file.flush()
                    # Both ages are of one clock then, that of the disk's server.
                    now = os.fstat(file.fileno()).st_mtime
                self._check(now)
                Path(name).replace(self._path)
            except BaseException:
                Path(name).unlink()
                raise
        except OSError as error:
            raise StoreError(
                f"{self._path} cannot be written: {error.strerror or error}; look after the "
                "network's disk, or name a file on a local one with NBSession.database"
            ) from error

    def give_up(self) -> None:
        """Let any machine have the database at once."""
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _check(self, now: float) -> None:
        try:
            # Opened, as a network file system looks again only then.
            with self._path.open(encoding="utf-8") as file:
                seen = os.fstat(file.fileno()).st_mtime
                holder = json.load(file)
                is_other = holder["host"] != self._host
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return  # no claim that can be read
        if is_other and now - seen < SILENT_SECONDS:
            raise OtherHostError(
                f"{self._database} lies on a network file system and is in use on "
                f"{holder['name']}: stop the servers there, or name a file on a local disk with "
                "NBSession.database"
            )


_SHARE_MS = 5_000  # others may be bringing the database up to date
_ALONE_MS = 1_000  # others only look at it, or will not give it up anyway


class DatabaseLock:
    """A lock beside a database, which every server holds as long as it uses it.

    It is SQLite's own lock on an empty file: it works on every system, and goes with its process.
    """

    def __init__(self, database: Path, *, waits: bool = True) -> None:
        self._database = database
        self._waits = waits
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
            if not self._waits:
                raise store_error(error, self._path) from error
            raise StoreError(
                f"{self._database} {purpose}, but another server is using it: stop that one, or "
                "name another file with NBSession.database"
            ) from error

    def close(self) -> None:
        """Release it."""
        self._connection.close()

    def _let_go(self, wait_ms: int) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        wait_ms = wait_ms if self._waits else 0
        self._connection.execute(f"PRAGMA busy_timeout = {wait_ms}").fetchall()


FRESH_SECONDS = 0.002
"""Between looks: no other server writes a file anew so quickly."""

_TRIES = 3

Identity = tuple[int, int] | None
"""Device and inode; None for no file."""


class DatabaseFiles:
    """The file that a connection has open, and those that SQLite keeps beside it.

    A file that is deleted or replaced lives on for the processes that have it open: SQLite uses it
    as if nothing had happened, and it ends with the last of them.
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
        """Return whether to open the path is to open these files."""
        return self._now() == self._opened

    @property
    def are_accepted(self) -> bool:
        """Return whether nothing has changed since `accept`."""
        return self._now() == self._accepted

    def check(self) -> None:
        """Refuse to write to files that are not in place, unless that is accepted."""
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
        """Give the path a file again, if it has none, and remove journals of the old one.

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
        # A file that was only renamed is complete then, and can be put back.
        with contextlib.suppress(sqlite3.Error, StoreBusyError):
            _checkpoint(connection)
        path = Path(os.path.realpath(self.path))  # it may be a link to a deleted file
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
        """Return whether there are new journals in place of deleted ones."""
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
