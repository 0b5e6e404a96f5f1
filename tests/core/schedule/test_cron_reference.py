"""Cron expressions against a slow reference that looks at every minute, or second, there is.

The reference shares nothing with what it checks: it draws the sets of values first and writes the
text from them, lists every instant of a window with its wall time, and reads the rule off the list.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbsession.core.schedule.cron import CronExpression
from nbsession.core.schedule.instant import to_instant
from nbsession.core.schedule.zone import find_zone

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)

YEARS = {
    "Europe/Berlin": (2026, 2027),
    "America/New_York": (2026, 2027),
    "Australia/Lord_Howe": (2026, 2027),  # half an hour
    "Asia/Beirut": (2026, 2027),  # at midnight
    "America/Sao_Paulo": (2017, 2018),  # at midnight
    "Africa/Casablanca": (2026, 2027),  # Ramadan
    "Pacific/Apia": (2010, 2011),  # one day did not exist
}


@dataclass(frozen=True)
class Drawn:
    """An expression, and what it means."""

    text: str
    hours_are_starred: bool
    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int] | None
    months: frozenset[int]
    weekdays: frozenset[int] | None

    def matches(self, wall: datetime) -> bool:
        return (
            wall.second in self.seconds
            and wall.minute in self.minutes
            and wall.hour in self.hours
            and wall.month in self.months
            and self.has_day(wall.date())
        )

    def has_day(self, day: date) -> bool:
        by_day = self.days is not None and day.day in self.days
        by_weekday = self.weekdays is not None and (day.weekday() + 1) % 7 in self.weekdays
        fields = self.text.split()
        if fields[2].startswith("*") or fields[4].startswith("*"):
            return (self.days is None or by_day) and (self.weekdays is None or by_weekday)
        return by_day or by_weekday


def field(
    low: int, high: int, *, written_out: bool = False
) -> st.SearchStrategy[tuple[str, frozenset[int]]]:
    """Draw the text of one field and the values that it stands for."""
    number = st.integers(low, high)
    singles = st.lists(number, min_size=1, max_size=4).map(
        lambda numbers: (",".join(map(str, numbers)), frozenset(numbers))
    )
    ranges = st.tuples(number, number, st.integers(1, 9)).map(
        lambda drawn: (
            f"{min(drawn[:2])}-{max(drawn[:2])}/{drawn[2]}",
            frozenset(range(min(drawn[:2]), max(drawn[:2]) + 1, drawn[2])),
        )
    )
    if written_out:
        return singles | ranges
    steps = st.integers(1, 30).map(lambda n: (f"*/{n}", frozenset(range(low, high + 1, n))))
    stars = st.just(("*", frozenset(range(low, high + 1))))
    return stars | singles | steps | ranges


def starred(low: int, high: int) -> st.SearchStrategy[tuple[str, frozenset[int]]]:
    """Draw a field that begins with a star and names only some values."""
    steps = st.integers(2, 9).map(lambda n: (f"*/{n}", frozenset(range(low, high + 1, n))))
    more = st.tuples(steps, st.integers(low, high)).map(
        lambda drawn: (f"{drawn[0][0]},{drawn[1]}", drawn[0][1] | {drawn[1]})
    )
    return steps | more


STAR = ("*", None)


@st.composite
def day_fields(draw):
    """Draw the fields for day of the month, month, and day of the week."""
    days = st.just(STAR) | field(1, 28, written_out=True) | starred(1, 31)
    weekdays = st.just(STAR) | field(0, 6, written_out=True) | starred(0, 6)
    return draw(days), draw(st.just(STAR) | field(1, 12)), draw(weekdays)


@st.composite
def expressions(draw, *, with_seconds: bool = False, with_days: bool = False) -> Drawn:
    second = draw(field(0, 59)) if with_seconds else ("", frozenset({0}))
    # Clocks change at night, most of them.
    minute, hour = draw(field(0, 59)), draw(field(0, 23) | field(0, 3, written_out=True))
    # Else hardly any expression would match within a window.
    with_days = with_days or draw(st.integers(0, 5)) == 0
    day, month, weekday = draw(day_fields()) if with_days else (STAR, STAR, STAR)
    texts = (minute[0], hour[0], day[0], month[0], weekday[0], second[0])
    return Drawn(
        " ".join(texts).strip(),
        hour[0].startswith("*"),
        second[1],
        minute[1],
        hour[1],
        day[1],
        month[1] or frozenset(range(1, 13)),
        weekday[1],
    )


@lru_cache
def shifts(name: str) -> list[datetime]:
    """Return when the zone's offset changes, to the minute, UTC."""
    zone = ZoneInfo(name)
    first, last = YEARS[name]
    found = []
    moment, end = datetime(first, 1, 1, tzinfo=UTC), datetime(last + 1, 1, 1, tzinfo=UTC)
    while moment < end:
        later = moment + timedelta(hours=6)
        if moment.astimezone(zone).utcoffset() != later.astimezone(zone).utcoffset():
            minute = moment
            while minute.astimezone(zone).utcoffset() == moment.astimezone(zone).utcoffset():
                minute += MINUTE
            found.append(minute)
        moment = later
    return found


@lru_cache
def window(name: str, start: datetime, end: datetime, step: timedelta) -> list:
    """Return every instant from `start` to before `end` with its naive wall time."""
    zone = ZoneInfo(name)
    count = (end - start) // step
    moments = (start + n * step for n in range(count))
    return [(moment, moment.astimezone(zone).replace(tzinfo=None)) for moment in moments]


def reference(drawn: Drawn, found: list, step: timedelta) -> list[datetime]:
    """Return the instants of a window at which the expression matches, by the rule."""
    if drawn.hours_are_starred:
        return [moment for moment, wall in found if drawn.matches(wall)]
    first_pass: dict[datetime, datetime] = {}
    for moment, wall in found:
        first_pass.setdefault(wall.replace(fold=0), moment)
    matches = set()
    wall, last = found[0][1], max(first_pass)
    while wall <= last:
        if drawn.matches(wall):
            here = first_pass.get(wall)
            matches.add(here or next(moment for moment, later in found if later > wall))
        wall += step
    return sorted(matches)


def all_matches(expression: CronExpression, start: datetime, end: datetime) -> list[int]:
    found = []
    instant_us = expression.next_after(to_instant(start) - 1)
    while instant_us is not None and instant_us < to_instant(end):
        found.append(instant_us)
        instant_us = expression.next_after(instant_us)
    return found


def check(name: str, drawn: Drawn, middle: datetime, reach: timedelta, step: timedelta) -> list:
    start, end = middle - reach, middle + reach
    found = window(name, start, end, step)
    expected = [to_instant(moment) for moment in reference(drawn, found, step)]
    expression = CronExpression(drawn.text, find_zone(name))
    assert all_matches(expression, start, end) == expected
    return expected


DEFAULT = settings(database=None, derandomize=True, deadline=None, max_examples=15)
LARGE = settings(database=None, deadline=None, max_examples=400)


def shift_of(data, name: str) -> datetime:
    return data.draw(st.sampled_from(shifts(name)), label="shift")


@pytest.mark.parametrize("name", ["Europe/Berlin", "Australia/Lord_Howe"])
@settings(DEFAULT, max_examples=8)
@given(data=st.data(), drawn=expressions(with_seconds=True))
def test_every_second_around_a_shift(name: str, data, drawn: Drawn) -> None:
    check(name, drawn, shift_of(data, name), timedelta(minutes=61), SECOND)


@pytest.mark.parametrize("name", YEARS)
@DEFAULT
@given(data=st.data(), drawn=expressions())
def test_every_minute_around_a_shift(name: str, data, drawn: Drawn) -> None:
    """The matches one by one, then those after any instant: nothing else counts."""
    shift = shift_of(data, name)
    expected = check(name, drawn, shift, timedelta(hours=27), MINUTE)
    expression = CronExpression(drawn.text, find_zone(name))
    minutes_us = st.integers(-75, 75).map(lambda minutes: minutes * 60_000_000)
    near = minutes_us.map(lambda minutes: to_instant(shift) + minutes)
    if expected:
        near |= st.sampled_from(expected)
    starts = st.tuples(near, st.integers(-1, 1) | st.integers(0, 60_000_000)).map(sum)
    for start in data.draw(st.lists(starts, min_size=5, max_size=15)):
        after = [instant_us for instant_us in expected if instant_us > start]
        if after:
            assert expression.next_after(start) == after[0]


@settings(DEFAULT, max_examples=50)
@given(drawn=expressions(with_days=True))
def test_every_day_of_two_years(drawn: Drawn) -> None:
    expression = CronExpression(drawn.text, find_zone("UTC"))
    days = [date(2027, 1, 1) + timedelta(days=n) for n in range(731)]
    expected = [day for day in days if day.month in drawn.months and drawn.has_day(day)]
    found = []
    end = datetime(2029, 1, 1, tzinfo=UTC)
    instant_us = expression.next_after(to_instant(datetime(2027, 1, 1, tzinfo=UTC)) - 1)
    while instant_us is not None and instant_us < to_instant(end):
        day = find_zone("UTC").wall(instant_us).date()
        found.append(day)
        next_day = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        instant_us = expression.next_after(to_instant(next_day) - 1)
    assert found == expected


@pytest.mark.slow
@pytest.mark.stress
@pytest.mark.parametrize("name", YEARS)
@LARGE
@given(data=st.data(), drawn=expressions())
def test_every_minute_around_a_shift_at_length(name: str, data, drawn: Drawn) -> None:
    check(name, drawn, shift_of(data, name), timedelta(hours=27), MINUTE)


@pytest.mark.slow
@pytest.mark.stress
@pytest.mark.parametrize("name", YEARS)
@settings(LARGE, max_examples=4)
@given(drawn=expressions())
def test_every_minute_of_two_years(name: str, drawn: Drawn) -> None:
    first, last = YEARS[name]
    start, end = datetime(first, 1, 2, tzinfo=UTC), datetime(last + 1, 1, 1, tzinfo=UTC)
    check(name, drawn, start + (end - start) / 2, (end - start) / 2, MINUTE)


@pytest.mark.slow
@pytest.mark.stress
@pytest.mark.parametrize("name", YEARS)
@settings(LARGE, max_examples=40)
@given(data=st.data(), drawn=expressions(with_seconds=True))
def test_every_second_around_a_shift_at_length(name: str, data, drawn: Drawn) -> None:
    check(name, drawn, shift_of(data, name), timedelta(minutes=61), SECOND)
