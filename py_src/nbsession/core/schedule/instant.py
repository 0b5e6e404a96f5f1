"""Instants: moments as whole microseconds since the epoch, UTC.

The scheduler counts in them, since an int is compared, stored and added to without a time zone.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

MICROSECOND = timedelta(microseconds=1)
SECOND_US = 1_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

EARLIEST_US = (datetime(2, 1, 1, tzinfo=UTC) - _EPOCH) // MICROSECOND
LATEST_US = (datetime(9999, 1, 1, tzinfo=UTC) - _EPOCH) // MICROSECOND
"""The last instant that is used: datetime can still show it in every time zone."""


def to_instant(moment: datetime) -> int:
    """Return an aware datetime as an instant."""
    if moment.utcoffset() is None:
        raise ValueError(
            f"{moment!r} has no time zone, so it could be any of many moments: "
            "give it one, as in moment.replace(tzinfo=datetime.UTC)"
        )
    return checked((moment - _EPOCH) // MICROSECOND)


def from_instant(instant_us: int) -> datetime:
    """Return an instant as an aware UTC datetime."""
    return _EPOCH + timedelta(microseconds=instant_us)


def checked(instant_us: int) -> int:
    """Return the instant."""
    if EARLIEST_US <= instant_us < LATEST_US:
        return instant_us
    raise ValueError("that moment is too far away: use the years 2 to 9998")


def to_iso(instant_us: int) -> str:
    """Return an instant as ISO 8601 text in UTC, such as ``2026-11-22T09:30:00Z``."""
    return f"{from_instant(instant_us).replace(tzinfo=None).isoformat()}Z"


def iso_text(moment: datetime) -> str:
    """Return an aware UTC datetime as `to_iso` writes instants."""
    return moment.isoformat().replace("+00:00", "Z")


def iso_or_none(instant_us: int | None) -> str | None:
    """Return `to_iso` of an instant, None of None."""
    return None if instant_us is None else to_iso(instant_us)


def from_iso(text: str) -> int:
    """Return the instant of an ISO 8601 text that names its offset from UTC."""
    return to_instant(datetime.fromisoformat(text))


def instant_or_none(text: str | None) -> int | None:
    """Return `from_iso` of a text, None of None."""
    return None if text is None else from_iso(text)
