"""Text from elsewhere, made safe for logs, terminals, messages and databases."""

from __future__ import annotations

import time
from typing import Any


def printable(text: str) -> str:
    """Escape what cannot be printed: line breaks, the escapes of terminals."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable_lines(text: str) -> str:
    """Escape what cannot be printed but line breaks and tabs."""
    lines = (map(printable, line.split("\t")) for line in text.splitlines())
    return "\n".join(map("\t".join, lines))


LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
MAX_LOG_CHARACTERS = 8192
MAX_LINES_PER_SECOND = 100
"""Of one kernel or process of a worker."""


class LineLimit:
    """So many lines a second, that nobody's loop can flood the log. Takes no lock."""

    def __init__(self, most: int = MAX_LINES_PER_SECOND) -> None:
        self._most = most
        self._since = 0.0
        self._lines = 0
        self.left_out = 0

    def take(self) -> bool:
        """Return whether one more line may be written; one that may not is counted."""
        now = time.monotonic()
        if now - self._since >= 1:
            self._since, self._lines = now, 0
        self._lines += 1
        if self._lines > self._most:
            self.left_out += 1
            return False
        return True

    def take_left_out(self) -> int:
        """Return how many lines were left out since the last call."""
        left_out, self.left_out = self.left_out, 0
        return left_out


def checked_level(level: str) -> str:
    """Return the level."""
    if level not in LOG_LEVELS:
        raise ValueError(f"no log level {level!r}; use one of {', '.join(LOG_LEVELS)}")
    return level


def well_formed(value: Any) -> Any:
    """Return JSON data in whose texts each half of a surrogate pair, as odd bytes give, is a ``?``.

    UTF-8 cannot hold them, and so no URL, no message and no database.
    """
    match value:
        case str():
            return value if value.isascii() else value.encode("utf-8", "replace").decode()
        case dict():
            return {well_formed(key): well_formed(item) for key, item in value.items()}
        case list():
            return [well_formed(item) for item in value]
    return value


def escape_surrogates(text: str) -> str:
    r"""Return text in which halves of surrogate pairs are escapes, such as ``\ud800``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
