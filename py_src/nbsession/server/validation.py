"""The values that requests carry: bounded, and refused in words if they are wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nbsession.core.link_http import MAX_LINK_BYTES
from nbsession.core.validation import parse_json

from .errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbsession.core.tasks.spec import TaskSpec


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
    """Return how many runs are asked for, `MAX_RUNS` at the most."""
    if text is None:
        return DEFAULT_RUNS
    if not _WHOLE.fullmatch(text) or not text.strip("0"):
        message = f"limit is a whole number from 1 on, got {text[:20]!r}"
        raise BadRequestError(message)
    return min(_whole(text), MAX_RUNS)


def id_of(text: str | None) -> int | None:
    """Return the id of the one task that is meant; None for whichever has the name."""
    if text is None:
        return None
    if not _WHOLE.fullmatch(text):
        message = f"id is the whole number of a task, got {text[:20]!r}"
        raise BadRequestError(message)
    return _whole(text)


def seconds_of(text: str | None, most: float) -> float:
    """Return for how many seconds an answer may be held back, `most` at the most."""
    if not text:
        return 0.0
    if not _NUMBER.fullmatch(text):
        message = f"seconds is a number from 0 on, got {text[:20]!r}"
        raise BadRequestError(message)
    return min(float(text), most)


def _whole(text: str) -> int:
    """Return a whole number; of one that is too long to mean anything, the largest."""
    digits = text.lstrip("0") or "0"
    return int(digits) if len(digits) <= _MAX_DIGITS else 10**_MAX_DIGITS - 1


def truth_of(name: str, text: str) -> bool:
    """Return what a path's query says of a choice."""
    if text not in ("true", "false"):
        message = f"{name} is true or false, got {text[:20]!r}"
        raise BadRequestError(message)
    return text == "true"


def flag_of(body: Mapping[str, Any], name: str) -> bool:
    """Return a member that is true or false; False if it is missing."""
    value = body.get(name, False)
    if not isinstance(value, bool):
        message = f"{name} must be true or false"
        raise BadRequestError(message)
    return value


MAX_DECLARATION_BYTES = MAX_LINK_BYTES

_UNREADABLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


def checked_declaration(
    body: Mapping[str, Any], can_run: Callable[[TaskSpec], bool]
) -> tuple[Mapping[str, Any], bool]:
    """Return the spec's JSON, and whether it replaces a task."""
    replace = flag_of(body, "replace")
    spec = _read(body.get("spec"))
    _check(spec)
    if not can_run(spec):
        home = spec.home
        message = (
            f"the server cannot run task {spec.name!r}: it needs the interpreter "
            f"{home.python if home else None} and the folders {home.folder if home else None} and "
            f"{home.directory if home else None} on the server's machine"
        )
        raise BadRequestError(message)
    return body["spec"], replace


def _read(data: Any) -> TaskSpec:
    from nbsession.core.tasks.spec import TaskSpec

    if not isinstance(data, dict):
        message = "spec must be the JSON of a task"
        raise BadRequestError(message)
    try:
        return TaskSpec.from_json(data)
    except _UNREADABLE as error:
        message = f"spec is not the JSON of a task: {error!r}"
        raise BadRequestError(message) from error


def _check(spec: TaskSpec) -> None:
    from nbsession.scheduler.api.declare import check_spec

    try:
        check_spec(spec)
    except ValueError as error:
        raise BadRequestError(str(error)) from error


TASK_ACTIONS = ("pause", "resume", "run", "cancel")


def carry_out(board: Any, name: str, order: str, body: Mapping[str, Any]) -> Any:
    """Do what is ordered, and return the answer's JSON."""
    if order == "pause":
        return board.pause(name)
    if order == "resume":
        return board.resume(name)
    if order == "run":
        return board.run_now(name)
    if order == "cancel":
        board.cancel(name, wait=flag_of(body, "wait"))
        return {"name": name}
    message = f"no order {order!r} to a task; there are {', '.join(TASK_ACTIONS)}"
    raise BadRequestError(message)
