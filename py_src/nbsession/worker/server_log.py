"""Lines for the server's log: so many a second, that nobody's loop can drown it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from nbsession.core.log_level import MAX_LOG_CHARACTERS
from nbsession.scheduler.failure import clean

if TYPE_CHECKING:
    from .channel import Channel

MAX_LINES_PER_SECOND = 100


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
        self._since = 0.0
        self._lines = 0
        self._dropped = 0

    def write(self, level: str, text: str) -> None:
        """Write a line; dropped and counted if there were too many in this second."""
        if not self._channel.is_open:  # forked, perhaps while another thread had the lock
            return
        now = time.monotonic()
        with self._lock:
            dropped = 0
            if now - self._since >= 1:
                dropped, self._since, self._lines, self._dropped = self._dropped, now, 0, 0
            self._lines += 1
            if self._lines > MAX_LINES_PER_SECOND:
                self._dropped += 1
                return
        if dropped:
            self._send("warning", f"{dropped:,} lines left out")
        self._send(level, clean(text, MAX_LOG_CHARACTERS))

    def write_trace(self, what: str, trace: str) -> None:
        """Write what has gone wrong, with its traceback."""
        self._channel.send({"op": "log", "level": "error", "text": what, "trace": trace})

    def _send(self, level: str, text: str) -> None:
        self._channel.send({"op": "log", "level": level, "text": text})
