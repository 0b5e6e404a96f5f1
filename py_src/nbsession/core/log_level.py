"""What may be written to the server's log: at which levels, and how much at once."""

from __future__ import annotations

LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
MAX_LOG_CHARACTERS = 8192


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
