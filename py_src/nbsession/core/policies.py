"""How a task's occurrences are dealt with when something is in their way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Overlap = Literal["skip", "queue", "allow"]
Misfire = Literal["run", "skip"]

OVERLAPS = ("skip", "queue", "allow")
MISFIRES = ("run", "skip")


@dataclass(frozen=True, slots=True)
class Policies:
    """The rules of one task.

    Attributes
    ----------
    overlap
        What an occurrence does while a run is going: ``"skip"`` drops it, ``"queue"`` holds at most
        one, ``"allow"`` runs both.
    misfire
        What is done when more than `misfire_grace_us` has passed since the due time: ``"run"`` once
        for all that was missed, ``"skip"`` none.
    misfire_grace_us
        In µs.
    timeout_us
        In µs for one run with all its tries; None for no end.
    retries
        How many further tries a failed run gets, after 1, 2, 4 … s, at most 60 s apart.
    threaded
        Whether a sync callback runs in a thread also where it would run on a loop.
    process
        Whether each run gets a process of its own.
    """

    overlap: Overlap = "skip"
    misfire: Misfire = "run"
    misfire_grace_us: int = 1_000_000
    timeout_us: int | None = None
    retries: int = 0
    threaded: bool = False
    process: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Policies:
        """Read what `to_json` has written."""
        return cls(**data)


DEFAULT_POLICIES = Policies()
"""Shared by all tasks that say nothing else: a server may hold 100,000 of them."""
