"""Cron text, read with croniter.

Versions of croniter do not agree. From 1.4, to which other extensions pin it, to 7.0 its iteration
differs around DST and even without (1.4 skips 1 March in ``0 0 1,31 * *``), and its reading differs
in ``9-9``, ``22-4``, ``1/3``, ``?``, ``15W`` and a few more. So croniter reads the text, what it
reads differently is settled or refused before, and the iteration is ours.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from nbsession.core.cron_fields import CronFields, DayRule, NthWeekday

if TYPE_CHECKING:
    from collections.abc import Sequence

_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class _Field(NamedTuple):
    name: str
    lowest: int
    highest: int
    right: str


_FIELDS = (
    _Field("minute", 0, 59, "0 to 59"),
    _Field("hour", 0, 23, "0 to 23"),
    _Field("day of the month", 1, 31, "1 to 31, or L for the last day"),
    _Field("month", 1, 12, "1 to 12, or jan to dec"),
    _Field("day of the week", 0, 6, "0 to 7, sun to sat, fri#2 (the second), L5 (the last Friday)"),
    _Field("second", 0, 59, "0 to 59"),
)
_MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY, _SECOND = range(6)
_STAR = "*"

_RANGE = re.compile(r"(\w+)(?:-(\w+))?(?:/(\d+))?", re.ASCII)
_FOLLOWS_REAL_TIME = re.compile(r"\*(/\d+)?", re.ASCII)
# Jenkins' hashes, chance, the nearest weekday: no version's, or the newest's only.
_FOREIGN = re.compile(r"[hr]([(/].*)?|\d+w|w\d+|lw", re.ASCII)


class CronText(NamedTuple):
    """Cron text that was understood.

    Attributes
    ----------
    text
        The text itself in lower case with single spaces.
    fields
        The wall times that it names.
    follows_real_time
        Whether the hour field is ``*`` or ``*/n``, which makes a difference when clocks change.
    """

    text: str
    fields: CronFields
    follows_real_time: bool


def read_cron(text: str) -> CronText:
    """Read a cron expression.

    Parameters
    ----------
    text
        Five fields (minute, hour, day of the month, month, day of the week) or six with the
        seconds last, with names, lists, ranges, steps, ``L`` and ``#``; or ``@daily``, ``@hourly``
        and their like.

    Raises
    ------
    ValueError
        If it cannot be understood, or matches no day ever.
    """
    canonical = " ".join(text.lower().split())
    fields = _ALIASES.get(canonical, canonical).split(" ")
    _check_shape(text, canonical, len(fields))
    expanded: list[list[Any]] = []
    nth_weekdays: dict[Any, set[Any]] = {}
    for index, field in enumerate(fields):
        try:
            values, nth = _read_field(index, field)
        except ValueError as error:
            raise ValueError(_field_message(text, index, field)) from error
        expanded.append(values)
        nth_weekdays |= nth
    day_rule = _day_rule(text, fields, expanded, nth_weekdays)
    if day_rule.is_empty():
        raise ValueError(f"cron={text!r} never matches: no month that it names has such a day")
    hours, minutes = _numbers(_HOUR, expanded[_HOUR]), _numbers(_MINUTE, expanded[_MINUTE])
    seconds = _numbers(_SECOND, expanded[_SECOND]) if len(fields) > _SECOND else [0]
    follows_real_time = _FOLLOWS_REAL_TIME.fullmatch(fields[_HOUR]) is not None
    return CronText(canonical, CronFields(day_rule, hours, minutes, seconds), follows_real_time)


def _check_shape(text: str, canonical: str, count: int) -> None:
    if canonical == "@reboot":
        raise ValueError(
            "cron='@reboot' names no time: to run at every start, schedule the task in the setup "
            "script without at, period and cron"
        )
    if canonical.startswith("@") and canonical not in _ALIASES:
        raise ValueError(f"cron={text!r} is not understood: use one of {', '.join(_ALIASES)}")
    if not text.isascii():
        raise ValueError(f"cron={text!r} is not understood: use ASCII digits, letters and spaces")
    if count not in {5, 6}:
        raise ValueError(
            f"cron={text!r} has {count if canonical else 0} fields: give five (minute, hour, day "
            "of the month, month, day of the week), or six with the seconds last"
        )


def _field_message(text: str, index: int, field: str) -> str:
    name, _, _, right = _FIELDS[index]
    return (
        f"cron={text!r}: the {name} field {field!r} is not understood: use {right}; also *, and "
        "lists (1,3), ranges (1-5) and steps (*/5) of them"
    )


def _read_field(index: int, field: str) -> tuple[list[Any], dict[Any, set[Any]]]:
    """Let croniter read one field: its values, and the weekdays of which only some count."""
    from croniter import croniter

    if field == "?" and index in {_DAY, _WEEKDAY}:
        field = _STAR
    # One by one, since of six fields 1.4 reads days differently: 0 for 1, and 7 never matches.
    fields = [_STAR] * (6 if index == _SECOND else 5)
    fields[index] = ",".join(_settle(index, item) for item in field.split(","))
    expanded, nth_weekdays = croniter.expand(" ".join(fields))[:2]
    return expanded[index], nth_weekdays


def _settle(index: int, item: str) -> str:
    """Rewrite an item so that every version of croniter reads it alike."""
    if _FOREIGN.fullmatch(item):
        raise ValueError(item)
    if "#" in item:
        base, _, nth = item.partition("#")
        return ",".join(f"{day}#{nth}" for day in _settle(index, base).split(","))
    match = _RANGE.fullmatch(item)
    if match is None or match.group(2, 3) == (None, None):
        return item
    low, high = _number(index, match[1]), _FIELDS[index].highest
    if match[2] and not (index == _DAY and match[2] == "l"):
        high = _number(index, match[2])
    return _written_out(index, low, high, int(match[3] or 1))


def _number(index: int, word: str) -> int:
    from croniter import croniter

    return int(word if word.isdecimal() else croniter.ALPHACONV[index].get(word, word))


def _written_out(index: int, low: int, high: int, step: int) -> str:
    """Return the values of a range as a list; one that ends before it starts goes round."""
    _, lowest, highest, _ = _FIELDS[index]
    most = 7 if index == _WEEKDAY else highest
    if not (lowest <= low <= most and lowest <= high <= most):
        raise ValueError(low, high)
    length = highest - lowest + 1
    end = high if low <= high else high + length
    return ",".join(str((n - lowest) % length + lowest) for n in range(low, end + 1, step))


def _numbers(index: int, values: Sequence[Any]) -> Sequence[Any]:
    _, lowest, highest, _ = _FIELDS[index]
    return range(lowest, highest + 1) if _STAR in values else values


def _day_rule(
    text: str,
    fields: Sequence[str],
    expanded: Sequence[Sequence[Any]],
    nth_weekdays: dict[Any, set[Any]],
) -> DayRule:
    months = _numbers(_MONTH, expanded[_MONTH])
    # As in Vixie's cron: with a field that begins with a star both have to match, `*/2` included;
    # without one either will do, also where a field names every day as `1-31`.
    both = any(fields[index].startswith((_STAR, "?")) for index in (_DAY, _WEEKDAY))
    any_day = both and _STAR in expanded[_DAY]
    days = [0 if day == "l" else day for day in _numbers(_DAY, expanded[_DAY])]
    if nth_weekdays:
        if not fields[_DAY].startswith((_STAR, "?")):
            raise ValueError(
                f"cron={text!r} gives both a day of the month and an nth weekday "
                f"({fields[_WEEKDAY]!r}): write * for one of them, or make two tasks"
            )
        nths = [
            NthWeekday(day % 7, None if nth == "l" else nth)
            for day, found in nth_weekdays.items()
            for nth in found
        ]
        return DayRule(months, None if any_day else days, None, nths, both=True)
    any_weekday = both and _STAR in expanded[_WEEKDAY]
    weekdays = [day % 7 for day in _numbers(_WEEKDAY, expanded[_WEEKDAY])]
    return DayRule(months, None if any_day else days, None if any_weekday else weekdays, both=both)
