"""What kind of file system a folder lies in."""

from __future__ import annotations

import re
from pathlib import Path

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
    """Return the name of the kind, such as ``"ext4"`` or ``"nfs4"``; '' if it cannot be told.

    Parameters
    ----------
    folder
        Is there.
    """
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
