"""Cron expressions in a time zone, right through its changes of the clocks."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from nbsession.core.cron_text import read_cron
from nbsession.core.instant import EARLIEST_US, LATEST_US, MICROSECOND

if TYPE_CHECKING:
    from nbsession.core.zone import Zone

MOST_COUNTED = 10_000
COUNTING_SECONDS = 0.02
"""Of a server's event loop; CPU time, so that a busy machine does not change what is counted."""

_DAY = timedelta(days=1)


class CronExpression:
    """When a cron expression matches in a zone; not to be changed.

    Parameters
    ----------
    text
        Five fields, six with the seconds last, or ``@daily`` and its like.
    zone
        Whose wall time the fields name.

    Attributes
    ----------
    text
        The text in lower case with single spaces.
    zone
        The time zone.

    Raises
    ------
    ValueError
        If the text is not understood, or never matches.

    Notes
    -----
    Where clocks change, an hour field of ``*`` or ``*/n`` follows real time: it matches in both
    passes of a repeated hour, and not within a gap. Any other hour field is fixed: only the first
    pass matches, and all matches within a gap become one, at its end.
    """

    __slots__ = ("_fields", "_follows_real_time", "text", "zone")

    def __init__(self, text: str, zone: Zone) -> None:
        self.text, self._fields, self._follows_real_time = read_cron(text)
        self.zone = zone

    def __eq__(self, other: object) -> bool:
        if isinstance(other, CronExpression):
            return self.text == other.text and self.zone == other.zone
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self.text, self.zone))

    def __repr__(self) -> str:
        return f"CronExpression({self.text!r}, {self.zone!r})"

    def next_after(self, instant_us: int) -> int | None:
        """Return the first match that comes after an instant; None after the year 9998."""
        if instant_us >= LATEST_US:
            return None
        wall = self.zone.wall(max(instant_us, EARLIEST_US))
        if self._follows_real_time:
            following = self._next_in_real_time(wall)
        else:
            following = self._next_fixed(wall)
        return None if following is None or following >= LATEST_US else following

    def count(self, first_us: int, last_us: int) -> int | None:
        """Return how many matches there are from one to another, both included.

        None if they are more than `MOST_COUNTED`, or would take longer than `COUNTING_SECONDS`.
        """
        end = time.thread_time() + COUNTING_SECONDS
        count, at_us = 1, first_us
        while at_us < last_us and count <= MOST_COUNTED:
            wall, last = self.zone.wall(at_us), self.zone.wall(last_us)
            midnight = datetime.combine(wall.date() + _DAY, datetime.min.time())
            if self.zone.offset(wall) != self.zone.offset(midnight):  # the clocks change: by steps
                at_us, count = self.next_after(at_us) or last_us, count + 1
            elif last < midnight:
                count += self._fields.count_later(wall) - self._fields.count_later(last)
                at_us = last_us
            else:
                count += self._fields.count_later(wall) + 1
                at_us = self.next_after(self.zone.resolve(midnight) - 1) or last_us
            if time.thread_time() > end:
                return None
        return count if count <= MOST_COUNTED else None

    def _next_fixed(self, wall: datetime) -> int | None:
        shift = self.zone.shift_at(wall) if wall.fold else None
        # In the second pass nothing more can match.
        after = wall if shift is None else shift.end - MICROSECOND
        following = self._fields.next_after(after)
        return None if following is None else self.zone.resolve(following)

    def _next_in_real_time(self, wall: datetime) -> int | None:
        repeat = self.zone.shift_at(wall)
        if repeat is not None:
            for fold in range(wall.fold, 2):
                after = wall if fold == wall.fold else repeat.start - MICROSECOND
                following = self._fields.next_after(after)
                if following is not None and following < repeat.end:
                    return repeat.read(following, fold)
            wall = repeat.end - MICROSECOND
        following = self._fields.next_after(wall)
        while following is not None and (shift := self.zone.shift_at(following)) is not None:
            if not shift.is_gap:
                break
            following = self._fields.next_after(shift.end - MICROSECOND)
        return None if following is None else self.zone.resolve(following)


@lru_cache(maxsize=1024)
def cron_expression(text: str, zone: Zone) -> CronExpression:
    """Return a `CronExpression`; those of one text and zone are one object."""
    return CronExpression(text, zone)
