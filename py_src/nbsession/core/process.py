"""Processes of this machine."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

HAS_THREADS = sys.platform not in ("emscripten", "wasi") or bool(
    getattr(getattr(sys, "_emscripten_info", None), "pthreads", False)
)
"""False where no thread can be started: in a browser, where pyodide runs."""


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
