"""Periods: elapsed time between two runs, as whole microseconds."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import lru_cache

from nbsession.core.errors import ScheduleError

from .instant import SECOND_US

_UNITS = {
    "w": 604_800 * SECOND_US,
    "d": 86_400 * SECOND_US,
    "h": 3_600 * SECOND_US,
    "m": 60 * SECOND_US,
    "s": SECOND_US,
    "ms": 1_000,
}

# No more than 15 digits: enough for everything up to the longest period, and cheap to read.
_GRAMMAR = re.compile(
    r"(?:(\d{1,15})w)?(?:(\d{1,15})d)?(?:(\d{1,15})h)?(?:(\d{1,15})m)?"
    r"(?:(\d{1,15})(?:\.(\d{1,15}))?s)?(?:(\d{1,15})ms)?",
    re.ASCII,
)

LONGEST_US = 520_000 * _UNITS["w"]
"""About 10,000 years: as far as datetime goes."""

_RIGHT = (
    "write it as '10m', '1h30m', '0.5s' or '200ms' (w, d, h, m, s, ms, each once, in this order)"
)


def parse_period(period: object) -> int:
    """Return a period's length."""
    if isinstance(period, str):
        return _parse_text(period)
    if isinstance(period, timedelta):
        # By its fields: subclasses that are finer than a microsecond divide otherwise.
        seconds = period.days * 86_400 + period.seconds
        return _checked(seconds * SECOND_US + period.microseconds, period)
    if isinstance(period, int | float) and not isinstance(period, bool):
        raise TypeError(f"period={period!r} has no unit: {_right_for(period)}, or use a timedelta")
    raise ScheduleError(
        f"period={period!r} is of type {type(period).__name__}: {_RIGHT}, or use a timedelta"
    )


def _right_for(seconds: float) -> str:
    """Return what to write instead of a number, if that is a period in seconds."""
    text = f"{seconds}s"
    try:
        _parse_text(text)
    except ValueError:
        return _RIGHT
    return f"write {text!r}"


# Cached also so that 100,000 tasks of one period share one int.
@lru_cache(maxsize=1024)
def _parse_text(text: str) -> int:
    match = _GRAMMAR.fullmatch(text)
    if match is None or not text:
        raise ValueError(f"period={text!r} is not understood: {_RIGHT}")
    weeks, days, hours, minutes, seconds, decimals, milliseconds = match.groups("0")
    if decimals[6:].strip("0"):
        raise ValueError(f"period={text!r} is finer than a microsecond: give at most 6 decimals")
    counts = (weeks, days, hours, minutes, seconds, milliseconds)
    length_us = sum(int(n) * unit for n, unit in zip(counts, _UNITS.values(), strict=True))
    return _checked(length_us + int(decimals[:6].ljust(6, "0")), text)


def _checked(length_us: int, period: object) -> int:
    if length_us <= 0:
        raise ValueError(f"period={period!r} is not more than 0: {_RIGHT}")
    if length_us > LONGEST_US:
        raise ValueError(f"period={period!r} is beyond 10,000 years: give a shorter one")
    return length_us


def format_period(period_us: int) -> str:
    """Return the one text of a period that `parse_period` reads back, such as ``1h30m``."""
    text = ""
    rest = period_us
    for unit in ("w", "d", "h", "m"):
        count, rest = divmod(rest, _UNITS[unit])
        text += f"{count}{unit}" if count else ""
    seconds, fraction = divmod(rest, SECOND_US)
    if not rest:
        return text
    if not seconds and fraction % 1_000 == 0:
        return f"{text}{fraction // 1_000}ms"
    decimals = f".{fraction:06}".rstrip("0") if fraction else ""
    return f"{text}{seconds}{decimals}s"
