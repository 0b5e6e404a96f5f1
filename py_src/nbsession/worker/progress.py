"""How far the runs have come: told often enough to look alive, and no more often."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from .channel import Channel

_EVERY_SECONDS = 0.1


class Progress:
    """The progress of one run.

    Parameters
    ----------
    channel
        Where it is told.
    loop
        Tells the last of several that come too fast, while it runs; a thread does otherwise.
    job
        The run's number on the channel.
    """

    __slots__ = ("_channel", "_job", "_latest", "_lock", "_loop", "_sent_at", "_timed")

    def __init__(self, channel: Channel, loop: AbstractEventLoop, job: int) -> None:
        self._channel = channel
        self._loop = loop
        self._job = job
        self._latest: tuple[float, str] | None = None
        self._sent_at = 0.0
        self._timed = False
        self._lock = threading.Lock()

    def report(self, fraction: float, text: str) -> None:
        """Tell how far the run has come; on any thread."""
        with self._lock:
            self._latest = fraction, text
            if self._timed:
                return
            wait = self._sent_at + _EVERY_SECONDS - time.monotonic()
            self._timed = wait > 0
        if wait <= 0 or not self._flush_in(wait):
            self.flush()

    def _flush_in(self, seconds: float) -> bool:
        """Have the latest told in a while; False if there is nobody who could."""
        try:
            if self._loop.is_running():
                self._loop.call_soon_threadsafe(self._loop.call_later, seconds, self.flush)
            else:  # in the process of a sync run no loop turns
                timer = threading.Timer(seconds, self.flush)
                timer.daemon = True
                timer.start()
        except RuntimeError:  # the loop has been closed since, or no thread can be started
            return False
        return True

    def flush(self) -> None:
        """Tell the latest, if it has not been told."""
        with self._lock:
            latest, self._latest, self._timed = self._latest, None, False
            self._sent_at = time.monotonic()
        if latest is not None:
            fraction, text = latest
            self._channel.send(
                {"op": "progress", "job": self._job, "fraction": fraction, "text": text}
            )
