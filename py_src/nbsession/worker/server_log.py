"""Lines for the server's log: so many a second, that nobody's loop can drown it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from nbsession.core.log_level import MAX_LOG_CHARACTERS, LineLimit
from nbsession.scheduler.failure import clean

if TYPE_CHECKING:
    from .channel import Channel


class ServerLog:
    """Writes to the server's log; from any thread.

    Parameters
    ----------
    channel
        To the server.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self._limit = LineLimit()

    def write(self, level: str, text: str) -> None:
        """Write a line; dropped and counted if there were too many in this second."""
        if not self._channel.is_open:  # forked, perhaps while another thread had the lock
            return
        with self._lock:
            if not self._limit.take():
                return
            left_out = self._limit.take_left_out()
        if left_out:
            self._send("warning", f"{left_out:,} lines left out")
        self._send(level, clean(text, MAX_LOG_CHARACTERS))

    def write_trace(self, what: str, trace: str) -> None:
        """Write what has gone wrong, with its traceback."""
        self._channel.send({"op": "log", "level": "error", "text": what, "trace": trace})

    def _send(self, level: str, text: str) -> None:
        self._channel.send({"op": "log", "level": level, "text": text})
