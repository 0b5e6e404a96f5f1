"""Which status code stands for which error: for REST and for the link alike."""

from __future__ import annotations

from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tornado.web import HTTPError

from nbsession.core.errors import TASK_ERRORS
from nbsession.core.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator


class BadRequestError(ValueError):
    """A request is not understood; the message says what would be right."""


class NoSuchSessionError(LookupError):
    """No session of this kernel lives on this server."""

    def __init__(self, kernel_id: str) -> None:
        super().__init__(f"no session of a kernel {kernel_id}; it may have ended")


class NoSuchRunError(LookupError):
    """No run has this id, or not of this task."""

    def __init__(self, name: str, run_id: str) -> None:
        super().__init__(f"no run {run_id[:20]} of task {name!r}; old ones are forgotten")


class NotInKernelError(LookupError):
    """The kernel has no such callback or task."""


class SilentKernelError(TimeoutError):
    """A kernel has not answered in time."""


_ERRORS: dict[str, type[Exception]] = {
    **TASK_ERRORS,
    "bad_request": BadRequestError,
    "no_such_session": NoSuchSessionError,
    "no_such_run": NoSuchRunError,
    "not_in_kernel": NotInKernelError,
    "silent_kernel": SilentKernelError,
}
_STATUSES = {
    "task_exists": HTTPStatus.CONFLICT,
    "not_runnable": HTTPStatus.CONFLICT,
    "store": HTTPStatus.SERVICE_UNAVAILABLE,
    "silent_kernel": HTTPStatus.GATEWAY_TIMEOUT,
    "bad_request": HTTPStatus.BAD_REQUEST,
}


class RefusedError(HTTPError):
    """An error as HTTP tells it: the status, and `body` as JSON."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        # It goes to the log, and may be a kernel's.
        super().__init__(status, "%s", printable(message))
        self.body: dict[str, Any] = {"kind": kind, "message": message}


@contextmanager
def refusing() -> Iterator[None]:
    """Turn the errors that stand for an answer into that answer."""
    try:
        yield
    except tuple(_ERRORS.values()) as error:
        kind = next(kind for kind, known in _ERRORS.items() if isinstance(error, known))
        status = _STATUSES.get(kind, HTTPStatus.NOT_FOUND)
        raise RefusedError(status, kind, str(error)) from error
