"""The values in a request's query and body: bounded, and refused with a message if wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nbsession.core.validation import parse_json

from .errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_RUNS = 20
MAX_RUNS = 10_000

# Of ASCII digits: `str.isdecimal`, `int` and `float` take more than a URL should mean.
_WHOLE = re.compile(r"[0-9]+")
_NUMBER = re.compile(r"([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?|inf")
_MAX_DIGITS = 18  # more, and SQLite could not hold it


def json_object(data: bytes, errors: str = "strict") -> dict[str, Any]:
    """Return the JSON object of a request's body; {} for an empty one."""
    try:
        body = parse_json(data.decode("utf-8", errors) or "{}")
    except ValueError as error:  # also of what is not UTF-8
        message = f"the body is not JSON in UTF-8: {error}"
        raise BadRequestError(message) from error
    if not isinstance(body, dict):
        message = "the body must be a JSON object"
        raise BadRequestError(message)
    return body


def limit_of(text: str | None) -> int:
    """Return the number of runs, `MAX_RUNS` at the most."""
    if text is None:
        return DEFAULT_RUNS
    if not _WHOLE.fullmatch(text) or not text.strip("0"):
        raise BadRequestError(f"limit is a whole number from 1 on, got {text[:20]!r}")
    return min(_whole(text), MAX_RUNS)


def id_of(text: str | None) -> int | None:
    """Return the id of the one task that is meant; None for whichever has the name."""
    if text is None:
        return None
    if not _WHOLE.fullmatch(text):
        raise BadRequestError(f"id is the whole number of a task, got {text[:20]!r}")
    return _whole(text)


def seconds_of(text: str | None, most: float) -> float:
    """Return the seconds that an answer may be held back, `most` at the most."""
    if not text:
        return 0.0
    if not _NUMBER.fullmatch(text):
        raise BadRequestError(f"seconds is a number from 0 on, got {text[:20]!r}")
    return min(float(text), most)


def _whole(text: str) -> int:
    """Return a whole number; of one that is too long to mean anything, the largest."""
    digits = text.lstrip("0") or "0"
    return int(digits) if len(digits) <= _MAX_DIGITS else 10**_MAX_DIGITS - 1


def truth_of(name: str, text: str) -> bool:
    """Return a flag of a path's query."""
    if text not in ("true", "false"):
        raise BadRequestError(f"{name} is true or false, got {text[:20]!r}")
    return text == "true"


TASK_ACTIONS = ("pause", "resume", "run", "cancel")


def flag_of(body: Mapping[str, Any], name: str) -> bool:
    """Return a member that is true or false; False if it is missing."""
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise BadRequestError(f"{name} must be true or false")
    return value
