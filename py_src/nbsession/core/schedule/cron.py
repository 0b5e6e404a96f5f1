"""Cron expressions in a time zone, also while its clocks change."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from time import thread_time
from typing import TYPE_CHECKING, Any, NamedTuple

from .instant import EARLIEST_US, LATEST_US, MICROSECOND

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from .zone import Zone

_DAY = timedelta(days=1)
_LAST_YEAR = 9998

# Within these 29 years every date comes on every weekday, 29 February too.
_CYCLE_START = date(2000, 1, 1)
_CYCLE_LAST_YEAR = 2028


class NthWeekday(NamedTuple):
    """A weekday of the month: the second Friday, the last Monday."""

    weekday: int
    nth: int | None

    def matches(self, day: date) -> bool:
        """Return whether a day is it."""
        if day.isoweekday() % 7 != self.weekday:
            return False
        if self.nth is None:
            return day.day + 7 > monthrange(day.year, day.month)[1]
        return (day.day + 6) // 7 == self.nth


@dataclass(slots=True)
class DayRule:
    """The days that an expression names; None for any."""

    months: Container[int]
    days: Container[int] | None
    weekdays: Container[int] | None
    nth_weekdays: Sequence[NthWeekday] = ()
    both: bool = False
    """Whether a day of the month and a weekday have to match, or either."""

    def includes(self, day: date) -> bool:
        """Return whether the rule names a day."""
        if day.month not in self.months:
            return False
        by_day = self.days is None or day.day in self.days or self._is_last(day, self.days)
        if self.nth_weekdays:
            return by_day and any(nth.matches(day) for nth in self.nth_weekdays)
        by_weekday = self.weekdays is None or day.isoweekday() % 7 in self.weekdays
        if self.both or self.days is None or self.weekdays is None:
            return by_day and by_weekday
        return by_day or by_weekday

    @staticmethod
    def _is_last(day: date, days: Container[int]) -> bool:
        return 0 in days and day.day >= 28 and day.day == monthrange(day.year, day.month)[1]  # noqa: PLR2004

    def next_from(self, day: date, last_year: int = _LAST_YEAR) -> date | None:
        """Return the first day that is not before `day`, None if there is none."""
        while day.year <= last_year:
            if self.includes(day):
                return day
            if day.month in self.months:
                day += _DAY
            else:
                day = (day.replace(day=28) + 4 * _DAY).replace(day=1)
        return None

    def is_empty(self) -> bool:
        """Return whether there is no such day in any year."""
        return self.next_from(_CYCLE_START, _CYCLE_LAST_YEAR) is None


class CronFields:
    """The times of day and the days of a cron expression; not to be changed."""

    __slots__ = ("_first", "_hours", "_minutes", "_seconds", "day_rule")

    def __init__(
        self,
        day_rule: DayRule,
        hours: Iterable[int],
        minutes: Iterable[int],
        seconds: Iterable[int],
    ) -> None:
        self.day_rule = day_rule
        self._hours = sorted(hours)
        self._minutes = sorted(minutes)
        self._seconds = sorted(seconds)
        self._first = time(self._hours[0], self._minutes[0], self._seconds[0])

    def next_after(self, wall: datetime) -> datetime | None:
        """Return the first wall time that comes after a naive one; None after the year 9998."""
        today = wall.date()
        if self.day_rule.includes(today):
            later = self._later(wall.hour, wall.minute, wall.second)
            if later is not None:
                return datetime.combine(today, later)
        day = self.day_rule.next_from(today + _DAY)
        return None if day is None else datetime.combine(day, self._first)

    def count_later(self, wall: datetime) -> int:
        """Return how many times come after a naive wall time on its day.

        None do on a day that the rule does not name: the end of a gap may be its first moment.
        """
        if not self.day_rule.includes(wall.date()):
            return 0
        hours, minutes, seconds = self._hours, self._minutes, self._seconds
        until = bisect_right(seconds, wall.second) if wall.minute in minutes else 0
        until += bisect_left(minutes, wall.minute) * len(seconds)
        until = until if wall.hour in hours else 0
        per_hour = len(minutes) * len(seconds)
        return (len(hours) - bisect_left(hours, wall.hour)) * per_hour - until

    def _later(self, hour: int, minute: int, second: int) -> time | None:
        """Return the first time of a day that comes after one, None if that was the last."""
        hours, minutes, seconds = self._hours, self._minutes, self._seconds
        next_hour = bisect_right(hours, hour)
        if next_hour and hours[next_hour - 1] == hour:
            next_minute = bisect_right(minutes, minute)
            if next_minute and minutes[next_minute - 1] == minute:
                next_second = bisect_right(seconds, second)
                if next_second < len(seconds):
                    return time(hour, minute, seconds[next_second])
            if next_minute < len(minutes):
                return time(hour, minutes[next_minute], seconds[0])
        if next_hour < len(hours):
            return time(hours[next_hour], minutes[0], seconds[0])
        return None


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
_MINUTE, _HOUR, _MONTH_DAY, _MONTH, _WEEKDAY, _SECOND = range(6)
_STAR = "*"

_RANGE = re.compile(r"(\w+)(?:-(\w+))?(?:/(\d+))?", re.ASCII)
_FOLLOWS_REAL_TIME = re.compile(r"\*(/\d+)?", re.ASCII)
# Jenkins' hashes, chance, the nearest weekday: no version's, or the newest's only.
_FOREIGN = re.compile(r"[hr]([(/].*)?|\d+w|w\d+|lw", re.ASCII)


def read_cron(text: str) -> tuple[str, CronFields, bool]:
    """Return an expression's canonical text, its fields, and whether it follows real time."""
    canonical = " ".join(text.lower().split())
    fields = _ALIASES.get(canonical, canonical).split(" ")
    _check_shape(text, canonical, len(fields))
    expanded: list[list[Any]] = []
    nth_weekdays: dict[Any, set[Any]] = {}
    for index, part in enumerate(fields):
        try:
            values, nth = _read_field(index, part)
        except ValueError as error:
            raise ValueError(_field_message(text, index, part)) from error
        expanded.append(values)
        nth_weekdays |= nth
    day_rule = _day_rule(text, fields, expanded, nth_weekdays)
    if day_rule.is_empty():
        raise ValueError(f"cron={text!r} never matches: no month that it names has such a day")
    hours, minutes = _numbers(_HOUR, expanded[_HOUR]), _numbers(_MINUTE, expanded[_MINUTE])
    seconds = _numbers(_SECOND, expanded[_SECOND]) if len(fields) > _SECOND else [0]
    follows_real_time = _FOLLOWS_REAL_TIME.fullmatch(fields[_HOUR]) is not None
    return canonical, CronFields(day_rule, hours, minutes, seconds), follows_real_time


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

    if field == "?" and index in {_MONTH_DAY, _WEEKDAY}:
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
    if match[2] and not (index == _MONTH_DAY and match[2] == "l"):
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
    months = {*_numbers(_MONTH, expanded[_MONTH])}
    # As in Vixie's cron: with a field that begins with a star both have to match, `*/2` included;
    # without one either will do, also where a field names every day as `1-31`.
    both = any(fields[index].startswith((_STAR, "?")) for index in (_MONTH_DAY, _WEEKDAY))
    any_day = both and _STAR in expanded[_MONTH_DAY]
    days = [0 if day == "l" else day for day in _numbers(_MONTH_DAY, expanded[_MONTH_DAY])]
    if nth_weekdays:
        if not fields[_MONTH_DAY].startswith((_STAR, "?")):
            raise ValueError(
                f"cron={text!r} gives both a day of the month and an nth weekday "
                f"({fields[_WEEKDAY]!r}): write * for one of them, or make two tasks"
            )
        nths = [
            NthWeekday(day % 7, None if nth == "l" else nth)
            for day, found in nth_weekdays.items()
            for nth in found
        ]
        return DayRule(months, None if any_day else {*days}, None, nths, both=True)
    any_weekday = both and _STAR in expanded[_WEEKDAY]
    weekdays = None if any_weekday else {day % 7 for day in _numbers(_WEEKDAY, expanded[_WEEKDAY])}
    return DayRule(months, None if any_day else {*days}, weekdays, both=both)


MOST_COUNTED = 10_000
COUNTING_SECONDS = 0.02
"""Of a server's event loop; CPU time, so that a busy machine does not change what is counted."""


@dataclass(slots=True, unsafe_hash=True)
class CronExpression:
    """The matches of a cron expression in a zone; not to be changed."""

    text: str
    zone: Zone
    _fields: CronFields = field(init=False, repr=False, compare=False)
    _follows_real_time: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.text, self._fields, self._follows_real_time = read_cron(self.text)

    def next_after(self, instant_us: int) -> int | None:
        """Return the first match that comes after an instant; None after the year 9998."""
        if instant_us >= LATEST_US:
            return None
        wall = self.zone.wall(max(instant_us, EARLIEST_US))
        if self._follows_real_time:
            following = self._next_in_real_time(wall)
        else:
            following = self._next_fixed(wall)
        return None if following is None or following >= LATEST_US else following

    def count(self, first_us: int, last_us: int) -> int | None:
        """Return how many matches there are from one to another, both included.

        None if they are more than `MOST_COUNTED`, or would take longer than `COUNTING_SECONDS`.
        """
        end = thread_time() + COUNTING_SECONDS
        count, at_us = 1, first_us
        while at_us < last_us and count <= MOST_COUNTED:
            wall, last = self.zone.wall(at_us), self.zone.wall(last_us)
            midnight = datetime.combine(wall.date() + _DAY, datetime.min.time())
            if self.zone.offset(wall) != self.zone.offset(midnight):  # the clocks change: by steps
                at_us, count = self.next_after(at_us) or last_us, count + 1
            elif last < midnight:
                count += self._fields.count_later(wall) - self._fields.count_later(last)
                at_us = last_us
            else:
                count += self._fields.count_later(wall) + 1
                at_us = self.next_after(self.zone.resolve(midnight) - 1) or last_us
            if thread_time() > end:
                return None
        return count if count <= MOST_COUNTED else None

    def _next_fixed(self, wall: datetime) -> int | None:
        shift = self.zone.shift_at(wall) if wall.fold else None
        # In the second pass nothing more can match.
        after = wall if shift is None else shift.end - MICROSECOND
        following = self._fields.next_after(after)
        return None if following is None else self.zone.resolve(following)

    def _next_in_real_time(self, wall: datetime) -> int | None:
        repeat = self.zone.shift_at(wall)
        if repeat is not None:
            for fold in range(wall.fold, 2):
                after = wall if fold == wall.fold else repeat.start - MICROSECOND
                following = self._fields.next_after(after)
                if following is not None and following < repeat.end:
                    return repeat.read(following, fold)
            wall = repeat.end - MICROSECOND
        following = self._fields.next_after(wall)
        while following is not None and (shift := self.zone.shift_at(following)) is not None:
            if not shift.is_gap:
                break
            following = self._fields.next_after(shift.end - MICROSECOND)
        return None if following is None else self.zone.resolve(following)


@lru_cache(maxsize=1024)
def cron_expression(text: str, zone: Zone) -> CronExpression:
    """Return a `CronExpression`; those of one text and zone are one object."""
    return CronExpression(text, zone)
