"""What may be written to the server's log: at which levels, and how much at once."""

from __future__ import annotations

import time

LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
MAX_LOG_CHARACTERS = 8192
MAX_LINES_PER_SECOND = 100
"""Of one kernel or worker."""


class LineLimit:
    """So many lines a second, that nobody's loop can flood the log. Takes no lock.

    Attributes
    ----------
    left_out
        How many lines were left out, and nobody has been told.
    """

    def __init__(self) -> None:
        self._since = 0.0
        self._lines = 0
        self.left_out = 0

    def take(self) -> bool:
        """Return whether one more line may be written; one that may not is counted."""
        now = time.monotonic()
        if now - self._since >= 1:
            self._since, self._lines = now, 0
        self._lines += 1
        if self._lines > MAX_LINES_PER_SECOND:
            self.left_out += 1
            return False
        return True

    def take_left_out(self) -> int:
        """Return how many lines were left out since this was asked last."""
        left_out, self.left_out = self.left_out, 0
        return left_out


def checked_level(level: str) -> str:
    """Return the level.

    Raises
    ------
    ValueError
        If there is no such level.
    """
    if level not in LOG_LEVELS:
        message = f"no log level {level!r}; use one of {', '.join(LOG_LEVELS)}"
        raise ValueError(message)
    return level
