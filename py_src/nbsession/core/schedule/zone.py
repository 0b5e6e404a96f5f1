"""Time zones: found by name, stored by name, and wall time resolved to instants."""

from __future__ import annotations

import io
import os
import re
import struct
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from importlib import import_module
from typing import NamedTuple
from zoneinfo import ZoneInfo

from nbsession.core.errors import ScheduleError

from .instant import MICROSECOND, SECOND_US, from_instant

LOCAL = "local"
"""The name of a machine's own zone if it has no other: `/etc/localtime` may be a bare file."""

_ZONE_NAME = r"(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)"
_OFFSET = r"[+-]?\d{1,2}(?::\d\d){0,2}"
# Not the days counted from 0, which zoneinfo (seen in Python 3.11) takes for the days before.
_POSIX = re.compile(
    rf"{_ZONE_NAME}{_OFFSET}"
    rf"(?P<summer>{_ZONE_NAME}(?:{_OFFSET})?(?P<rules>(?:,[MJ][\d.:/+-]+){{2}})?)?",
    re.ASCII,
)
_USUAL_RULES = ",M3.2.0,M11.1.0"
"""Of summer time where a text has none, as the C library has it."""

_WALL_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - wall time, on purpose


class Shift(NamedTuple):
    """A change of a zone's offset from UTC: a gap in wall time, or a stretch that comes twice."""

    start: datetime
    end: datetime
    instant_us: int
    before_us: int
    after_us: int

    @property
    def is_gap(self) -> bool:
        """Return whether the wall times within do not exist; else they come twice."""
        return self.before_us < self.after_us

    def read(self, wall: datetime, fold: int) -> int:
        """Return the instant of a wall time within, read as before the shift or (1) as after it."""
        return (wall - _WALL_EPOCH) // MICROSECOND - (self.after_us if fold else self.before_us)


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone that can be stored by its name."""

    name: str
    tzinfo: tzinfo = field(repr=False, compare=False)

    def wall(self, instant_us: int) -> datetime:
        """Return the naive wall time of an instant; `fold` is 1 in the second pass of a repeat."""
        return from_instant(instant_us).astimezone(self.tzinfo).replace(tzinfo=None)

    def resolve(self, wall: datetime) -> int:
        """Return the instant of a naive wall time: the first of two, or the end of its gap."""
        before, after = self._offsets(wall)
        if before < after:
            return self._shift(wall, before, after).instant_us
        return (wall - _WALL_EPOCH - before) // MICROSECOND

    def offset(self, wall: datetime) -> timedelta:
        """Return the offset from UTC at a naive wall time, by its `fold`."""
        offset = self.tzinfo.utcoffset(wall)
        assert offset is not None  # noqa: S101 - as in `_offsets`
        return offset

    def shift_at(self, wall: datetime) -> Shift | None:
        """Return the gap or the repeated stretch that a naive wall time is in, None if in none."""
        before, after = self._offsets(wall)
        return None if before == after else self._shift(wall, before, after)

    def _offsets(self, wall: datetime) -> tuple[timedelta, timedelta]:
        # PEP 495: where a wall time does not exist or comes twice, fold 0 is as before the change.
        before = self.tzinfo.utcoffset(wall.replace(fold=0))
        after = self.tzinfo.utcoffset(wall.replace(fold=1))
        assert before is not None  # noqa: S101 - neither ZoneInfo nor timezone returns None here
        assert after is not None  # noqa: S101
        return before, after

    def _shift(self, wall: datetime, before: timedelta, after: timedelta) -> Shift:
        """Bisect for the change; it lies between the two readings of the wall time."""
        local = wall - _WALL_EPOCH
        low = (local - max(before, after)) // timedelta(seconds=1)
        high = -((min(before, after) - local) // timedelta(seconds=1))
        while high - low > 1:
            middle = (low + high) // 2
            moment = from_instant(middle * SECOND_US).astimezone(self.tzinfo)
            low, high = (middle, high) if moment.utcoffset() == before else (low, middle)
        change = _WALL_EPOCH + timedelta(seconds=high)
        start, end = sorted((change + before, change + after))
        return Shift(start, end, high * SECOND_US, before // MICROSECOND, after // MICROSECOND)


def find_zone(tz: object = None) -> Zone:
    """Return a time zone."""
    if tz is None or tz == LOCAL:
        return _local_zone(os.environ.get("TZ"))
    if isinstance(tz, str):
        return _named_zone(tz)
    if not isinstance(tz, tzinfo):
        raise ScheduleError(
            f"tz={tz!r} is of type {type(tz).__name__}: give a name such as 'Europe/Berlin', a "
            "ZoneInfo, or None for local time"
        )
    # `zone` is what pytz calls it.
    name = getattr(tz, "key", None) or getattr(tz, "zone", None)
    if isinstance(name, str):
        return _named_zone(name)
    offset = tz.utcoffset(None)
    if offset is not None:
        return _named_zone(str(timezone(offset)))
    raise ValueError(
        f"tz={tz!r} has no name to store it by: give the name itself, such as 'Europe/Berlin', "
        "or zoneinfo.ZoneInfo('Europe/Berlin')"
    )


@lru_cache(maxsize=1024)
def _named_zone(name: str) -> Zone:
    if name == "UTC":
        return Zone(name, UTC)
    try:
        return Zone(name, ZoneInfo(name))
    except (KeyError, ValueError, OSError):  # OSError: the name of a folder of zones
        fixed = _fixed_offset(name)
    if fixed is not None:
        return Zone(str(fixed), fixed)
    # With rules only: `UTC+3` would be east of UTC here, and west of it there.
    if "," in name and (zone := _posix_zone(name)) is not None:
        return zone
    raise ValueError(f"tz={name!r} is no time zone: {_suggestion(name)}") from None


def _fixed_offset(name: str) -> tzinfo | None:
    try:
        return datetime.strptime(name, "UTC%z").tzinfo
    except ValueError:
        return None


def _posix_zone(text: str) -> Zone | None:
    """Return the zone of a variable ``TZ`` that names none: ``CET-1CEST,M3.5.0,M10.5.0/3``."""
    match = _POSIX.fullmatch(text)
    if match is None:
        return None
    if match["summer"] and not match["rules"]:
        text += _USUAL_RULES
    try:
        found = _from_rules(text)
        if match["summer"]:
            return Zone(text, found)
        fixed = timezone(found.utcoffset(_WALL_EPOCH) or timedelta())
    except ValueError:
        return None
    return Zone(str(fixed), fixed)


def _from_rules(text: str) -> ZoneInfo:
    """Let zoneinfo read the rules: they end a file of a zone, here one without any changes."""
    header = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    block = header + struct.pack(">lbb", 0, 0, 0) + b"UTC\0"
    return ZoneInfo.from_file(io.BytesIO(2 * block + f"\n{text}\n".encode()))


def _suggestion(name: str) -> str:
    from difflib import get_close_matches
    from zoneinfo import available_timezones

    by_folded = {zone.casefold(): zone for zone in available_timezones()}
    by_folded |= {zone.rpartition("/")[2]: by_folded[zone] for zone in sorted(by_folded)}
    wanted = name.strip().casefold().replace(" ", "_")
    if close := get_close_matches(wanted, by_folded, n=1, cutoff=0.75):
        return f"did you mean {by_folded[close[0]]!r}?"
    return "use a name such as 'Europe/Berlin', 'UTC' or 'UTC+05:30'"


@lru_cache(maxsize=8)
def _local_zone(environment: str | None) -> Zone:
    if sys.platform == "emscripten" and environment is None:
        # In a browser no file says it.
        browser = import_module("js").Intl.DateTimeFormat.new().resolvedOptions()
        return find_zone(str(browser.timeZone))
    import tzlocal

    if environment is not None and environment.removeprefix(":").upper() in ("", "UTC"):
        return _named_zone("UTC")  # as the C library has it
    try:
        # Not get_localzone: that keeps the first answer, though TZ may have changed since.
        found = tzlocal.reload_localzone()
    except (KeyError, ValueError, OSError) as error:
        zone = _posix_zone((environment or "").removeprefix(":"))
        if zone is not None:
            return zone
        raise ValueError(
            f"this machine's time zone is unknown (TZ={environment!r}): give a tz such as "
            "'Europe/Berlin', or set the variable TZ to such a name"
        ) from error
    try:
        return find_zone(found)
    except ValueError:
        return Zone(LOCAL, found)
