"""From the arguments of `schedule_task` to a trigger, or to an error that says the remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from nbsession.core.errors import ScheduleError

from .instant import checked, to_instant
from .period import parse_period
from .triggers import At, CodeTrigger, CronTrigger, OnceTrigger, PeriodTrigger, Trigger

if TYPE_CHECKING:
    from datetime import tzinfo

    from .cron import CronExpression

_RIGHT_AT = (
    "give a datetime, an iterator of datetimes, or a callable that takes the UTC time and returns "
    "a datetime"
)


def make_trigger(
    at: At | None,
    period: str | timedelta | None,
    cron: str | None,
    tz: str | tzinfo | None,
    now_us: int,
) -> Trigger:
    """Return the trigger of a schedule."""
    if at is None and cron is None and tz is None:  # most tasks
        if period is None:
            return OnceTrigger(now_us, is_now=True)
        return PeriodTrigger(now_us, parse_period(period), is_from_now=True)
    period_us = None if period is None else parse_period(period)
    expression = None if cron is None else _expression(cron, tz)
    if period_us is not None and expression is not None:
        raise ValueError(
            f"period={period!r} and cron={cron!r} are two schedules: give one, or make two tasks"
        )
    if at is None or isinstance(at, datetime):
        if tz is not None and cron is None and (at is None or at.utcoffset() is not None):
            raise _needless(tz, "it is for cron, and for an `at` without a time zone of its own")
        return _plain_trigger(_moment(at, tz), period_us, expression, now_us)
    trigger = _code_trigger(at, tz)
    if period_us is not None or expression is not None:
        raise ValueError(
            f"an `at` that is a {trigger.kind} gives all the times itself: leave out "
            f"{'period' if expression is None else 'cron'}, or give a datetime to start at"
        )
    return trigger


def _plain_trigger(
    at_us: int | None, period_us: int | None, expression: CronExpression | None, now_us: int
) -> Trigger:
    if expression is not None:
        return CronTrigger(expression, at_us)
    if period_us is None:
        return OnceTrigger(now_us, is_now=True) if at_us is None else OnceTrigger(at_us)
    if at_us is None:
        return PeriodTrigger(now_us, period_us, is_from_now=True)
    return PeriodTrigger(at_us, period_us)


def _expression(cron: object, tz: str | tzinfo | None) -> CronExpression:
    from .cron import cron_expression
    from .zone import find_zone

    if not isinstance(cron, str):
        raise ScheduleError(
            f"cron={cron!r} is of type {type(cron).__name__}: give text such as '0 9 * * mon-fri'"
        )
    return cron_expression(cron, find_zone(tz))


def _moment(at: datetime | None, tz: str | tzinfo | None) -> int | None:
    if at is None:
        return None
    from .zone import find_zone

    zone = None if at.utcoffset() is not None else find_zone(tz)
    try:
        return to_instant(at) if zone is None else checked(zone.resolve(at))
    except ValueError as error:
        raise ValueError(f"at={at!r}: {error}") from None


def _code_trigger(at: object, tz: str | tzinfo | None) -> CodeTrigger:
    if isinstance(at, Iterator):
        from .zone import find_zone

        return CodeTrigger("iterator", find_zone(tz))
    if callable(at):
        _check_can_say_when(at)
        if tz is not None:
            raise _needless(tz, "a callable returns UTC, or a datetime with a time zone of its own")
        return CodeTrigger("callable")
    raise ScheduleError(_at_message(at))


def _check_can_say_when(at: Callable[..., object]) -> None:
    import inspect

    from nbsession.core.callables import is_async, is_generator

    if isinstance(at, type):
        raise ScheduleError(f"at={at!r} is a class: {_RIGHT_AT}")
    if is_async(at):
        raise ScheduleError(f"at={at!r} is async, and is not awaited: {_RIGHT_AT}")
    if is_generator(at):
        raise ScheduleError(f"at={at!r} is a generator function: give the iterator, by calling it")
    try:
        signature = inspect.signature(at)
    except (TypeError, ValueError):  # some that are not written in Python have none
        return
    try:
        signature.bind(None)
    except TypeError as error:
        message = f"at={at!r} cannot be called with the UTC time alone ({error}): {_RIGHT_AT}"
        raise ScheduleError(message) from None


def _needless(tz: object, right: str) -> ValueError:
    from .zone import find_zone

    find_zone(tz)  # if that fails, it says more
    return ValueError(f"tz={tz!r} would have no effect: {right}")


def _at_message(at: object) -> str:
    wrong = f"at={at!r} is of type {type(at).__name__}"
    if isinstance(at, str | time):
        return (
            f"{wrong}: for every day at a time use cron='0 10 * * *', for once a datetime, as in "
            "datetime.fromisoformat('2027-01-31 10:00')"
        )
    if isinstance(at, date):
        return f"{wrong} without a time: use datetime({at.year}, {at.month}, {at.day}, 10, 0)"
    if isinstance(at, list | tuple | set):
        return f"{wrong}: wrap it in iter(…) to make it an iterator"
    if isinstance(at, timedelta):
        return f"{wrong}: use period for every …, or datetime.now() plus it for once"
    return f"{wrong}: {_RIGHT_AT}"
