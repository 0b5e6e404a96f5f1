from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from dateutil import tz as dateutil_tz

from nbsession.core.schedule.instant import SECOND_US, to_instant
from nbsession.core.schedule.parse import make_trigger
from nbsession.core.schedule.triggers import trigger_from_json
from nbsession.core.schedule.zone import find_zone


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
    set_tz("Mars/Olympus")
    with pytest.raises(ValueError, match="set the variable TZ"):
        find_zone()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("UTC0", "UTC"),
        (":UTC0", "UTC"),
        ("", "UTC"),
        (":", "UTC"),
        ("utc", "UTC"),
        ("UTC+3", "UTC-03:00"),
        ("<+0330>-3:30", "UTC+03:30"),
        ("<-03>3", "UTC-03:00"),
        (":Europe/Berlin", "Europe/Berlin"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "CET-1CEST,M3.5.0,M10.5.0/3"),
        ("MEZ-1MESZ-2,M3.5.0/2,M10.5.0/3", "MEZ-1MESZ-2,M3.5.0/2,M10.5.0/3"),
        ("EST+5EDT,M3.2.0/2,M11.1.0/2", "EST+5EDT,M3.2.0/2,M11.1.0/2"),
        ("EST5EDT4,M3.2.0/2:30:00,M11.1.0", "EST5EDT4,M3.2.0/2:30:00,M11.1.0"),
        ("IST-1GMT0,M10.5.0,M3.5.0/1", "IST-1GMT0,M10.5.0,M3.5.0/1"),
        ("LHST-10:30LHDT-11,M10.1.0,M4.1.0", "LHST-10:30LHDT-11,M10.1.0,M4.1.0"),
        ("<+0330>-3:30<+0430>,J79/24,J263/24", "<+0330>-3:30<+0430>,J79/24,J263/24"),
        ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0"),
    ],
)
def test_a_variable_that_names_no_zone_is_read_as_the_c_library_does(set_tz, text, name) -> None:
    set_tz(text)
    zone = find_zone()
    assert zone.name == name
    assert find_zone(name) == zone
    for second in range(utc(2027, 1, 1) // SECOND_US, utc(2028, 4, 1) // SECOND_US, 1800):
        assert zone.wall(second * SECOND_US).timetuple()[:6] == time.localtime(second)[:6]


def test_summer_time_without_rules_has_the_usual_ones(set_tz) -> None:
    set_tz("CET-1CEST")
    assert find_zone() == find_zone("CET-1CEST,M3.2.0,M11.1.0")
    assert find_zone().resolve(wall(2027, 7, 1)) == utc(2027, 6, 30, 22)


@pytest.mark.parametrize(
    "text",
    [
        "A0",
        "CET-1CEST,M3.5.0",
        "CET-1CEST,M3.5.0,foo",
        "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,60,300",
        "UTC0,M3.5.0,M10.5.0",
        "XXX-25",
        "EST5EDT,M3.2.0,M11.1.0\n",
        "::UTC0",
    ],
)
def test_a_variable_that_is_not_understood(set_tz, text) -> None:
    set_tz(text)
    with pytest.raises(ValueError, match="set the variable TZ"):
        find_zone()


@pytest.mark.parametrize(
    ("local", "instant_us"),
    [
        (wall(2027, 3, 28, 2, 30), utc(2027, 3, 28, 1)),
        (wall(2027, 10, 31, 2, 30), utc(2027, 10, 31, 0, 30)),
        (wall(2027, 7, 1, 9), utc(2027, 7, 1, 7)),
    ],
)
def test_rules_change_the_clocks_as_a_named_zone_does(set_tz, local, instant_us) -> None:
    set_tz("CET-1CEST,M3.5.0,M10.5.0/3")
    assert find_zone().resolve(local) == instant_us
    trigger = make_trigger(local, None, None, None, 0)
    assert trigger.first(0) == instant_us


def test_cron_follows_rules_as_it_does_a_named_zone(set_tz) -> None:
    set_tz("CET-1CEST,M3.5.0,M10.5.0/3")
    now_us = utc(2027, 1, 1)
    for cron in ("30 2 * * *", "*/30 * * * *", "0 9 * * mon"):
        local = make_trigger(None, None, cron, None, now_us)
        named = make_trigger(None, None, cron, "Europe/Berlin", now_us)
        again = trigger_from_json(local.to_json())
        assert again == local
        for moment in (utc(2027, 3, 27), utc(2027, 10, 30)):
            at = [moment] * 3
            for _ in range(200):
                at = [
                    each.next_after(last)
                    for each, last in zip((local, named, again), at, strict=True)
                ]
                assert len(set(at)) == 1


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
