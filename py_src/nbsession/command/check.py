"""One thing that `jupyter nbsession doctor` has looked at."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Check:
    """What was found.

    Attributes
    ----------
    part
        What was looked at.
    verdict
        ``"good"``, ``"bad"``, or ``"idle"``: not there, and only missed by those who want it.
    found
        What is the case.
    mend
        What to do about it; "" if nothing is to be done.
    """

    part: str
    verdict: Literal["good", "bad", "idle"]
    found: str
    mend: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the check as plain values."""
        return asdict(self)
