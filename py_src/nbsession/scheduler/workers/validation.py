"""Messages of a worker or of a run's own process, checked before anything in them is believed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbsession.core.schedule.instant import EARLIEST_US, LATEST_US
from nbsession.core.tasks.run import MAX_TEXT_CHARACTERS
from nbsession.core.text import LOG_LEVELS, MAX_LOG_CHARACTERS
from nbsession.core.tracebacks import MAX_ERROR_CHARACTERS, MAX_TRACEBACK_CHARACTERS
from nbsession.core.validation import MAX_NUMBER, check_plain, one_of, or_none, text, whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbsession.core.validation import Check

    from .messages import Message

MAX_OUTPUT_CHARACTERS = 2 * 32_768 + 100
"""Of a run: beginning, end, and the line that says what is left out between them."""

MAX_PATH_CHARACTERS = 4_096
MAX_NAMES = 100_000

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
        problem = f"{op} with {name}={_shown(message[name])}: {error}"
        raise InvalidMessageError(problem, _job_of(message)) from None
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
    return tuple(map(whole_number(-_MAX_STAMP, _MAX_STAMP), value))


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
        check_plain(value, _MAX_DEPTH)
        return value

    return check


_JOB = whole_number(0, MAX_NUMBER)
_INSTANT = whole_number(EARLIEST_US, LATEST_US)
_ERROR = text(MAX_ERROR_CHARACTERS)
_TRACE = text(MAX_TRACEBACK_CHARACTERS)

_MEMBERS: dict[str, tuple[dict[str, Check], dict[str, Check]]] = {
    "hello": ({"protocol": _JOB, "version": text(100)}, {}),
    "ready": ({"tasks": _names}, {}),
    "broken": ({"error": _ERROR, "trace": _TRACE}, {}),
    "source": ({"path": _path, "stamp": _stamp}, {}),
    "child": ({"job": _JOB, "pid": whole_number(2, _MAX_PID)}, {}),
    "progress": ({"job": _JOB, "fraction": _fraction, "text": text(MAX_TEXT_CHARACTERS)}, {}),
    "goes_on": ({"job": _JOB}, {}),
    "pong": ({}, {}),
    "ended": (
        {
            "job": _JOB,
            "state": one_of("succeeded", "failed"),
            "started": or_none(_INSTANT),
            "ended": _INSTANT,
        },
        {
            "reason": or_none(_ERROR),
            "error": or_none(_ERROR),
            "traceback": or_none(_TRACE),
            "output": text(MAX_OUTPUT_CHARACTERS),
        },
    ),
    "answered": (
        {"job": _JOB},
        {"value": or_none(_INSTANT), "error": _ERROR, "traceback": _TRACE},
    ),
    "ask": (
        {
            "job": _JOB,
            "what": text(100),
            "args": _arguments(list),
            "kwargs": _arguments(dict),
            "run": or_none(_JOB),
        },
        {},
    ),
    "log": (
        {"level": one_of(*LOG_LEVELS), "text": text(MAX_LOG_CHARACTERS)},
        {"trace": _TRACE},
    ),
}
"""By kind: the members that a message must and may have."""
