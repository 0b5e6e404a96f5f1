"""The errors and warnings of nbsession, and their names in messages between processes."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


class NBSessionWarning(UserWarning):
    """Something that `state` offers is missing here; the message says how to fix it."""


def warn(message: str, category: type[Warning] = NBSessionWarning) -> None:
    """Warn at the first line outside of this package that led here."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - documented, and the only way
    level = 2
    while frame is not None and frame.f_globals.get("__name__", "").startswith("nbsession."):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


class LinkError(OSError):
    """The server that started this kernel cannot be reached."""


class LinkRefusedError(LinkError):
    """The server answered, and refused: a wrong token, or a kernel that it no longer knows."""


class LinkProtocolError(LinkError):
    """Kernel and server run versions of nbsession that do not understand each other."""


class LinkSizeError(LinkError, ValueError):
    """A request is larger than the server accepts."""


class LinkAnswerError(LinkError):
    """The server answered with an error."""

    def __init__(self, message: str, status: int, kind: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


class ScheduleError(ValueError, TypeError):
    """A part of a schedule is of a type that no schedule can have."""


class TaskExistsWarning(UserWarning):
    """A task of this name is there already, with another callback or schedule; nothing changed."""


class TaskExistsError(ValueError):
    """The name is taken by a task that may not be replaced from here."""


class NoSuchTaskError(KeyError):
    """No task of this name is there."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"no task named {self.name!r}; `state.tasks` lists those that are there"


class TaskReplacedError(NoSuchTaskError):
    """The task was cancelled, and another one has its name."""

    def __str__(self) -> str:
        return (
            f"this task {self.name!r} is cancelled, and another one has its name: "
            f"`state.tasks[{self.name!r}]` is that one"
        )


class NotRunnableError(RuntimeError):
    """The task runs elsewhere: on a server that has its setup script, folder and interpreter."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} cannot run here: this server lacks its setup script, folder or interpreter; "
            "the server that scheduled it has them"
        )


class StoreError(RuntimeError):
    """The tasks cannot be stored: the message says why, and what to do."""


class StoreBusyError(StoreError):
    """Another process holds the database; the same call may go through in a moment."""


TASK_ERRORS: dict[str, type[Exception]] = {
    "no_such_task": NoSuchTaskError,
    "task_exists": TaskExistsError,
    "not_runnable": NotRunnableError,
    "store": StoreError,
    "bad_request": ValueError,
}
"""The errors of tasks that one process raises for another, by their `kind` in REST and the link."""

_BY_NAME: dict[str, type[Exception]] = {
    error.__name__: error for error in (*TASK_ERRORS.values(), StoreBusyError, TypeError)
}


_MAX_NAME_CHARACTERS = 200
"""Longer names are of no task."""


def name_of_error(error: Exception) -> str:
    """Return the name by which `error_from` makes an error again in another process."""
    names = [each.__name__ for each in type(error).__mro__]
    return next((name for name in names if name in _BY_NAME), names[0])


def error_from(name: str, message: str, task: object) -> Exception | None:
    """Return the error of another process by its name or kind; None if it is unknown."""
    error = TASK_ERRORS.get(name) or _BY_NAME.get(name)
    if error is None:
        return None
    is_of_task = issubclass(error, NoSuchTaskError | NotRunnableError)
    return error(str(task)[:_MAX_NAME_CHARACTERS] if is_of_task else message)
