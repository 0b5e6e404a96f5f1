"""The arguments of ``schedule_task`` and the declarations of other processes, checked."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from nbsession.core.callables import is_async, is_generator, name_of, unwrap
from nbsession.core.schedule.parse import make_trigger
from nbsession.core.schedule.triggers import CodeTrigger
from nbsession.core.tasks.spec import (
    DEFAULT_POLICIES,
    MISFIRES,
    NO_KWARGS,
    OVERLAPS,
    Policies,
    TaskSpec,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbsession.core.tasks.spec import Home, Target

MAX_ARGUMENT_BYTES = 1024 * 1024
"""Of the arguments of one task, as compact JSON in UTF-8."""

_MAX_DEPTH = 100


def _json_arguments(
    args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return copies of the arguments of a global task."""
    args = tuple(_copy(value, f"args[{index}]") for index, value in enumerate(args))
    kwargs = {key: _copy(value, f"kwargs[{key!r}]") for key, value in kwargs.items()}
    text = json.dumps([args, kwargs], ensure_ascii=False, separators=(",", ":"))
    size = len(text.encode("utf-8", "surrogatepass")) - len("[,]")
    if size > MAX_ARGUMENT_BYTES:
        raise ValueError(
            f"the arguments of this task are {size:,} bytes as JSON, and a global task takes "
            f"{MAX_ARGUMENT_BYTES:,} (1 MiB) at most: write them into a file, and give the task "
            "its path"
        )
    return args, kwargs


def _copy(value: Any, where: str, depth: int = 0) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, list) and depth < _MAX_DEPTH:
        return [_copy(item, f"{where}[{i}]", depth + 1) for i, item in enumerate(value)]
    if isinstance(value, dict) and depth < _MAX_DEPTH and all(isinstance(k, str) for k in value):
        return {key: _copy(item, f"{where}[{key!r}]", depth + 1) for key, item in value.items()}
    raise TypeError(
        f"{where} of a global task is no JSON value: {type(value).__name__}. It goes to another "
        "process: use text, finite numbers, True, False, None, and lists and dicts (with text as "
        "keys) of them"
    )


MAX_NAME_CHARACTERS = 200
MAX_SECONDS = 200 * 365 * 86_400
"""200 years: in µs an int that every database and JSON reader holds."""

MAX_RETRIES = 1_000_000

_MAX_PATHS = 100
_MAX_PATH_CHARACTERS = 4_096
_MAX_US = 2**53
"""285 years; what comes from another process may be any number."""


class Place(NamedTuple):
    """Where a task runs."""

    target: Target
    at_target: Target | None
    home: Home | None


def declare(  # noqa: PLR0913 - they are the user's
    name: object,
    callback: object,
    *,
    at: Any,
    period: Any,
    cron: str | None,
    tz: Any,
    threaded: bool,
    args: Any,
    kwargs: Any,
    overlap: Any,
    misfire: Any,
    misfire_grace: Any,
    timeout: Any,
    retries: Any,
    process: bool,
    place: Callable[[Callable[..., Any], Any], Place],
    now_us: int,
) -> TaskSpec:
    """Check the arguments of ``schedule_task``, and return what is stored of them."""
    name = _checked_name(name)
    call = unwrap(_checked_callback(callback))
    args, kwargs = _arguments(args, kwargs)
    policies = Policies(
        overlap=_choice("overlap", overlap, OVERLAPS),
        misfire=_choice("misfire", misfire, MISFIRES),
        misfire_grace_us=_microseconds("misfire_grace", misfire_grace, may_be_zero=True),
        timeout_us=None if timeout is None else _microseconds("timeout", timeout),
        retries=_retries(retries),
        threaded=checked_flag("threaded", threaded),
        process=checked_flag("process", process),
    )
    trigger = make_trigger(at, period, cron, tz, now_us)
    is_code = isinstance(trigger, CodeTrigger)
    target, at_target, home = place(call.function, at if is_code else None)
    _check_can_end(policies, call.function, is_hosted=home is None)
    args, kwargs = (*call.args, *args), {**call.kwargs, **kwargs}
    if home is not None:
        args, kwargs = _json_arguments(args, kwargs)
    return TaskSpec(
        name=name,
        target=target,
        trigger=trigger,
        args=args,
        kwargs=kwargs or NO_KWARGS,
        policies=DEFAULT_POLICIES if policies == DEFAULT_POLICIES else policies,
        home=home,
        at_target=at_target,
    )


def is_name(value: object) -> TypeGuard[str]:
    """Return whether a task can have this name."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_NAME_CHARACTERS
        and value.isprintable()
        and value == value.strip()
        and value not in (".", "..")  # in a path they are other places
    )


def _checked_name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a task's name is text, got {type(name).__name__}: {name!r}")
    if not is_name(name):
        raise ValueError(
            f"no name for a task: {name[:MAX_NAME_CHARACTERS]!r}; it has 1 to "
            f"{MAX_NAME_CHARACTERS} printable characters, no spaces around it, and is not . or .."
        )
    return name


def _checked_callback(callback: object) -> Callable[..., Any]:
    if not callable(callback):
        raise TypeError(
            f"a task's callback must be callable, got {type(callback).__name__}: {callback!r}"
        )
    if is_generator(callback):
        raise TypeError(
            f"a call of {':'.join(name_of(unwrap(callback).function))} runs nothing, as it is a "
            "generator: give a function without yield, such as one that loops over it; one that "
            "yields when to run goes into at=, called, as an iterator"
        )
    return callback


def _arguments(args: object, kwargs: object) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if not isinstance(args, tuple | list):
        raise TypeError(f"args is a tuple or list of what the callback takes, got {args!r}")
    if kwargs is not None and not isinstance(kwargs, Mapping):
        raise TypeError(f"kwargs is a dict of what the callback takes by name, got {kwargs!r}")
    named = dict(kwargs or {})
    if any(not isinstance(key, str) for key in named):
        raise TypeError(f"the keys of kwargs are names, got {list(named)!r}")
    return tuple(args), named


def _choice(what: str, value: Any, choices: tuple[str, ...]) -> Any:
    if value not in choices:
        allowed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{what} is one of {allowed}; got {value!r}")
    return value


def checked_flag(what: str, value: object) -> bool:
    """Return an option that is True or False; a TypeError if it is anything else."""
    if not isinstance(value, bool):
        raise TypeError(f"{what} is True or False, got {value!r}")
    return value


def _microseconds(what: str, value: object, *, may_be_zero: bool = False) -> int:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"{what} is a number of seconds or a timedelta, got {value!r}")
    length_us = round(seconds * 1e6) if 0 <= seconds <= MAX_SECONDS else -1  # nan is neither
    if length_us < 0 or not (length_us or (may_be_zero and seconds == 0)):
        least = "0 or more" if may_be_zero else "more than 0"
        raise ValueError(f"{what} is {least} seconds and at most 200 years, got {_shown(value)}")
    return length_us


def _shown(value: object) -> str:
    try:
        return repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number of thousands of digits"


def _retries(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"retries is a whole number, got {value!r}")
    if not 0 <= value <= MAX_RETRIES:
        raise ValueError(f"retries is 0 or more and at most {MAX_RETRIES:,}, got {_shown(value)}")
    return value


def _check_can_end(policies: Policies, function: Callable[..., Any], *, is_hosted: bool) -> None:
    """Raise ValueError for policies that the process in which the task runs cannot follow."""
    if policies.process and is_hosted:
        raise ValueError(
            "process=True needs a global task: a callback in a module that can be imported, and a "
            "notebook whose Jupyter server has nbsession"
        )
    if policies.timeout_us is None or policies.process or is_async(function):
        return
    remedy = "use an async callback"
    if is_hosted:
        remedy += ", or put this one into a module and use process=True"
    else:
        remedy += ", or process=True, which gives each run a process of its own"
    raise ValueError(
        f"timeout cannot end a synchronous callback, which no other thread can stop: {remedy}"
    )


_UNREADABLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


def read_spec(data: Any) -> TaskSpec:
    """Read a task that another process declares."""
    if not isinstance(data, dict):
        message = "spec must be the JSON of a task"
        raise ValueError(message)  # noqa: TRY004 - of what another process sends all is one error
    try:
        return TaskSpec.from_json(data)
    except _UNREADABLE as error:
        raise ValueError(f"spec is not the JSON of a task: {error!r}") from error


def check_spec(spec: TaskSpec, declarer: Home | None = None) -> None:
    """Check a task that another process declares; a worker is a declarer with its home."""
    home, targets = spec.home, [spec.target, *([spec.at_target] if spec.at_target else [])]
    is_setup_task = (
        declarer is not None
        and declarer.setup is not None
        and home == declarer
        and all(target.kind == "setup" for target in targets)
    )
    is_imported = (
        home is not None
        and home.setup is None
        and all(target.kind == "import" for target in targets)
    )
    rules = (
        (
            is_name(spec.name),
            f"its name is 1 to {MAX_NAME_CHARACTERS} printable characters, no spaces around it",
        ),
        (isinstance(spec.kwargs, dict), "kwargs is an object"),
        (
            # A setup script's worker takes its tasks from the script, and from nobody else.
            is_imported or is_setup_task,
            "callables are declared by their import, and others by the setup script that has them",
        ),
        (
            all(_is_text(target.module) and _is_text(target.qualname) for target in targets),
            "module and qualname are printable texts",
        ),
        (
            home is not None and _are_paths(home),
            "python, folder, directory and paths of the home are absolute paths",
        ),
        (
            isinstance(spec.trigger, CodeTrigger) == (spec.at_target is not None),
            "at_target is what a code trigger asks, and nothing without one",
        ),
        (_are_sound(spec.policies), "policies are those of the documentation, durations in µs"),
    )
    for holds, rule in rules:
        if not holds:
            raise ValueError(f"this is no task: {rule}")
    try:
        _json_arguments(spec.args, spec.kwargs)
    except TypeError as error:
        raise ValueError(str(error)) from error


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()


def _are_paths(home: Home) -> bool:
    paths = (*home.first_paths, *home.last_paths)
    return len(paths) <= _MAX_PATHS and all(
        map(_is_path, (home.python, home.folder, home.directory, *paths))
    )


def _is_path(value: object) -> bool:
    if not isinstance(value, str) or "\0" in value or len(value) > _MAX_PATH_CHARACTERS:
        return False
    try:
        os.fsencode(value)
    except UnicodeEncodeError:  # as JSON can write half a character
        return False
    return Path(value).is_absolute()


def _are_sound(policies: Any) -> bool:
    numbers = (policies.misfire_grace_us, policies.retries, policies.timeout_us or 0)
    flags = (policies.threaded, policies.process)
    return (
        policies.overlap in OVERLAPS
        and policies.misfire in MISFIRES
        and all(isinstance(number, int) and 0 <= number < _MAX_US for number in numbers)
        and all(isinstance(flag, bool) for flag in flags)
    )
