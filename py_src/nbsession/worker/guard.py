"""Killing the processes that tasks have started, when this process cannot do so itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

_SCRIPT = """
trap '' HUP INT TERM
groups=-$1
while read -r word group; do
    case $word in
    +) groups="$groups -$group" ;;
    -)
        kept=
        for each in $groups; do
            [ "$each" = "-$group" ] || kept="$kept $each"
        done
        groups=$kept
        ;;
    .) exit ;;
    esac
done
kill -s KILL -- $groups
"""
_LEAVE_SECONDS = 1.0


class Guard:
    """A shell beside this process, which kills its group and others once it has died.

    The system kills a worker at once whose server was killed; no process would be left that knows
    of the processes of its tasks. A shell takes a tenth of the memory that a Python would.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        with suppress(OSError):  # no shell: only a sudden death leaves processes behind
            self._process = subprocess.Popen(  # noqa: S603 - nothing in it comes from outside
                ["/bin/sh", "-c", _SCRIPT, "nbsession-guard", str(os.getpgrp())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                start_new_session=True,  # not in the group that it kills
            )
        os.register_at_fork(after_in_child=self._close)

    def watch(self, group_id: int) -> None:
        """Have a process group killed after this process has died; on any thread."""
        self._send(f"+ {group_id}")

    def forget(self, group_id: int) -> None:
        """Leave a group alone that has ended: its id may become another's."""
        self._send(f"- {group_id}")

    def leave(self) -> None:
        """End the guard without killing anything."""
        self._send(".")
        self._close()
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_LEAVE_SECONDS)

    def _send(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError, ValueError):  # it was killed, or this process is ending
                self._process.stdin.write(f"{line}\n".encode("ascii"))

    def _close(self) -> None:
        # A forked child that kept the pipe open would seem to be its parent, still alive.
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()


_PR_SET_PDEATHSIG = 1

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Sent to all processes by a terminal or a service manager."""

_forking = threading.local()


def end_with_parent() -> None:
    """Have the system kill this process when its parent dies, where the system can.

    The channel's end says the same, but no thread notices it while C code holds the GIL.
    """
    for number in _SIGNALS:
        signal.signal(number, _ignore)
    os.register_at_fork(
        before=_block_signals, after_in_parent=_unblock_signals, after_in_child=_restore_handlers
    )
    if sys.platform != "linux":
        return
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _ignore(_number: int, _frame: object) -> None:
    """Ignore it: the server says when to end. Not by SIG_IGN, which subprocesses inherit."""


def _block_signals() -> None:
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def _unblock_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _restore_handlers() -> None:
    """Let a forked child be terminated, as by `multiprocessing.Process.terminate`, from its birth.

    Signals that are sent before this are blocked, and delivered then.
    """
    # As in any Python, unless a script has set a handler.
    if signal.getsignal(signal.SIGINT) is _ignore:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGTERM) is _ignore:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _unblock_signals()
