"""The time, behind an interface: tests set it, programs read it."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the wall clock's time and a time that never jumps."""

    def now_us(self) -> int:
        """Return the wall clock's time: an instant in µs since the epoch, UTC."""

    def monotonic(self) -> float:
        """Return a time in seconds that goes on when the wall clock is set."""


class SystemClock:
    """The machine's clocks."""

    def now_us(self) -> int:
        """Return the wall clock's time: an instant in µs since the epoch, UTC."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Return a time in seconds that goes on when the wall clock is set."""
        return time.monotonic()
