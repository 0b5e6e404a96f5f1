"""The fixed grid of times at which a periodic callback is due."""

from __future__ import annotations

import threading
from math import floor


class PeriodicGrid:
    """Ticks at ``start + n * seconds`` of a loop's time, each at most once.

    Parameters
    ----------
    seconds
        From one tick to the next.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._start = 0.0
        self._tick = 0  # the last one that was taken or skipped
        self._last = 0.0  # when that was due
        self._lock = threading.Lock()

    def restart(self, now: float) -> float:
        """Return the first tick of a new grid."""
        with self._lock:
            self._start = self._last = now
            self._tick = 0
            return now + self._seconds

    def change(self, now: float, seconds: float) -> float:
        """Return the next tick of a grid from the last tick on.

        Were it from now on, somebody who drags a slider would hold up every tick.
        """
        with self._lock:
            self._seconds = seconds
            self._start = self._last
            self._tick = max(floor((now - self._start) / seconds), 0)
            return self._start + (self._tick + 1) * seconds

    def take(self) -> None:
        """Take the next tick."""
        with self._lock:
            self._tick += 1
            self._last = self._start + self._tick * self._seconds

    def next(self, now: float) -> tuple[float, int]:
        """Return the next tick that has not passed, and how many were skipped for it."""
        with self._lock:
            passed = floor((now - self._start) / self._seconds)
            skipped = max(passed - self._tick, 0)
            self._tick += skipped
            return self._start + (self._tick + 1) * self._seconds, skipped
