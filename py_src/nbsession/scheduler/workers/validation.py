"""Messages of a worker or of a run's own process, checked before anything in them is believed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nbsession.core.schedule.instant import EARLIEST_US, LATEST_US
from nbsession.core.tasks.run import MAX_TEXT_CHARACTERS
from nbsession.core.text import LOG_LEVELS, MAX_LOG_CHARACTERS
from nbsession.core.tracebacks import MAX_ERROR_CHARACTERS, MAX_TRACEBACK_CHARACTERS, clean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .messages import Message

    Check = Callable[[object], Any]

MAX_OUTPUT_CHARACTERS = 2 * 32_768 + 100
"""Of a run: beginning, end, and the line that says what is left out between them."""

MAX_PATH_CHARACTERS = 4_096
MAX_NAMES = 100_000
MAX_NUMBER = 2**53
"""Every JSON reader holds it exactly."""

_MAX_PID = 2**31
_MAX_DEPTH = 120
_MAX_STAMP = 2**64
_STAMP_NUMBERS = 3
_SHOWN_CHARACTERS = 80


class InvalidMessageError(ValueError):
    """A message that no nbsession sends."""

    def __init__(self, message: str, job: int | None = None) -> None:
        super().__init__(message)
        self.job = job


def checked_message(message: object) -> Message:
    """Return a message with the members that are known of its kind; long texts are shortened."""
    op = message.get("op") if isinstance(message, dict) else None
    members = _MEMBERS.get(op) if isinstance(op, str) else None
    if members is None or not isinstance(message, dict):
        error = f"a worker sends objects with a known 'op', got {_shown(message)}"
        raise InvalidMessageError(error)
    result: Message = {"op": op}
    required, optional = members
    name = "op"
    try:
        for name, check in required.items():
            result[name] = check(message[name])
        for name, check in optional.items():
            if name in message:
                result[name] = check(message[name])
    except KeyError:
        raise InvalidMessageError(f"{op} without {name!r}", _job_of(message)) from None
    except ValueError as error:
        text = f"{op} with {name}={_shown(message[name])}: {error}"
        raise InvalidMessageError(text, _job_of(message)) from None
    return result


def _job_of(message: Mapping[str, Any]) -> int | None:
    job = message.get("job")
    return job if isinstance(job, int) and not isinstance(job, bool) else None


def _shown(value: object) -> str:
    if isinstance(value, str | bytes):
        value = value[:_SHOWN_CHARACTERS]
    elif isinstance(value, list | dict):
        return f"a {type(value).__name__} of {len(value)}"
    elif isinstance(value, int) and abs(value) > MAX_NUMBER:
        return "a huge number"
    return ascii(value)[:_SHOWN_CHARACTERS]


def _number(least: int, beyond: int) -> Check:
    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < beyond:
            raise ValueError("no whole number in its range")
        return value

    return check


def _or_none(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _text(limit: int) -> Check:
    def check(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError("no text")  # noqa: TRY004 - all of these are one error
        return value if value.isascii() and len(value) <= limit else clean(value, limit)

    return check


def _one_of(*choices: str) -> Check:
    def check(value: object) -> object:
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"none of {', '.join(choices)}")
        return value

    return check


def _fraction(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("no number from 0 to 1")
    return float(value)


def _path(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_PATH_CHARACTERS or "\0" in value:
        raise ValueError("no path")
    return value


def _stamp(value: object) -> tuple[int, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != _STAMP_NUMBERS:
        raise ValueError("no stamp of a file")
    return tuple(map(_number(-_MAX_STAMP, _MAX_STAMP), value))


def _names(value: object) -> list[str]:
    if not isinstance(value, list) or len(value) > MAX_NAMES:
        raise ValueError("no list of names")
    if not all(isinstance(each, str) for each in value):
        raise ValueError("no list of names")
    return value


def _arguments(kind: type) -> Check:
    def check(value: object) -> object:
        if not isinstance(value, kind):
            raise ValueError(f"no {kind.__name__}")  # noqa: TRY004 - all of these are one error
        check_finite(value)
        return value

    return check


def check_finite(value: object) -> None:
    """Raise ValueError for a number that is not finite, and for JSON that is nested too deep."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        if any(isinstance(each, float) and not math.isfinite(each) for each in level):
            raise ValueError("a number that is not finite")
        lists = (each for each in level if isinstance(each, list | dict))
        level = [
            each
            for items in lists
            for each in (items.values() if isinstance(items, dict) else items)
        ]
        if not level:
            return
    raise ValueError("nested too deep")


_JOB = _number(0, MAX_NUMBER)
_INSTANT = _number(EARLIEST_US, LATEST_US)
_ERROR = _text(MAX_ERROR_CHARACTERS)
_TRACE = _text(MAX_TRACEBACK_CHARACTERS)

_MEMBERS: dict[str, tuple[dict[str, Check], dict[str, Check]]] = {
    "hello": ({"protocol": _JOB, "version": _text(100)}, {}),
    "ready": ({"tasks": _names}, {}),
    "broken": ({"error": _ERROR, "trace": _TRACE}, {}),
    "source": ({"path": _path, "stamp": _stamp}, {}),
    "child": ({"job": _JOB, "pid": _number(2, _MAX_PID)}, {}),
    "progress": ({"job": _JOB, "fraction": _fraction, "text": _text(MAX_TEXT_CHARACTERS)}, {}),
    "goes_on": ({"job": _JOB}, {}),
    "pong": ({}, {}),
    "ended": (
        {
            "job": _JOB,
            "state": _one_of("succeeded", "failed"),
            "started": _or_none(_INSTANT),
            "ended": _INSTANT,
        },
        {
            "reason": _or_none(_ERROR),
            "error": _or_none(_ERROR),
            "traceback": _or_none(_TRACE),
            "output": _text(MAX_OUTPUT_CHARACTERS),
        },
    ),
    "answered": (
        {"job": _JOB},
        {"value": _or_none(_INSTANT), "error": _ERROR, "traceback": _TRACE},
    ),
    "ask": (
        {
            "job": _JOB,
            "what": _text(100),
            "args": _arguments(list),
            "kwargs": _arguments(dict),
            "run": _or_none(_JOB),
        },
        {},
    ),
    "log": (
        {"level": _one_of(*LOG_LEVELS), "text": _text(MAX_LOG_CHARACTERS)},
        {"trace": _TRACE},
    ),
}
"""By kind: the members that a message must and may have."""
