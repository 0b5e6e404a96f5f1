from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbsession.core.schedule.cron import cron_expression
from nbsession.core.schedule.instant import LATEST_US, to_instant
from nbsession.core.schedule.triggers import (
    CodeTrigger,
    CronTrigger,
    OnceTrigger,
    PeriodTrigger,
    Trigger,
    trigger_from_json,
)
from nbsession.core.schedule.zone import find_zone

SECOND = 1_000_000
HOUR = 3600 * SECOND
NOON = to_instant(datetime(2027, 1, 1, 12, tzinfo=UTC))
BERLIN = find_zone("Europe/Berlin")


def cron(text: str, start_us: int | None = None) -> CronTrigger:
    return CronTrigger(cron_expression(text, BERLIN), start_us)


TRIGGERS = [
    (OnceTrigger(NOON), {"at": "2027-01-01T12:00:00Z"}),
    (OnceTrigger(NOON, is_now=True), {}),
    (PeriodTrigger(NOON, HOUR, is_from_now=True), {"period": "1h"}),
    (
        PeriodTrigger(NOON + 1, 90 * SECOND),
        {"at": "2027-01-01T12:00:00.000001Z", "period": "1m30s"},
    ),
    (cron("0 9 * * MON"), {"cron": "0 9 * * mon", "tz": "Europe/Berlin"}),
    (
        cron("@daily", NOON),
        {"at": "2027-01-01T12:00:00Z", "cron": "@daily", "tz": "Europe/Berlin"},
    ),
    (CodeTrigger("callable"), {"at": "callable"}),
    (CodeTrigger("iterator", BERLIN), {"at": "iterator", "tz": "Europe/Berlin"}),
]


@pytest.mark.parametrize(("trigger", "schedule"), TRIGGERS)
def test_round_trip(trigger: Trigger, schedule: dict[str, str]) -> None:
    read = trigger_from_json(json.loads(json.dumps(trigger.to_json())))
    assert read == trigger
    assert hash(read) == hash(trigger)
    assert repr(read) == repr(trigger)
    assert read.schedule() == schedule


def test_triggers_differ() -> None:
    triggers = [trigger for trigger, _ in TRIGGERS]
    assert len(set(triggers)) == len(triggers)
    for n, trigger in enumerate(triggers):
        assert [other == trigger for other in triggers] == [n == m for m in range(len(triggers))]
    assert OnceTrigger(NOON) != (NOON, False)


def test_the_same_schedule_at_another_time() -> None:
    early, late = (
        PeriodTrigger(NOON, HOUR, is_from_now=True),
        PeriodTrigger(0, HOUR, is_from_now=True),
    )
    assert early != late
    assert early.schedule() == late.schedule()


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"kind": "yearly"},
        {"kind": "once"},
        {"kind": "once", "at": 5, "now": False},
        {"kind": "once", "at": "2027-01-01T12:00:00", "now": False},
        {"kind": "once", "at": "tomorrow", "now": False},
        {
            "kind": "period",
            "start": "2027-01-01T12:00:00Z",
            "period": "10 minutes",
            "from_now": True,
        },
        {"kind": "period", "start": "2027-01-01T12:00:00Z", "period": 5, "from_now": True},
        {"kind": "cron", "cron": "0 9 * * *", "tz": "Mars/Olympus", "start": None},
        {"kind": "cron", "cron": "0 9 * *", "tz": "UTC", "start": None},
        {"kind": "cron", "cron": "0 9 * * *", "tz": None, "start": None},
        {"kind": "code", "code": "oracle", "tz": None},
    ],
)
def test_what_is_no_trigger(data: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        trigger_from_json(data)


def test_once() -> None:
    trigger = OnceTrigger(NOON)
    assert trigger.first(NOON + HOUR) == NOON
    assert trigger.next_after(NOON - 1) == NOON
    assert trigger.next_after(NOON) is None


def test_period() -> None:
    trigger = PeriodTrigger(NOON, 10 * SECOND)
    assert trigger.first(NOON + HOUR) == NOON
    assert trigger.next_after(NOON - HOUR) == NOON
    assert trigger.next_after(NOON - 1) == NOON
    assert trigger.next_after(NOON) == NOON + 10 * SECOND
    assert trigger.next_after(NOON + 1) == NOON + 10 * SECOND
    assert trigger.next_after(NOON + 10 * SECOND - 1) == NOON + 10 * SECOND
    assert trigger.next_after(LATEST_US - 1) is None


@settings(database=None, derandomize=True)
@given(
    st.integers(NOON - 10**9, NOON + 10**9),
    st.integers(1, 10**9),
    st.integers(NOON - 10**10, NOON + 10**10),
)
def test_period_has_a_grid(start_us: int, period_us: int, instant_us: int) -> None:
    following = PeriodTrigger(start_us, period_us).next_after(instant_us)
    assert following is not None
    assert following > instant_us
    assert (following - start_us) % period_us == 0
    assert following == start_us or following - period_us <= instant_us


def test_a_period_is_elapsed_time() -> None:
    """At 00:30 in Los Angeles, 1 h, on the days on which the clocks change."""
    zone = find_zone("America/Los_Angeles")
    for day in (datetime(2027, 3, 14, 0, 30), datetime(2027, 11, 7, 0, 30)):  # noqa: DTZ001
        start_us = zone.resolve(day)
        trigger = PeriodTrigger(start_us, HOUR)
        times = [start_us]
        for _ in range(5):
            times.append(trigger.next_after(times[-1]))
        assert times == [start_us + n * HOUR for n in range(6)]


def test_cron() -> None:
    trigger = cron("0 9 * * *")
    nine = NOON - 4 * HOUR
    assert trigger.first(NOON) == nine + 24 * HOUR
    assert trigger.first(nine) == nine + 24 * HOUR
    assert trigger.next_after(nine - 1) == nine
    started = cron("0 9 * * *", nine + 48 * HOUR)
    assert started.first(NOON) == nine + 48 * HOUR
    assert started.first(NOON + 1000 * HOUR) == nine + 48 * HOUR
    assert started.next_after(NOON) == nine + 48 * HOUR
    assert cron("0 9 * * *", nine + 1).first(NOON) == nine + 24 * HOUR


@settings(database=None, derandomize=True, deadline=None, max_examples=30)
@given(
    st.sampled_from(
        ["* 9-10 * * *", "*/7 * * * * 30", "*/5 * 1,2 1 *", "0-9 0 * * mon", "* 2 * * *"]
    ),
    st.integers(0, 40 * 24 * HOUR),
)
def test_the_last_missed_match(text: str, asleep_us: int) -> None:
    trigger = cron(text)
    due_us = trigger.first(NOON)
    assert due_us is not None
    now_us = due_us + asleep_us
    last_us = trigger.last_until(due_us, now_us)
    assert due_us <= last_us <= now_us
    assert trigger.next_after(last_us - 1) == last_us
    following = trigger.next_after(last_us)
    assert following is not None
    assert following > now_us


def test_a_callable_answers_in_utc() -> None:
    trigger = CodeTrigger("callable")
    assert trigger.read_answer(datetime(2027, 1, 1, 12)) == NOON  # noqa: DTZ001 - naive is UTC
    assert trigger.read_answer(datetime(2027, 1, 1, 13, tzinfo=BERLIN.tzinfo)) == NOON
    assert trigger.read_answer(None) is None


def test_an_iterator_answers_in_local_time() -> None:
    trigger = CodeTrigger("iterator", BERLIN)
    assert trigger.read_answer(datetime(2027, 1, 1, 13)) == NOON  # noqa: DTZ001 - naive is local
    assert trigger.read_answer(datetime(2027, 1, 1, 12, tzinfo=UTC)) == NOON
    in_a_gap = datetime(2027, 3, 28, 2, 30)  # noqa: DTZ001 - as above
    assert trigger.read_answer(in_a_gap) == to_instant(datetime(2027, 3, 28, 1, tzinfo=UTC))
    assert trigger.read_answer(next(iter(()), None)) is None


@pytest.mark.parametrize(
    "answer", [5, 0.5, "10:00", True, timedelta(hours=1), datetime(2027, 1, 1, tzinfo=UTC).date()]
)
@pytest.mark.parametrize("trigger", [CodeTrigger("callable"), CodeTrigger("iterator", BERLIN)])
def test_no_answer_at_all(trigger: CodeTrigger, answer: object) -> None:
    with pytest.raises(TypeError, match="must be a datetime, or None to end the task"):
        trigger.read_answer(answer)


@pytest.mark.parametrize("trigger", [CodeTrigger("callable"), CodeTrigger("iterator", BERLIN)])
@pytest.mark.parametrize("tzinfo", [None, UTC])
def test_an_answer_too_far_away(trigger: CodeTrigger, tzinfo) -> None:
    for year in (1, 9999):
        with pytest.raises(ValueError, match="years 2 to 9998"):
            trigger.read_answer(datetime(year, 6, 1, tzinfo=tzinfo))
