"""Text of others, where it must steer nothing: in a log, in a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Escape what cannot be printed: line breaks, the escapes of terminals."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable_lines(text: str) -> str:
    """Escape what cannot be printed but line breaks and tabs."""
    lines = (map(printable, line.split("\t")) for line in text.splitlines())
    return "\n".join(map("\t".join, lines))
