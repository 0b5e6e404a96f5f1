from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from nbsession.core.schedule.instant import (
    EARLIEST_US,
    LATEST_US,
    checked,
    from_instant,
    from_iso,
    to_instant,
    to_iso,
)

INDIA = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    ("moment", "instant_us", "iso"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0, "1970-01-01T00:00:00Z"),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC), -1, "1969-12-31T23:59:59.999999Z"),
        (datetime(1970, 1, 1, 5, 30, tzinfo=INDIA), 0, "1970-01-01T00:00:00Z"),
        (
            datetime(2026, 11, 22, 9, 30, 0, 1, tzinfo=UTC),
            1_795_339_800_000_001,
            "2026-11-22T09:30:00.000001Z",
        ),
    ],
)
def test_there_and_back(moment: datetime, instant_us: int, iso: str) -> None:
    assert to_instant(moment) == instant_us
    assert from_instant(instant_us) == moment
    assert from_instant(instant_us).tzinfo is UTC
    assert to_iso(instant_us) == iso
    assert from_iso(iso) == instant_us


def test_naive_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        to_instant(datetime(2026, 11, 22))  # noqa: DTZ001 - what is refused
    with pytest.raises(ValueError, match="has no time zone"):
        from_iso("2026-11-22T09:30:00")


@pytest.mark.parametrize("year", [1, 9999])
def test_what_datetime_cannot_show_everywhere_is_refused(year: int) -> None:
    with pytest.raises(ValueError, match="years 2 to 9998"):
        to_instant(datetime(year, 6, 1, tzinfo=UTC))


def test_the_bounds() -> None:
    assert checked(EARLIEST_US) == EARLIEST_US
    assert checked(LATEST_US - 1) == LATEST_US - 1
    for outside in (EARLIEST_US - 1, LATEST_US):
        with pytest.raises(ValueError, match="too far away"):
            checked(outside)
