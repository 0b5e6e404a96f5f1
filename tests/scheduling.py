"""Tasks for tests of the scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbsession.core.schedule.parse import make_trigger
from nbsession.core.tasks.spec import DEFAULT_POLICIES, Home, Policies, Target, TaskSpec
from nbsession.scheduler.abc import Claim

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nbsession.core.schedule.triggers import Trigger
    from nbsession.scheduler.records import OccurrenceRange, TaskRecord

SECOND = 1_000_000
NOW = 1_795_338_000 * SECOND
HOME = Home("/usr/bin/python3", "/srv/project")


def a_spec(name: str = "report", period: str = "1s", **policies: Any) -> TaskSpec:
    """Return a task on a period that a store can keep; its callable is a reference."""
    trigger = make_trigger(None, period, None, None, NOW)
    chosen = Policies(**policies) if policies else DEFAULT_POLICIES
    target = Target("import", "reports", name)
    return TaskSpec(name, target, trigger, policies=chosen, home=HOME)


def setup_spec(name: str, setup: str = "/srv/project/tasks.py", period: str = "1s") -> TaskSpec:
    """Return a task that a setup script declares."""
    trigger = make_trigger(None, period, None, None, NOW)
    home = Home(HOME.python, HOME.folder, setup)
    return TaskSpec(name, Target("setup", "tasks", name), trigger, home=home)


def local_spec(  # noqa: PLR0913 - as many as a schedule has
    name: str,
    callback: Callable[..., Any],
    now_us: int,
    *,
    at: Any = None,
    period: str | None = None,
    cron: str | None = None,
    tz: str | None = None,
    args: tuple[Any, ...] = (),
    **policies: Any,
) -> TaskSpec:
    """Return a task that calls a function of this process."""
    trigger: Trigger = make_trigger(at, period, cron, tz, now_us)
    is_code = trigger.to_json()["kind"] == "code"
    return TaskSpec(
        name,
        Target("local", "tests", name, callback),
        trigger,
        args=args,
        policies=Policies(**policies) if policies else DEFAULT_POLICIES,
        at_target=Target("local", "tests", f"{name}-at", at) if is_code else None,
    )


def a_claim(
    task: TaskRecord,
    following: int | None = None,
    *,
    verdict: Any = "run",
    missed: Sequence[OccurrenceRange] = (),
    asks: bool = False,
) -> Claim:
    """Return the claim of a task's next occurrence, made half a second after it."""
    due_us = task.due_us
    assert due_us is not None
    last_us = missed[-1].last_us if verdict == "missed" else due_us
    now_us = due_us + SECOND // 2
    return Claim(task, verdict, following, asks, last_us, missed, "too late", now_us)
