"""What a cron expression does where the clocks change, case by case."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nbsession.core.cron import CronExpression
from nbsession.core.instant import from_instant, to_instant
from nbsession.core.zone import find_zone


@pytest.mark.parametrize(
    ("zone", "text", "start", "matches"),
    [
        # Berlin 2027-03-28: 02:00+01 is 03:00+02, at 01:00 UTC
        ("Europe/Berlin", "30 1 * * *", "03-27 12:00", ["03-28 00:30", "03-28 23:30"]),
        ("Europe/Berlin", "30 2 * * *", "03-27 12:00", ["03-28 01:00", "03-29 00:30"]),
        ("Europe/Berlin", "0 2 * * *", "03-27 12:00", ["03-28 01:00", "03-29 00:00"]),
        ("Europe/Berlin", "0 3 * * *", "03-27 12:00", ["03-28 01:00", "03-29 01:00"]),
        ("Europe/Berlin", "*/15 2 * * *", "03-27 12:00", ["03-28 01:00", "03-29 00:00"]),
        ("Europe/Berlin", "*/15 2 * * * */10", "03-27 12:00", ["03-28 01:00", "03-29 00:00"]),
        ("Europe/Berlin", "30 2,3 * * *", "03-27 12:00", ["03-28 01:00", "03-28 01:30"]),
        ("Europe/Berlin", "0,30 2-3 * * *", "03-27 12:00", ["03-28 01:00", "03-28 01:30"]),
        ("Europe/Berlin", "0 * * * *", "03-27 23:30", ["03-28 00:00", "03-28 01:00"]),
        ("Europe/Berlin", "30 * * * *", "03-28 00:00", ["03-28 00:30", "03-28 01:30"]),
        ("Europe/Berlin", "30 */2 * * *", "03-27 22:00", ["03-27 23:30", "03-28 02:30"]),
        ("Europe/Berlin", "30 0-23 * * *", "03-28 00:00", ["03-28 00:30", "03-28 01:00"]),
        # Berlin 2027-10-31: 03:00+02 is 02:00+01, at 01:00 UTC
        ("Europe/Berlin", "30 2 * * *", "10-30 12:00", ["10-31 00:30", "11-01 01:30"]),
        ("Europe/Berlin", "30 2 * * *", "10-31 00:45", ["11-01 01:30"]),
        ("Europe/Berlin", "30 2 * * *", "10-31 01:15", ["11-01 01:30"]),
        (
            "Europe/Berlin",
            "*/30 2 * * *",
            "10-30 12:00",
            ["10-31 00:00", "10-31 00:30", "11-01 01:00"],
        ),
        ("Europe/Berlin", "30 1-3 * * *", "10-30 23:45", ["10-31 00:30", "10-31 02:30"]),
        (
            "Europe/Berlin",
            "*/30 * * * *",
            "10-31 00:00",
            ["10-31 00:30", "10-31 01:00", "10-31 01:30", "10-31 02:00"],
        ),
        (
            "Europe/Berlin",
            "15 */2 * * *",
            "10-30 23:00",
            ["10-31 00:15", "10-31 01:15", "10-31 03:15"],
        ),
        ("Europe/Berlin", "0 */3 * * *", "10-31 00:15", ["10-31 02:00", "10-31 05:00"]),
        ("Europe/Berlin", "15 0-23 * * *", "10-31 00:00", ["10-31 00:15", "10-31 02:15"]),
        # New York 2027-11-07: 02:00-04 is 01:00-05, at 06:00 UTC
        ("America/New_York", "30 1 * * *", "11-06 12:00", ["11-07 05:30", "11-08 06:30"]),
        ("America/New_York", "30 2 * * *", "03-13 12:00", ["03-14 07:00", "03-15 06:30"]),
        # Lord Howe: half an hour
        ("Australia/Lord_Howe", "15 2 * * *", "10-02 00:00", ["10-02 15:30", "10-03 15:15"]),
        ("Australia/Lord_Howe", "*/15 * * * *", "10-02 15:10", ["10-02 15:15", "10-02 15:30"]),
        ("Australia/Lord_Howe", "45 1 * * *", "04-03 00:00", ["04-03 14:45", "04-04 15:15"]),
        (
            "Australia/Lord_Howe",
            "45 * * * *",
            "04-03 14:00",
            ["04-03 14:45", "04-03 15:15", "04-03 16:15"],
        ),
        # Beirut: midnight itself is in the gap, and 00:00 comes after a second 23:00
        ("Asia/Beirut", "0 0 * * *", "03-27 00:00", ["03-27 22:00", "03-28 21:00"]),
        ("Asia/Beirut", "30 23 * * *", "10-30 12:00", ["10-30 20:30", "10-31 21:30"]),
    ],
)
def test_clocks_change_in_2027(zone: str, text: str, start: str, matches: list[str]) -> None:
    assert follow(zone, text, f"2027-{start}", len(matches)) == [f"2027-{m}" for m in matches]


def test_midnight_in_a_gap() -> None:
    """Sao Paulo skipped 00:00 to 01:00 on 2018-11-04, a Sunday."""
    found = follow("America/Sao_Paulo", "0 0 * * 0", "2018-11-03 12:00", 2)
    assert found == ["2018-11-04 03:00", "2018-11-11 02:00"]
    found = follow("America/Sao_Paulo", "0 */12 4 11 *", "2018-11-03 12:00", 2)
    assert found == ["2018-11-04 14:00", "2019-11-04 03:00"]


def test_a_day_that_never_was() -> None:
    """Samoa skipped 2011-12-30, a Friday: 24 h of wall time at 10:00 UTC."""
    found = follow("Pacific/Apia", "0 */6 * * *", "2011-12-30 00:00", 3)
    assert found == ["2011-12-30 04:00", "2011-12-30 10:00", "2011-12-30 16:00"]
    assert follow("Pacific/Apia", "0 9 * * *", "2011-12-29 12:00", 4) == [
        "2011-12-29 19:00",
        "2011-12-30 10:00",
        "2011-12-30 19:00",
        "2011-12-31 19:00",
    ]
    assert follow("Pacific/Apia", "* * * * fri * ", "2011-12-29 12:00", 1) == ["2012-01-05 10:00"]
    assert follow("Pacific/Apia", "0 12 * * fri", "2011-12-29 12:00", 1) == ["2011-12-30 10:00"]


def follow(zone: str, text: str, start: str, number: int) -> list[str]:
    expression = CronExpression(text, find_zone(zone))
    instant_us = to_instant(datetime.fromisoformat(start).replace(tzinfo=UTC))
    found = []
    for _ in range(number):
        following = expression.next_after(instant_us)
        assert following is not None
        instant_us = following
        found.append(f"{from_instant(instant_us):%Y-%m-%d %H:%M}")
    return found


@pytest.mark.parametrize("text", ["30 2 * * *", "*/30 * * * *", "0 9 * * mon"])
def test_it_remembers_nothing(text: str) -> None:
    expression = CronExpression(text, find_zone("Europe/Berlin"))
    starts = [to_instant(datetime(2027, 10, 30, hour, tzinfo=UTC)) for hour in range(24)]
    forwards = [expression.next_after(start) for start in starts]
    backwards = [expression.next_after(start) for start in reversed(starts)]
    assert forwards == backwards[::-1]
