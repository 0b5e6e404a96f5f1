"""The values that requests carry: bounded, and refused in words if they are wrong."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .refusals import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_RUNS = 20
MAX_RUNS = 10_000


def limit_of(text: str | None) -> int:
    """Return how many runs are asked for, `MAX_RUNS` at the most.

    Raises
    ------
    BadRequestError
        If the text is no whole number from 1 on.
    """
    if text is None:
        return DEFAULT_RUNS
    if not text.isdecimal() or not text.strip("0"):
        message = f"limit is a whole number from 1 on, got {text[:20]!r}"
        raise BadRequestError(message)
    return min(int(text[:9]), MAX_RUNS)


def id_of(text: str | None) -> int | None:
    """Return the id of the one task that is meant; None for whichever has the name.

    Raises
    ------
    BadRequestError
        If the text is no whole number.
    """
    if text is not None and not (text.isdecimal() and len(text) <= 18):  # noqa: PLR2004 - as a path's
        message = f"id is the whole number of a task, got {text[:20]!r}"
        raise BadRequestError(message)
    return None if text is None else int(text)


def seconds_of(text: str | None, most: float) -> float:
    """Return for how many seconds an answer may be held back, `most` at the most.

    Raises
    ------
    BadRequestError
        If the text is no number from 0 on.
    """
    try:
        seconds = float(text or 0)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        message = f"seconds is a number from 0 on, got {str(text)[:20]!r}"
        raise BadRequestError(message)
    return min(seconds, most)


def truth_of(name: str, text: str) -> bool:
    """Return what a path's query says of a choice.

    Raises
    ------
    BadRequestError
        If the text is neither ``"true"`` nor ``"false"``.
    """
    if text not in ("true", "false"):
        message = f"{name} is true or false, got {text[:20]!r}"
        raise BadRequestError(message)
    return text == "true"


def flag_of(body: Mapping[str, Any], name: str) -> bool:
    """Return a member that is true or false; False if it is missing.

    Raises
    ------
    BadRequestError
        If it is anything else.
    """
    value = body.get(name, False)
    if not isinstance(value, bool):
        message = f"{name} must be true or false"
        raise BadRequestError(message)
    return value
