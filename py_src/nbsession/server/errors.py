"""Which status code stands for which error: for REST and for the link alike."""

from __future__ import annotations

from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tornado.web import HTTPError

from nbsession.core.errors import NoSuchTaskError, NotRunnableError, StoreError, TaskExistsError
from nbsession.core.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator


class BadRequestError(ValueError):
    """What was asked for cannot be understood; the message says what would be right."""


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


_REFUSALS: tuple[tuple[type[Exception], int, str], ...] = (
    (NoSuchTaskError, HTTPStatus.NOT_FOUND, "no_such_task"),
    (NoSuchSessionError, HTTPStatus.NOT_FOUND, "no_such_session"),
    (NoSuchRunError, HTTPStatus.NOT_FOUND, "no_such_run"),
    (NotInKernelError, HTTPStatus.NOT_FOUND, "not_in_kernel"),
    (TaskExistsError, HTTPStatus.CONFLICT, "task_exists"),
    (NotRunnableError, HTTPStatus.CONFLICT, "not_runnable"),
    (StoreError, HTTPStatus.SERVICE_UNAVAILABLE, "store"),
    (SilentKernelError, HTTPStatus.GATEWAY_TIMEOUT, "silent_kernel"),
    (BadRequestError, HTTPStatus.BAD_REQUEST, "bad_request"),
)
_KNOWN = tuple(error for error, _, _ in _REFUSALS)


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
    except _KNOWN as error:
        for known, status, kind in _REFUSALS:
            if isinstance(error, known):
                raise RefusedError(status, kind, str(error)) from error
        raise
