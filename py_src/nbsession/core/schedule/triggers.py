"""Triggers: the instants at which a task is due. Plain values that know no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from .instant import LATEST_US, checked, from_iso, to_instant, to_iso
from .period import format_period, parse_period

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .cron import CronExpression
    from .zone import Zone


class Value:
    """A base for slotted classes whose slots are also the parameters, in this order.

    No frozen dataclass: to make one takes three times as long, and 100,000 tasks have a trigger
    each.
    """

    __slots__: tuple[str, ...] = ()

    def _parts(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __eq__(self, other: object) -> bool:
        if type(self) is type(other) and isinstance(other, Value):
            return self._parts() == other._parts()
        return NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), *self._parts()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._parts()))})"


CodeKind = Literal["callable", "iterator"]

At = datetime | Iterator[datetime] | Callable[[datetime], datetime | None]
"""What `at` of `schedule_task` may be."""


class CodeTrigger(Value):
    """An `at` that is a callable or an iterator, which says its next instant; not to be changed."""

    __slots__ = ("kind", "zone")

    def __init__(self, kind: CodeKind, zone: Zone | None = None) -> None:
        self.kind = kind
        self.zone = zone

    def schedule(self) -> dict[str, str]:
        """Return the declared schedule: ``{"at": "iterator", "tz": "Europe/Berlin"}``."""
        return {"at": self.kind} if self.zone is None else {"at": self.kind, "tz": self.zone.name}

    def to_json(self) -> dict[str, str | None]:
        """Return what `trigger_from_json` reads."""
        zone = None if self.zone is None else self.zone.name
        return {"kind": "code", "code": self.kind, "tz": zone}

    def read_answer(self, answer: object) -> int | None:
        """Return the instant of an answer of the code."""
        if answer is None:
            return None
        if not isinstance(answer, datetime):
            said = "returned" if self.kind == "callable" else "yielded"
            raise TypeError(
                f"the {self.kind} given as at {said} {answer!r}, a {type(answer).__name__}: it "
                "must be a datetime, or None to end the task"
            )
        if answer.utcoffset() is not None:
            return to_instant(answer)
        if self.zone is None:
            return to_instant(answer.replace(tzinfo=UTC))
        return checked(self.zone.resolve(answer))


class OnceTrigger(Value):
    """Due once; not to be changed."""

    __slots__ = ("at_us", "is_now")

    def __init__(self, at_us: int, is_now: bool = False) -> None:
        self.at_us = at_us
        self.is_now = is_now

    def first(self, now_us: int) -> int | None:  # noqa: ARG002 - as with every trigger
        """Return the first occurrence of a task that is scheduled now."""
        return self.at_us

    def next_after(self, instant_us: int) -> int | None:
        """Return the first occurrence after an instant, None if there is none."""
        return self.at_us if self.at_us > instant_us else None

    def schedule(self) -> dict[str, str]:
        """Return the declared schedule: two are the same if these are equal."""
        return {} if self.is_now else {"at": to_iso(self.at_us)}

    def to_json(self) -> dict[str, Any]:
        """Return what `trigger_from_json` reads."""
        return {"kind": "once", "at": to_iso(self.at_us), "now": self.is_now}


class PeriodTrigger(Value):
    """Due on the grid `start_us` + n · `period_us`; not to be changed."""

    __slots__ = ("start_us", "period_us", "is_from_now")  # noqa: RUF023 - the parameters' order

    def __init__(self, start_us: int, period_us: int, is_from_now: bool = False) -> None:
        self.start_us = start_us
        self.period_us = period_us
        self.is_from_now = is_from_now

    def first(self, now_us: int) -> int | None:  # noqa: ARG002 - as with every trigger
        """Return the first occurrence of a task that is scheduled now."""
        return self.start_us

    def next_after(self, instant_us: int) -> int | None:
        """Return the first occurrence after an instant; None after the year 9998."""
        start_us, period_us = self.start_us, self.period_us
        if instant_us < start_us:
            return start_us
        following = instant_us + period_us - (instant_us - start_us) % period_us
        return following if following < LATEST_US else None

    def schedule(self) -> dict[str, str]:
        """Return the declared schedule: two are the same if these are equal."""
        period = {"period": format_period(self.period_us)}
        return period if self.is_from_now else {"at": to_iso(self.start_us), **period}

    def to_json(self) -> dict[str, Any]:
        """Return what `trigger_from_json` reads."""
        return {
            "kind": "period",
            "start": to_iso(self.start_us),
            "period": format_period(self.period_us),
            "from_now": self.is_from_now,
        }


class CronTrigger(Value):
    """Due when a cron expression matches; not to be changed."""

    __slots__ = ("expression", "start_us")

    def __init__(self, expression: CronExpression, start_us: int | None = None) -> None:
        self.expression = expression
        self.start_us = start_us

    def first(self, now_us: int) -> int | None:
        """Return the first occurrence of a task that is scheduled now."""
        return self.next_after(now_us if self.start_us is None else self.start_us - 1)

    def next_after(self, instant_us: int) -> int | None:
        """Return the first occurrence after an instant; None after the year 9998."""
        if self.start_us is not None and instant_us < self.start_us:
            instant_us = self.start_us - 1
        return self.expression.next_after(instant_us)

    def last_until(self, match_us: int, now_us: int) -> int:
        """Return the last match that is not after now, by halving the time from a known one."""
        end_us = now_us
        while (following := self.next_after(match_us)) is not None and following <= end_us:
            match_us = following
            middle = (match_us + end_us) // 2
            beyond = self.next_after(middle)
            if beyond is not None and beyond <= end_us:
                match_us = beyond
            else:
                end_us = middle
        return match_us

    def schedule(self) -> dict[str, str]:
        """Return the declared schedule: two are the same if these are equal."""
        schedule = {"cron": self.expression.text, "tz": self.expression.zone.name}
        return schedule if self.start_us is None else {"at": to_iso(self.start_us), **schedule}

    def to_json(self) -> dict[str, Any]:
        """Return what `trigger_from_json` reads."""
        return {
            "kind": "cron",
            "cron": self.expression.text,
            "tz": self.expression.zone.name,
            "start": None if self.start_us is None else to_iso(self.start_us),
        }


TimeTrigger = OnceTrigger | PeriodTrigger | CronTrigger
"""A trigger that can be computed: it has `first` and `next_after`."""

Trigger = TimeTrigger | CodeTrigger


def trigger_from_json(data: Mapping[str, Any]) -> Trigger:
    """Read what a trigger's `to_json` has written."""
    from .cron import cron_expression
    from .zone import find_zone

    match data:
        case {"kind": "once", "at": str(at), "now": bool(is_now)}:
            return OnceTrigger(from_iso(at), is_now)
        case {"kind": "period", "start": str(start), "period": str(period), "from_now": bool(now)}:
            return PeriodTrigger(from_iso(start), parse_period(period), now)
        case {"kind": "cron", "cron": str(text), "tz": str(tz), "start": None | str() as start}:
            start_us = None if start is None else from_iso(start)
            return CronTrigger(cron_expression(text, find_zone(tz)), start_us)
        case {"kind": "code", "code": "callable" | "iterator" as kind, "tz": None | str() as tz}:
            return CodeTrigger(kind, None if tz is None else find_zone(tz))
    raise ValueError(f"{data!r} is no trigger that this version of nbsession knows")
