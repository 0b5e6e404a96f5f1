"""A trigger that is code: what it was asked for, and how its answers are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from nbsession.core.instant import checked, to_instant
from nbsession.core.value import Value

if TYPE_CHECKING:
    from nbsession.core.zone import Zone

CodeKind = Literal["callable", "iterator"]

At = datetime | Iterator[datetime] | Callable[[datetime], datetime | None]
"""What `at` of `schedule_task` may be."""


class CodeTrigger(Value):
    """An `at` that is a callable or an iterator; not to be changed.

    Its next instant is asked for where the code lives; see `read_answer`. So it has no
    `next_after`, which the triggers that are plain values have.

    Attributes
    ----------
    kind
        ``"callable"`` or ``"iterator"``.
    zone
        What naive answers of an iterator are in; None for a callable, whose naive answers are UTC.
    """

    __slots__ = ("kind", "zone")

    def __init__(self, kind: CodeKind, zone: Zone | None = None) -> None:
        self.kind = kind
        self.zone = zone

    def schedule(self) -> dict[str, str]:
        """Return what was asked for: ``{"at": "iterator", "tz": "Europe/Berlin"}``."""
        return {"at": self.kind} if self.zone is None else {"at": self.kind, "tz": self.zone.name}

    def to_json(self) -> dict[str, str | None]:
        """Return what `trigger_from_json` reads."""
        zone = None if self.zone is None else self.zone.name
        return {"kind": "code", "code": self.kind, "tz": zone}

    def read_answer(self, answer: object) -> int | None:
        """Read what the code answered.

        Parameters
        ----------
        answer
            What the callable returned, or the iterator yielded: an aware or naive datetime. None
            ends the task; ask an iterator with ``next(at, None)``.

        Returns
        -------
        int or None
            The next instant; None if the task has ended.

        Raises
        ------
        TypeError
            If it is neither a datetime nor None.
        ValueError
            If it is not in the years 2 to 9998.
        """
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
