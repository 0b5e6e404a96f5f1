"""The wall times that a cron expression names, whatever the zone."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from calendar import monthrange
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_DAY = timedelta(days=1)
_LAST_YEAR = 9998

# Within these 29 years every date comes on every weekday, 29 February too.
_CYCLE_START = date(2000, 1, 1)
_CYCLE_LAST_YEAR = 2028


class NthWeekday(NamedTuple):
    """A weekday of the month: the second Friday, the last Monday.

    Attributes
    ----------
    weekday
        0 to 6, Sunday is 0.
    nth
        1 to 5, or None for the last one.
    """

    weekday: int
    nth: int | None

    def matches(self, day: date) -> bool:
        """Return whether a day is it."""
        if day.isoweekday() % 7 != self.weekday:
            return False
        if self.nth is None:
            return day.day + 7 > monthrange(day.year, day.month)[1]
        return (day.day + 6) // 7 == self.nth


class DayRule:
    """Which days an expression names.

    Parameters
    ----------
    months
        1 to 12.
    days
        Days of the month, 0 for the last one; None for every day.
    weekdays
        0 to 6, Sunday is 0; None for every day.
    nth_weekdays
        If there are any, a day must be one of them; `weekdays` is None then.
    both
        Whether a day must be in both `days` and `weekdays`, if both are given; else one will do.
    """

    __slots__ = ("_both", "_days", "_every_day", "_months", "_nth_weekdays", "_weekdays")

    def __init__(
        self,
        months: Iterable[int],
        days: Iterable[int] | None,
        weekdays: Iterable[int] | None,
        nth_weekdays: Iterable[NthWeekday] = (),
        *,
        both: bool = False,
    ) -> None:
        self._both = both
        self._months = frozenset(months)
        self._days = None if days is None else frozenset(days)
        self._weekdays = None if weekdays is None else frozenset(weekdays)
        self._nth_weekdays = tuple(nth_weekdays)
        self._every_day = (
            len(self._months) == 12  # noqa: PLR2004 - a year's
            and self._days is None
            and self._weekdays is None
            and not self._nth_weekdays
        )

    def includes(self, day: date) -> bool:
        """Return whether the rule names a day."""
        if self._every_day:
            return True
        if day.month not in self._months:
            return False
        by_day = self._days is None or self._has_day(day, self._days)
        if self._nth_weekdays:
            return by_day and any(nth.matches(day) for nth in self._nth_weekdays)
        by_weekday = self._weekdays is None or day.isoweekday() % 7 in self._weekdays
        if self._both or self._days is None or self._weekdays is None:
            return by_day and by_weekday
        return by_day or by_weekday

    @staticmethod
    def _has_day(day: date, days: frozenset[int]) -> bool:
        return day.day in days or (
            0 in days and day.day >= 28 and day.day == monthrange(day.year, day.month)[1]  # noqa: PLR2004
        )

    def next_from(self, day: date, last_year: int = _LAST_YEAR) -> date | None:
        """Return the first day that is not before `day`, None if there is none."""
        while day.year <= last_year:
            if self.includes(day):
                return day
            if day.month in self._months:
                day += _DAY
            else:
                day = (day.replace(day=28) + 4 * _DAY).replace(day=1)
        return None

    def is_empty(self) -> bool:
        """Return whether there is no such day in any year."""
        return self.next_from(_CYCLE_START, _CYCLE_LAST_YEAR) is None


class CronFields:
    """What the fields of a cron expression say; not to be changed.

    Parameters
    ----------
    day_rule
        Which days.
    hours, minutes, seconds
        When on those days. None may be empty.
    """

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
