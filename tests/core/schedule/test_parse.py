from __future__ import annotations

import asyncio
import re
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from nbsession.core.schedule.cron import cron_expression
from nbsession.core.schedule.instant import to_instant
from nbsession.core.schedule.parse import make_trigger
from nbsession.core.schedule.triggers import (
    CodeTrigger,
    CronTrigger,
    OnceTrigger,
    PeriodTrigger,
    Trigger,
)
from nbsession.core.schedule.zone import find_zone

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = to_instant(datetime(2027, 1, 1, 12, tzinfo=UTC))
HOUR = 3_600_000_000
BERLIN = ZoneInfo("Europe/Berlin")
FAR = datetime(9999, 6, 1)  # noqa: DTZ001 - local time
NAIVE = datetime(2027, 1, 2, 9)  # noqa: DTZ001 - local time
NOON_UTC = datetime(2027, 1, 1, 12, tzinfo=UTC)


def make(at=None, period=None, cron=None, tz=None) -> Trigger:
    return make_trigger(at, period, cron, tz, NOW)


@pytest.fixture(autouse=True)
def local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "nbsession.core.schedule.zone._local_zone", lambda _: find_zone("Asia/Tokyo")
    )


def test_nothing_is_once_and_now() -> None:
    assert make() == OnceTrigger(NOW, is_now=True)


@pytest.mark.parametrize("period", ["1h", "60m", timedelta(hours=1)])
def test_a_period_starts_now(period: str | timedelta) -> None:
    trigger = make(period=period)
    assert trigger == PeriodTrigger(NOW, HOUR, is_from_now=True)
    assert trigger.schedule() == {"period": "1h"}


@pytest.mark.parametrize(
    ("at", "tz", "at_us"),
    [
        (NOON_UTC, None, NOW),
        (NOON_UTC.astimezone(BERLIN), None, NOW),
        (NAIVE, None, NOW + 12 * HOUR),
        (NAIVE, "Europe/Berlin", NOW + 20 * HOUR),
        (NAIVE, BERLIN, NOW + 20 * HOUR),
        (NAIVE, "UTC", NOW + 21 * HOUR),
        (datetime(2020, 1, 1, tzinfo=UTC), None, NOW - 61_380 * HOUR),
    ],
)
def test_at(at: datetime, tz, at_us: int) -> None:
    assert make(at=at, tz=tz) == OnceTrigger(at_us)
    assert make(at=at, tz=tz, period="1h") == PeriodTrigger(at_us, HOUR)


def test_cron_is_local_or_in_tz() -> None:
    local = make(cron="0 9 * * *")
    assert local.first(NOW) == NOW + 12 * HOUR
    berlin = make(cron="0 9 * * *", tz="Europe/Berlin")
    assert berlin == CronTrigger(cron_expression("0 9 * * *", find_zone("Europe/Berlin")))
    assert berlin.first(NOW) == NOW + 20 * HOUR


def test_cron_from_a_datetime_on() -> None:
    nine = datetime(2027, 1, 4, 9)  # noqa: DTZ001 - in tz
    for early_us in (0, 1):
        at = nine - timedelta(microseconds=early_us)
        trigger = make(at=at, cron="0 9 * * *", tz=BERLIN)
        assert trigger.first(NOW) == to_instant(nine.replace(tzinfo=BERLIN))
    late = make(at=nine + timedelta(microseconds=1), cron="0 9 * * *", tz=BERLIN)
    assert late.first(NOW) == to_instant(nine.replace(tzinfo=BERLIN)) + 24 * HOUR
    aware = make(at=NOON_UTC, cron="0 9 * * *", tz=BERLIN)
    assert aware.first(0) == NOW + 20 * HOUR


def test_code() -> None:
    assert make(at=lambda now: now) == CodeTrigger("callable")
    assert make(at=lambda _: None) == CodeTrigger("callable")
    assert make(at=iter([])) == CodeTrigger("iterator", find_zone("Asia/Tokyo"))
    assert make(at=iter([]), tz=BERLIN) == CodeTrigger("iterator", find_zone("Europe/Berlin"))
    assert make(at=(NAIVE for _ in range(2)), tz=BERLIN).kind == "iterator"


@pytest.mark.parametrize(
    ("schedule", "right"),
    [
        ({"period": "10 minutes"}, "write it as '10m'"),
        ({"period": ""}, "write it as '10m'"),
        ({"period": timedelta(0)}, "not more than 0"),
        ({"cron": ""}, "give five"),
        ({"cron": "@reboot"}, "setup script"),
        ({"cron": "0 0 31 2 *"}, "never matches"),
        ({"cron": "* * * * *", "tz": "Mars/Olympus"}, "is no time zone"),
        ({"at": NAIVE, "tz": "Mars/Olympus"}, "is no time zone"),
        ({"period": "1h", "cron": "* * * * *"}, "two schedules"),
        ({"at": NAIVE, "period": "1h", "cron": "* * * * *"}, "two schedules"),
        ({"at": lambda _: None, "period": "1h"}, "leave out period"),
        ({"at": lambda _: None, "cron": "* * * * *"}, "would have no effect|leave out cron"),
        ({"at": iter([]), "period": "1h"}, "leave out period"),
        ({"at": iter([]), "cron": "* * * * *"}, "leave out cron"),
        ({"tz": "UTC"}, "would have no effect"),
        ({"tz": "UTC", "period": "1h"}, "would have no effect"),
        ({"tz": "UTC", "at": NOON_UTC}, "would have no effect"),
        ({"tz": "UTC", "at": NOON_UTC, "period": "1h"}, "would have no effect"),
        ({"tz": "UTC", "at": lambda _: None}, "would have no effect"),
        ({"at": datetime(1, 1, 1)}, "years 2 to 9998"),  # noqa: DTZ001 - what is refused
        ({"at": datetime(9999, 12, 31, tzinfo=UTC)}, "years 2 to 9998"),
    ],
)
def test_what_cannot_be(schedule: dict[str, object], right: str) -> None:
    with pytest.raises(ValueError, match=right):
        make(**schedule)


@pytest.mark.parametrize(
    ("schedule", "right"),
    [
        ({"period": 5}, "write '5s'"),
        ({"period": 0}, "has no unit"),
        ({"period": 1.5}, "write '1.5s'"),
    ],
)
def test_a_period_without_a_unit(schedule: dict[str, object], right: str) -> None:
    with pytest.raises(TypeError, match=right):
        make(**schedule)


def in_turn(now: datetime) -> Iterator[datetime]:
    yield now


@pytest.mark.parametrize(
    ("schedule", "right"),
    [
        ({"period": True}, "or use a timedelta"),
        ({"period": ["1h"]}, "or use a timedelta"),
        ({"at": "10:00"}, "cron='0 10"),
        ({"at": time(10)}, "cron='0 10"),
        ({"at": date(2027, 1, 1)}, r"use datetime\(2027, 1, 1, 10, 0\)"),
        ({"at": 1_800_000_000}, "give a datetime"),
        ({"at": 1.5}, "give a datetime"),
        ({"at": timedelta(hours=1)}, "use period"),
        ({"at": [NAIVE]}, r"iter\("),
        ({"at": False}, "give a datetime"),
        ({"at": datetime}, "is a class: give a datetime"),
        ({"at": asyncio.sleep}, "is async"),
        ({"at": in_turn}, "give the iterator, by calling it"),
        ({"at": lambda: None}, "cannot be called with the UTC time alone"),
        ({"at": lambda now, then: then}, "missing a required argument: 'then'"),
        ({"cron": 5}, "give text"),
        ({"cron": ["* * * * *"]}, "give text"),
        ({"cron": b"* * * * *"}, "give text"),
        ({"cron": "* * * * *", "tz": 5}, "give a name"),
        ({"at": NAIVE, "tz": b"UTC"}, "give a name"),
        ({"tz": 5}, "give a name"),
        ({"period": "1h", "tz": 5}, "give a name"),
    ],
)
def test_what_is_of_a_wrong_type(schedule: dict[str, object], right: str) -> None:
    for kind in (TypeError, ValueError):
        with pytest.raises(kind, match=right):
            make(**schedule)


@pytest.mark.parametrize(
    "at", [lambda now, then=None: now, lambda *now: now[0], min, partial(max, 5)]
)
def test_callables_that_take_the_time(at: Any) -> None:
    assert make(at=at).schedule() == {"at": "callable"}


@pytest.mark.parametrize("at", [FAR, FAR.replace(tzinfo=UTC), FAR.replace(year=1)])
def test_a_moment_that_is_too_far_away_is_named(at: datetime) -> None:
    with pytest.raises(ValueError, match=rf"at={re.escape(repr(at))}: .*the years 2 to 9998"):
        make(at=at)
