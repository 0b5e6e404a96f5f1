"""What was declared of a task: all that is kept of it but what changes while it lives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .policies import DEFAULT_POLICIES, Policies
from .target import Home, Target
from .triggers import Trigger, trigger_from_json

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_KWARGS: Mapping[str, Any] = {}
"""Shared by all tasks without any, and so never changed."""


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task as it was declared.

    Attributes
    ----------
    name
        Unique among the tasks of one engine that hold their name.
    target
        What it calls.
    trigger
        When.
    args, kwargs
        What the target is called with, those of a partial included. JSON values, unless `target`
        is local.
    policies
        How late, long and failed runs are dealt with.
    home
        Where it runs; None in an engine that runs callables itself.
    at_target
        What is asked for the next instant, where the trigger is code.
    """

    name: str
    target: Target
    trigger: Trigger
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=lambda: NO_KWARGS)
    policies: Policies = DEFAULT_POLICIES
    home: Home | None = None
    at_target: Target | None = None

    @property
    def schedule(self) -> Mapping[str, str]:
        """The schedule as it was said, canonical.

        ``{"period": "10m"}``, ``{"cron": "0 9 * * mon", "tz": "Europe/Berlin"}``,
        ``{"at": "2026-11-22T09:00:00Z"}``, ``{}`` for once and now. Two declarations have the same
        schedule if these are equal; the trigger also holds when "now" was.
        """
        return self.trigger.schedule()

    @property
    def owner(self) -> str | None:
        """The setup script whose declarations are the truth for this task; None without one."""
        if self.target.kind == "setup" and self.home is not None:
            return self.home.setup
        return None

    def is_same(self, other: TaskSpec) -> bool:
        """Return whether to declare the other under this name would change nothing.

        Local callables are compared by who declares them, which also knows cells that run again.
        """
        return (
            self.schedule == other.schedule
            and self.target == other.target
            and self.at_target == other.at_target
            and self.args == other.args
            and self.kwargs == other.kwargs
            and self.policies == other.policies
            and _is_same_home(self.home, other.home)
        )

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return {
            "name": self.name,
            "target": self.target.to_json(),
            "trigger": self.trigger.to_json(),
            "schedule": dict(self.schedule),
            "args": list(self.args),
            "kwargs": dict(self.kwargs),
            "policies": self.policies.to_json(),
            "home": None if self.home is None else self.home.to_json(),
            "at_target": None if self.at_target is None else self.at_target.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TaskSpec:
        """Read what `to_json` has written."""
        policies = Policies.from_json(data["policies"])
        return cls(
            name=data["name"],
            target=Target.from_json(data["target"]),
            trigger=trigger_from_json(data["trigger"]),
            args=tuple(data["args"]),
            kwargs=data["kwargs"] or NO_KWARGS,
            policies=DEFAULT_POLICIES if policies == DEFAULT_POLICIES else policies,
            home=None if data["home"] is None else Home.from_json(data["home"]),
            at_target=None if data["at_target"] is None else Target.from_json(data["at_target"]),
        )


def _is_same_home(one: Home | None, other: Home | None) -> bool:
    return one is other or (one is not None and other is not None and one.is_same(other))
