"""Occurrences that are due, and the claims of them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbsession.core.schedule.instant import LATEST_US, SECOND_US
from nbsession.core.schedule.period import format_period
from nbsession.core.schedule.triggers import CodeTrigger, CronTrigger, OnceTrigger, PeriodTrigger
from nbsession.scheduler.abc import Claim
from nbsession.scheduler.records import OccurrenceRange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbsession.core.tasks.spec import TaskSpec
    from nbsession.scheduler.records import TaskRecord

STOOD_IN = "missed; one later run stands in for it"
TOO_LATE = "later than its misfire grace"

_SET_BACK_US = 3 * 3600 * SECOND_US
"""After smaller changes a cron task just waits, as in Vixie's cron."""


def first_due(spec: TaskSpec, now_us: int) -> tuple[int | None, bool]:
    """Return when a task is first due if scheduled now, and whether its code has to say it."""
    if isinstance(spec.trigger, CodeTrigger):
        return None, True
    return spec.trigger.first(now_us), False


def due_after(spec: TaskSpec, now_us: int) -> tuple[int | None, bool]:
    """Return the first occurrence after now, and whether the task's code has to say it."""
    if isinstance(spec.trigger, CodeTrigger):
        return None, True
    due_us = spec.trigger.next_after(now_us)
    return moved_due(spec, due_us, now_us) or due_us, False


def claim_due(task: TaskRecord, now_us: int) -> Claim:
    """Return the claim of all occurrences of a task that are due."""
    trigger, due_us = task.spec.trigger, task.due_us
    assert due_us is not None  # noqa: S101 - it is what makes the task due
    missed: Sequence[OccurrenceRange] = ()
    following: int | None
    asks = False
    last_us = due_us
    if type(trigger) is PeriodTrigger:  # from the last one on: the grid may have been moved
        period_us = trigger.period_us
        if behind := (now_us - due_us) // period_us:
            last_us = due_us + behind * period_us
            missed = [OccurrenceRange(due_us, last_us - period_us, behind)]
        following = last_us + period_us
        if following >= LATEST_US:
            following = None
    elif isinstance(trigger, CodeTrigger):
        following, asks = None, True
    else:
        following = trigger.next_after(due_us)
        if isinstance(trigger, CronTrigger) and following is not None and following <= now_us:
            last_us = trigger.last_until(following, now_us)
            before_us = trigger.last_until(due_us, last_us - 1)
            number = trigger.expression.count(due_us, before_us)
            missed = [OccurrenceRange(due_us, before_us, number)]
            following = trigger.next_after(last_us)
    return decide(task, last_us, missed, now_us, following, asks=asks)


def decide(  # noqa: PLR0913 - the fields of a claim
    task: TaskRecord,
    last_us: int,
    missed: Sequence[OccurrenceRange],
    now_us: int,
    following: int | None,
    *,
    asks: bool,
) -> Claim:
    """Return the claim of occurrences by the task's misfire policy."""
    policies = task.spec.policies
    if policies.misfire == "skip" and now_us - last_us > policies.misfire_grace_us:
        missed = [*missed, OccurrenceRange(last_us, last_us)]
        return Claim(task, "missed", following, asks, last_us, missed, TOO_LATE, now_us)
    if task.ending:
        following, asks = None, False
    late = None
    if now_us - last_us > policies.misfire_grace_us:
        by_us = (now_us - last_us) // SECOND_US * SECOND_US
        late = f"late by {format_period(by_us)}" if by_us else "late"
    return Claim(task, "run", following, asks, last_us, missed, STOOD_IN, now_us, late)


def moved_due(
    spec: TaskSpec, due_us: int | None, now_us: int, last_run_us: int | None = None
) -> int | None:
    """Return the occurrence that a task has instead when the wall clock was set back.

    None if it keeps its own: the one of a period is never more than one period and a second ahead,
    unless it is the start that was declared; the one of a cron expression is wrong only if the
    task's last run lies ahead, by more than any change to winter time.
    """
    trigger = spec.trigger
    if due_us is None or due_us <= now_us + SECOND_US:
        return None
    if isinstance(trigger, OnceTrigger):
        return now_us if trigger.is_now else None
    if isinstance(trigger, CronTrigger):
        was_ahead = last_run_us is not None and last_run_us > now_us + _SET_BACK_US
        return trigger.next_after(now_us) if was_ahead else None
    if not isinstance(trigger, PeriodTrigger):
        return None
    ahead_us, period_us = due_us - now_us, trigger.period_us
    is_start = due_us == trigger.start_us and not trigger.is_from_now
    if is_start or ahead_us <= period_us + SECOND_US:
        return None
    return now_us + (ahead_us - 1) % period_us + 1
