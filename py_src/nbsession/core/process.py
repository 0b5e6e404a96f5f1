"""Processes of this machine."""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

HAS_THREADS = sys.platform not in ("emscripten", "wasi") or bool(
    getattr(getattr(sys, "_emscripten_info", None), "pthreads", False)
)
"""False where no thread can be started: in a browser, where pyodide runs."""


class ForkGuard:
    """Tells the process that made it from its forked children.

    They inherit hooks, links, files and `atexit` callbacks, and must leave them to their parent.
    """

    __slots__ = ("_pid",)

    def __init__(self) -> None:
        self._pid = os.getpid()

    @property
    def is_forked(self) -> bool:
        """Return whether this is a forked child of the process that made the guard."""
        return os.getpid() != self._pid

    def call(self, function: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        """Call a function, unless this is a forked child."""
        if not self.is_forked:
            function(*args, **kwargs)


def is_alive(pid: int) -> bool:
    """Return whether there is such a process; True where that cannot be known."""
    if sys.platform == "win32":  # where the signal 0 is one that ends the process
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it is there, and another user's
        return True
    return True


def kill_group(process_id: int) -> None:
    """Kill a process that leads its group, and everything that it has started there."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process_id, signal.SIGKILL)


_PROC = Path("/proc")
_ENDED_STATES = ("Z", "X")  # a zombie, whose parent has not waited for it yet, runs no more


class Process(NamedTuple):
    """A process, distinct from every other one that ever was."""

    machine: str
    boot: str
    pids: str
    pid: int
    start: str

    @property
    def host(self) -> str:
        """The machine since it was started: what no two that share a disk have in common."""
        return f"{self.machine}:{self.boot}"

    def shares_boot(self, other: Process) -> bool:
        """Return whether both see one clock that never jumps."""
        return bool(self.boot) and self.boot == other.boot

    def sees(self, other: Process) -> bool:
        """Return whether the other's pid means the same process here."""
        return self.host == other.host and self.pids == other.pids


def own_process() -> Process:
    """Return the calling process."""
    pid = os.getpid()  # never kept: a forked child is another one
    machine, boot, pids = _surroundings()
    return Process(machine, boot, pids, pid, process_start(pid) or "")


def is_gone(process: Process) -> bool:
    """Return whether a process that can be seen from here has ended."""
    return process_start(process.pid) != process.start


def process_start(pid: int) -> str | None:
    """Return when a process was started, as text to be compared; None if it has ended."""
    if (_PROC / "self/stat").exists():
        # Not psutil: its time depends on when the wall clock was last set, and so on who reads it.
        try:
            status = (_PROC / f"{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        state, *fields = status.rpartition(")")[2].split()
        return None if state in _ENDED_STATES else fields[18]
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.NoSuchProcess:
        return None


@cache
def _surroundings() -> tuple[str, str, str]:
    machine = _first_line("/etc/machine-id") or _first_line("/var/lib/dbus/machine-id")
    try:
        pids = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        pids = ""
    # A container may have none; its host name is then as good.
    return machine or socket.gethostname(), _first_line("/proc/sys/kernel/random/boot_id"), pids


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
