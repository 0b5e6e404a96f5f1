"""What the arguments of ``schedule_task`` mean, or why they mean nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from nbsession.core.callable_reference import is_async, is_generator, name_of, unwrap
from nbsession.core.code_trigger import CodeTrigger
from nbsession.core.policies import DEFAULT_POLICIES, MISFIRES, OVERLAPS, Policies
from nbsession.core.schedule import make_trigger
from nbsession.core.task_spec import NO_KWARGS, TaskSpec

from .json_arguments import json_args, json_kwargs

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbsession.core.target import Home, Target

MAX_NAME_CHARACTERS = 200
MAX_SECONDS = 200 * 365 * 86_400
"""200 years: in µs an int that every database and JSON reader holds."""

MAX_RETRIES = 1_000_000


class Place(NamedTuple):
    """Where a task runs.

    Attributes
    ----------
    target
        What it calls.
    at_target
        What is asked for the next instant, None if the schedule is no code.
    home
        The worker; None if it runs in this process.
    """

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
    """Check what was asked for, and put it into the form in which it is kept.

    Parameters
    ----------
    name, callback, at, period, cron, tz, threaded, args, kwargs, overlap, misfire, misfire_grace, \
    timeout, retries, process
        As in `Scheduling.schedule_task`.
    place
        Takes the callable without a partial's arguments, and `at` if that is a callable or an
        iterator, else None. Says where the task runs, or raises.
    now_us
        An instant in µs since the epoch, UTC.

    Raises
    ------
    TypeError
        If something is of a type that nothing can be made of.
    ValueError
        If a value or a combination is not understood, or cannot work.
    """
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
        args, kwargs = json_args(args), json_kwargs(kwargs)
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
    """Whether a task can have this name."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_NAME_CHARACTERS
        and value.isprintable()
        and value == value.strip()
        and value not in (".", "..")  # in a path they are other places
    )


def _checked_name(name: object) -> str:
    if not isinstance(name, str):
        message = f"a task's name is text, got {type(name).__name__}: {name!r}"
        raise TypeError(message)
    if not is_name(name):
        message = (
            f"no name for a task: {name[:MAX_NAME_CHARACTERS]!r}; it has 1 to "
            f"{MAX_NAME_CHARACTERS} printable characters, no spaces around it, and is not . or .."
        )
        raise ValueError(message)
    return name


def _checked_callback(callback: object) -> Callable[..., Any]:
    if not callable(callback):
        message = f"a task's callback must be callable, got {type(callback).__name__}: {callback!r}"
        raise TypeError(message)
    if is_generator(callback):
        message = (
            f"a call of {':'.join(name_of(unwrap(callback).function))} runs nothing, as it is a "
            "generator: give a function without yield, such as one that loops over it; one that "
            "yields when to run goes into at=, called, as an iterator"
        )
        raise TypeError(message)
    return callback


def _arguments(args: object, kwargs: object) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if not isinstance(args, tuple | list):
        message = f"args is a tuple or list of what the callback takes, got {args!r}"
        raise TypeError(message)
    if kwargs is not None and not isinstance(kwargs, Mapping):
        message = f"kwargs is a dict of what the callback takes by name, got {kwargs!r}"
        raise TypeError(message)
    named = dict(kwargs or {})
    if any(not isinstance(key, str) for key in named):
        message = f"the keys of kwargs are names, got {list(named)!r}"
        raise TypeError(message)
    return tuple(args), named


def _choice(what: str, value: Any, choices: tuple[str, ...]) -> Any:
    if value not in choices:
        allowed = ", ".join(repr(choice) for choice in choices)
        message = f"{what} is one of {allowed}; got {value!r}"
        raise ValueError(message)
    return value


def checked_flag(what: str, value: object) -> bool:
    """Return an option that is True or False; a TypeError if it is anything else."""
    if not isinstance(value, bool):
        message = f"{what} is True or False, got {value!r}"
        raise TypeError(message)
    return value


def _microseconds(what: str, value: object, *, may_be_zero: bool = False) -> int:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        message = f"{what} is a number of seconds or a timedelta, got {value!r}"
        raise TypeError(message)
    length_us = round(seconds * 1e6) if 0 <= seconds <= MAX_SECONDS else -1  # nan is neither
    if length_us < 0 or not (length_us or (may_be_zero and seconds == 0)):
        least = "0 or more" if may_be_zero else "more than 0"
        message = f"{what} is {least} seconds and at most 200 years, got {_shown(value)}"
        raise ValueError(message)
    return length_us


def _shown(value: object) -> str:
    try:
        return repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number of thousands of digits"


def _retries(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        message = f"retries is a whole number, got {value!r}"
        raise TypeError(message)
    if not 0 <= value <= MAX_RETRIES:
        message = f"retries is 0 or more and at most {MAX_RETRIES:,}, got {_shown(value)}"
        raise ValueError(message)
    return value


def _check_can_end(policies: Policies, function: Callable[..., Any], *, is_hosted: bool) -> None:
    """Raise ValueError for what the process in which the task runs cannot do."""
    if policies.process and is_hosted:
        message = (
            "process=True needs a global task: a callback in a module that can be imported, and a "
            "notebook whose Jupyter server has nbsession"
        )
        raise ValueError(message)
    if policies.timeout_us is None or policies.process or is_async(function):
        return
    mend = "use an async callback"
    if is_hosted:
        mend += ", or put this one into a module and use process=True"
    else:
        mend += ", or process=True, which gives each run a process of its own"
    message = f"timeout cannot end a synchronous callback, which no other thread can stop: {mend}"
    raise ValueError(message)
