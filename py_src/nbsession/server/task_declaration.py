"""A task as a kernel declares it over the link: looked at before it is kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbsession.core.policies import MISFIRES, OVERLAPS

from .arguments import flag_of
from .refusals import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbsession.core.task_spec import TaskSpec

MAX_DECLARATION_BYTES = 1024 * 1024
MAX_US = 2**53
"""285 years; what comes from a kernel may be any number."""

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
    """Return the spec's JSON, and whether it replaces a task.

    Parameters
    ----------
    body
        ``{"spec": TaskSpec.to_json(), "replace": bool}``, from a kernel: it may be anything.
    can_run
        Whether this server has what a task needs.

    Raises
    ------
    BadRequestError
        If it is no task that a kernel may declare, or none that can run here.
    """
    replace = flag_of(body, "replace")
    spec = _read(body.get("spec"))
    _check(spec)
    if not can_run(spec):
        home = spec.home
        message = (
            f"the server cannot run task {spec.name!r}: it needs the interpreter "
            f"{home.python if home else None} and the folder {home.folder if home else None} on "
            "the server's machine"
        )
        raise BadRequestError(message)
    return body["spec"], replace


def _read(data: Any) -> TaskSpec:
    from nbsession.core.task_spec import TaskSpec

    if not isinstance(data, dict):
        message = "spec must be the JSON of a task"
        raise BadRequestError(message)
    try:
        return TaskSpec.from_json(data)
    except _UNREADABLE as error:
        message = f"spec is not the JSON of a task: {error!r}"
        raise BadRequestError(message) from error


def _check(spec: TaskSpec) -> None:
    from nbsession.core.code_trigger import CodeTrigger
    from nbsession.scheduler.declaration import MAX_NAME_CHARACTERS, is_name

    home, targets = spec.home, [spec.target, *([spec.at_target] if spec.at_target else [])]
    rules = (
        (
            is_name(spec.name),
            f"its name is 1 to {MAX_NAME_CHARACTERS} printable characters, no spaces around it",
        ),
        (isinstance(spec.kwargs, dict), "kwargs is an object"),
        (
            # A setup script's worker takes its tasks from the script, and from nobody else.
            home is not None and home.setup is None and all(t.kind == "import" for t in targets),
            "a kernel declares callables by their import, outside of setup scripts",
        ),
        (
            all(_is_text(t.module) and _is_text(t.qualname) for t in targets),
            "module and qualname are printable texts",
        ),
        (
            home is not None and _is_path(home.python) and _is_path(home.folder),
            "python and folder of the home are absolute paths",
        ),
        (
            isinstance(spec.trigger, CodeTrigger) == (spec.at_target is not None),
            "at_target is what a code trigger asks, and nothing without one",
        ),
        (_are_sound(spec.policies), "policies are those of the documentation, durations in µs"),
    )
    for holds, rule in rules:
        if not holds:
            message = f"this is no task: {rule}"
            raise BadRequestError(message)
    _check_arguments(spec)


def _check_arguments(spec: TaskSpec) -> None:
    from nbsession.scheduler.json_arguments import json_args, json_kwargs

    try:
        json_args(spec.args)
        json_kwargs(spec.kwargs)
    except TypeError as error:
        raise BadRequestError(str(error)) from error


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()


def _is_path(value: object) -> bool:
    if not isinstance(value, str) or "\0" in value or not Path(value).is_absolute():
        return False
    try:
        os.fsencode(value)
    except UnicodeEncodeError:  # as JSON can write half a character
        return False
    return True


def _are_sound(policies: Any) -> bool:
    numbers = (policies.misfire_grace_us, policies.retries, policies.timeout_us or 0)
    flags = (policies.threaded, policies.process)
    return (
        policies.overlap in OVERLAPS
        and policies.misfire in MISFIRES
        and all(isinstance(number, int) and 0 <= number < MAX_US for number in numbers)
        and all(isinstance(flag, bool) for flag in flags)
    )
