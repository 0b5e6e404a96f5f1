"""Who is looking at the page, as Jupyter's identity provider says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .references import PartOfState


@dataclass(frozen=True)
class User(PartOfState):
    """The Jupyter identity of a visitor.

    Attributes
    ----------
    username
        Unique among the server's users.
    name, display_name
        For people to read.
    initials, color
        For a badge; either may be None.
    """

    _path: ClassVar[str] = "user"

    username: str
    name: str
    display_name: str
    initials: str | None = None
    color: str | None = None
