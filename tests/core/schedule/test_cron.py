"""What a cron expression does where the clocks change, case by case."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nbsession.core.schedule import cron
from nbsession.core.schedule.cron import CronExpression
from nbsession.core.schedule.instant import from_instant, to_instant
from nbsession.core.schedule.zone import find_zone


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


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Beirut"])
@pytest.mark.parametrize(
    "text",
    ["0 9 * * *", "*/20 * * * *", "30 0,2,23 * * mon,sat", "59 23 1 * *", "5-7 */5 * * * 0,30"],
)
def test_matches_are_counted_as_if_one_by_one(
    zone: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cron, "COUNTING_SECONDS", 10)
    expression = CronExpression(text, find_zone(zone))
    for begin in (
        "2017-02-15T03:10:20",
        "2017-10-10T22:59:59",
        "2027-03-25T00:00",
        "2027-10-28T00:00",
    ):
        matches = [expression.next_after(to_instant(datetime.fromisoformat(f"{begin}+00:00")))]
        while len(matches) < 400:
            matches.append(expression.next_after(matches[-1] or 0))
        for last in (0, 1, 2, 30, 217, 399):
            assert expression.count(matches[0] or 0, matches[last] or 0) == last + 1
            assert expression.count(matches[last // 2] or 0, matches[last] or 0) == (
                last - last // 2 + 1
            )


@pytest.mark.parametrize(
    ("zone", "text", "first"),
    [
        # The gap ends at midnight: what lies in it comes on a day that is not named.
        ("Pacific/Apia", "15,45 23 * * 5", "2011-12-20T00:00"),
        ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "30 23 * * sat", "2027-03-10T00:00"),
    ],
)
def test_matches_in_a_gap_that_ends_at_midnight_are_counted(
    zone: str, text: str, first: str
) -> None:
    expression = CronExpression(text, find_zone(zone))
    matches = [expression.next_after(to_instant(datetime.fromisoformat(f"{first}+00:00")))]
    while len(matches) < 12:
        matches.append(expression.next_after(matches[-1] or 0))
    counts = [expression.count(matches[0] or 0, match or 0) for match in matches]
    assert counts == [*range(1, 13)]


@pytest.mark.parametrize("text", ["* * * * *", "* * * * * *"])
def test_no_more_than_ten_thousand_matches_are_counted(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cron, "COUNTING_SECONDS", 10)
    expression = CronExpression(text, find_zone("Europe/Berlin"))
    step = 60_000_000 if text.count("*") == 5 else 1_000_000
    first = to_instant(datetime(2027, 1, 5, 23, 58, tzinfo=UTC))
    assert expression.count(first, first + 9_999 * step) == 10_000
    assert expression.count(first, first + 10_000 * step) is None


def test_matches_that_take_long_to_find_are_not_counted() -> None:
    expression = CronExpression("0 0 29 2 *", find_zone("UTC"))
    first = to_instant(datetime(2028, 2, 29, tzinfo=UTC))
    assert expression.count(first, to_instant(datetime(9000, 2, 28, tzinfo=UTC))) is None
