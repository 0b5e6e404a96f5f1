"""Ending with the process that started this one."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Have the system kill this process when its parent dies, where the system can.

    The channel's end tells the same, but no thread hears it while C code holds the GIL.
    """
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # a terminal or a service manager tells everybody
        signal.signal(number, _take_no_notice)
    if sys.platform != "linux":
        return
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _take_no_notice(_number: int, _frame: object) -> None:
    """Leave it to the server to say when. No SIG_IGN, which subprocesses would inherit."""


def kill_group(process_id: int) -> None:
    """Kill a process that leads its group, and everything that it has started there."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process_id, signal.SIGKILL)
