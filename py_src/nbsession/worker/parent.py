"""Ending with the process that started this one."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress

_PR_SET_PDEATHSIG = 1

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""What a terminal or a service manager tells everybody."""

_forking = threading.local()


def end_with_parent() -> None:
    """Have the system kill this process when its parent dies, where the system can.

    The channel's end tells the same, but no thread hears it while C code holds the GIL.
    """
    for number in _SIGNALS:
        signal.signal(number, _take_no_notice)
    os.register_at_fork(
        before=_hold_signals, after_in_parent=_release_signals, after_in_child=_take_notice
    )
    if sys.platform != "linux":
        return
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _take_no_notice(_number: int, _frame: object) -> None:
    """Leave it to the server to say when. No SIG_IGN, which subprocesses would inherit."""


def _hold_signals() -> None:
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def _release_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _take_notice() -> None:
    """Let a forked child be terminated, as by `multiprocessing.Process.terminate`, from its birth.

    What is sent before it has come this far has been held.
    """
    # As in any Python, but for what a script has set.
    if signal.getsignal(signal.SIGINT) is _take_no_notice:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGTERM) is _take_no_notice:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _release_signals()
