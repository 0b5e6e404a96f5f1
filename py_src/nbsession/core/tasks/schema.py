"""Tasks in JSON: over REST, the link, the worker's channel, and to Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict

if TYPE_CHECKING:
    from .spec import TaskSpec

Declared = Literal["made", "same", "replaced", "exists"]
"""The outcome of a declaration; with ``"exists"`` nothing changed, for the task is another."""


class TaskJSON(TypedDict):
    """A task. Instants are ISO 8601 in UTC with ``Z``, or None.

    `id` stays as long as the task lives: one that has its name later has another. 0 where it is
    not known yet.

    `kernel_id` is None for a global task. `schedule` is what was declared, `policies` has
    durations in µs, `home` is None for a kernel-hosted task. `run` is the open run's, if there
    is one. `gap` is the row of what was missed or skipped since the last run, if anything was.
    `editable` tells whether this server can run it (it has its setup script and folder).
    """

    id: int
    name: str
    kernel_id: str | None
    state: str
    schedule: dict[str, Any]
    callback: str
    home: dict[str, Any] | None
    owner: str | None
    policies: dict[str, Any]
    next_run: str | None
    last_run: str | None
    last_state: str | None
    last_error: str | None
    ended_by: str | None
    run_count: int
    error_count: int
    editable: bool
    run: NotRequired[dict[str, Any] | None]
    gap: NotRequired[dict[str, Any]]


RunsJSON = list[dict[str, Any]]
"""Runs as `Run.to_json` gives them. A name, since in a task service `list` is a method."""


class ScheduledJSON(TypedDict):
    """The answer to a declaration."""

    outcome: Declared
    task: TaskJSON


def task_json(spec: TaskSpec, kernel_id: str | None = None) -> TaskJSON:
    """Return a task of which nothing is known yet but its declaration."""
    return {
        "id": 0,
        "name": spec.name,
        "kernel_id": kernel_id,
        "state": "scheduled",
        "schedule": dict(spec.schedule),
        "callback": spec.target.label,
        "home": None if spec.home is None else spec.home.to_json(),
        "owner": spec.owner,
        "policies": spec.policies.to_json(),
        "next_run": None,
        "last_run": None,
        "last_state": None,
        "last_error": None,
        "ended_by": None,
        "run_count": 0,
        "error_count": 0,
        "editable": True,
        "run": None,
    }
