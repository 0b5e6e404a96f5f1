from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from dateutil import tz as dateutil_tz

from nbsession.core.instant import to_instant
from nbsession.core.zone import find_zone


def utc(*parts: int) -> int:
    return to_instant(datetime(*parts, tzinfo=UTC))


def wall(*parts: int) -> datetime:
    return datetime(*parts)  # noqa: DTZ001 - wall time


class OldZone(tzinfo):
    """As pytz makes them."""

    zone = "Asia/Tokyo"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("UTC", "UTC"),
        ("UTC+05:30", "UTC+05:30"),
        ("UTC-0330", "UTC-03:30"),
        (ZoneInfo("America/New_York"), "America/New_York"),
        (UTC, "UTC"),
        (timezone(timedelta(hours=-3)), "UTC-03:00"),
        (timezone(timedelta(hours=2), "mine"), "UTC+02:00"),
        (timezone(timedelta(seconds=1, microseconds=2)), "UTC+00:00:01.000002"),
        (OldZone(), "Asia/Tokyo"),
        (dateutil_tz.UTC, "UTC"),
    ],
)
def test_a_zone_is_found_and_read_back_by_its_name(given: object, name: str) -> None:
    zone = find_zone(given)
    assert zone.name == name
    assert find_zone(zone.name) == zone
    assert hash(find_zone(zone.name)) == hash(zone)
    at = utc(2027, 7, 1, 12)
    assert zone.wall(at) == find_zone(name).wall(at)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("Mars/Olympus", "use a name such as"),
        ("", "use a name such as"),
        ("/etc/passwd", "use a name such as"),
        ("../UTC", "use a name such as"),
        ("\x00", "use a name such as"),
        ("UTC+25:00", "use a name such as"),
        ("Europe", "tz='Europe'"),
        ("europe/berlin", "did you mean 'Europe/Berlin'"),
        ("Berlin", "did you mean 'Europe/Berlin'"),
        ("New York", "did you mean 'America/New_York'"),
        (dateutil_tz.tzstr("EST5EDT"), "has no name to store it by"),
    ],
)
def test_what_is_no_zone(wrong: object, right: str) -> None:
    with pytest.raises(ValueError, match=right):
        find_zone(wrong)


@pytest.mark.parametrize("wrong", [1, 1.5, b"UTC", timedelta(hours=1), object()])
def test_what_cannot_be_a_zone(wrong: object) -> None:
    with pytest.raises(TypeError, match="give a name such as"):
        find_zone(wrong)


@pytest.fixture
def set_tz(monkeypatch: pytest.MonkeyPatch):
    def set_tz(value: str) -> None:
        monkeypatch.setenv("TZ", value)
        time.tzset()

    yield set_tz
    monkeypatch.undo()
    time.tzset()


def test_local_time_follows_the_environment(set_tz) -> None:
    set_tz("Asia/Tokyo")
    assert find_zone().name == "Asia/Tokyo"
    set_tz("America/Los_Angeles")
    assert find_zone(None) == find_zone("America/Los_Angeles")


def test_a_machine_that_does_not_say_where_it_is(set_tz) -> None:
    set_tz("EST+5EDT,M3.2.0/2,M11.1.0/2")
    with pytest.raises(ValueError, match="set the variable TZ"):
        find_zone()


def test_a_zone_that_is_but_a_file_is_called_local(set_tz, tmp_path) -> None:
    with next(path for path in _zone_files("Asia/Tokyo")).open("rb") as found:
        (tmp_path / "mine").write_bytes(found.read())
    set_tz(str(tmp_path / "mine"))
    zone = find_zone()
    assert zone.name == "local"
    assert find_zone("local") == zone
    assert zone.resolve(wall(2027, 1, 1, 9)) == utc(2027, 1, 1)


def _zone_files(name: str):
    from importlib.resources import files
    from zoneinfo import TZPATH

    candidates = [path for root in TZPATH if (path := _as_path(root) / name).exists()]
    return candidates or [files("tzdata") / "zoneinfo" / name]


def _as_path(root: str):
    from pathlib import Path

    return Path(root)


@pytest.mark.parametrize(
    ("name", "local", "instant_us"),
    [
        ("UTC", wall(2027, 1, 1), utc(2027, 1, 1)),
        ("UTC+05:30", wall(2027, 1, 1, 5, 30), utc(2027, 1, 1)),
        ("Europe/Berlin", wall(2027, 1, 1, 9), utc(2027, 1, 1, 8)),
        ("Europe/Berlin", wall(2027, 7, 1, 9, 0, 0, 1), utc(2027, 7, 1, 7, 0, 0, 1)),
        # gaps: their end
        (
            "Europe/Berlin",
            wall(2027, 3, 28, 1, 59, 59, 999_999),
            utc(2027, 3, 28, 0, 59, 59, 999_999),
        ),
        ("Europe/Berlin", wall(2027, 3, 28, 2), utc(2027, 3, 28, 1)),
        ("Europe/Berlin", wall(2027, 3, 28, 2, 59, 59, 999_999), utc(2027, 3, 28, 1)),
        ("Europe/Berlin", wall(2027, 3, 28, 3), utc(2027, 3, 28, 1)),
        ("Europe/Berlin", wall(2027, 3, 28, 3, 0, 0, 1), utc(2027, 3, 28, 1, 0, 0, 1)),
        ("Australia/Lord_Howe", wall(2027, 10, 3, 2, 29), utc(2027, 10, 2, 15, 30)),
        ("Australia/Lord_Howe", wall(2027, 10, 3, 2, 30), utc(2027, 10, 2, 15, 30)),
        ("America/Sao_Paulo", wall(2018, 11, 4, 0, 30), utc(2018, 11, 4, 3)),
        ("Asia/Beirut", wall(2027, 3, 28, 0, 0), utc(2027, 3, 27, 22)),
        ("Pacific/Apia", wall(2011, 12, 30, 12), utc(2011, 12, 30, 10)),
        # repeated: the first pass
        ("Europe/Berlin", wall(2027, 10, 31, 2), utc(2027, 10, 31, 0)),
        ("Europe/Berlin", wall(2027, 10, 31, 2, 59), utc(2027, 10, 31, 0, 59)),
        ("Europe/Berlin", wall(2027, 10, 31, 3), utc(2027, 10, 31, 2)),
        ("America/New_York", wall(2027, 11, 7, 1, 30), utc(2027, 11, 7, 5, 30)),
        ("Australia/Lord_Howe", wall(2027, 4, 4, 1, 45), utc(2027, 4, 3, 14, 45)),
    ],
)
def test_wall_time_is_resolved(name: str, local: datetime, instant_us: int) -> None:
    zone = find_zone(name)
    assert zone.resolve(local) == instant_us
    assert zone.resolve(local.replace(fold=1)) == instant_us


def test_shifts() -> None:
    zone = find_zone("Australia/Lord_Howe")
    gap = zone.shift_at(wall(2027, 10, 3, 2, 7, 0, 1))
    assert gap is not None
    assert gap.is_gap
    assert (gap.start, gap.end) == (wall(2027, 10, 3, 2), wall(2027, 10, 3, 2, 30))
    repeat = zone.shift_at(wall(2027, 4, 4, 1, 30))
    assert repeat is not None
    assert not repeat.is_gap
    assert (repeat.start, repeat.end) == (wall(2027, 4, 4, 1, 30), wall(2027, 4, 4, 2))
    assert repeat.instant_us == utc(2027, 4, 3, 15)
    assert repeat.read(wall(2027, 4, 4, 1, 40), fold=0) == utc(2027, 4, 3, 14, 40)
    assert repeat.read(wall(2027, 4, 4, 1, 40), fold=1) == utc(2027, 4, 3, 15, 10)
    assert zone.shift_at(wall(2027, 4, 4, 2)) is None
