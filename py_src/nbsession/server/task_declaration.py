"""A task as a kernel declares it over the link: looked at before it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbsession.core.protocol import MAX_LINK_BYTES

from .arguments import flag_of
from .refusals import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbsession.core.task_spec import TaskSpec

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
            f"{home.python if home else None} and the folders {home.folder if home else None} and "
            f"{home.directory if home else None} on the server's machine"
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
    from nbsession.scheduler.declaration import check_spec

    try:
        check_spec(spec)
    except ValueError as error:
        raise BadRequestError(str(error)) from error
