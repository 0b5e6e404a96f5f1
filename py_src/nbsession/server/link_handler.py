"""Who may ask over the link, and how answers and refusals look there."""

from __future__ import annotations

import asyncio
import json
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from tornado.web import Finish, HTTPError, RequestHandler

from nbsession.core.protocol import PROTOCOL, PROTOCOL_HEADER, VERSION_HEADER
from nbsession.core.version import __version__

from .refusals import BadRequestError, RefusedError, refusing

if TYPE_CHECKING:
    import logging
    from collections.abc import Awaitable

    from .records import SessionRecord
    from .services import SessionServices

MAX_BODY_BYTES = 64 * 1024

KERNEL = r"/kernels/([^/]+)/"
KERNEL_OR_OWNER = r"/(owner|kernels/[^/]+)/"
OWNER = r"/(owner)/"

_Held = TypeVar("_Held")


def _refuse(constant: str) -> NoReturn:
    message = f"{constant} is no number"
    raise ValueError(message)


class LinkHandler(RequestHandler):
    """Admits a kernel by its own token, or the server's owner by theirs, and nobody else.

    The first group of its route says who asks; methods get only the others.

    Attributes
    ----------
    max_body_bytes
        Of a request.
    """

    max_body_bytes = MAX_BODY_BYTES
    _record: SessionRecord | None = None
    _held: asyncio.Future[Any] | None = None

    def set_default_headers(self) -> None:
        """Say in every answer which protocol this is."""
        self.clear_header("Server")
        self.set_header("Content-Type", "application/json")
        self.set_header(PROTOCOL_HEADER, str(PROTOCOL))
        self.set_header(VERSION_HEADER, __version__)

    def prepare(self) -> None:
        """Admit who asks."""
        caller = self.path_args.pop(0)
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not self._admits(caller.removeprefix("kernels/"), token):
            raise HTTPError(403)
        if self.request.headers.get(PROTOCOL_HEADER) != str(PROTOCOL):
            raise HTTPError(426)  # the answer's headers say which protocol this is
        if len(self.request.body) > self.max_body_bytes:
            with refusing():
                raise BadRequestError(
                    f"{len(self.request.body):,} bytes are more than the {self.max_body_bytes:,} "
                    "that the server takes here"
                )
        if self._record is not None:  # not before: one of another protocol hears nothing
            self._record.linked = True

    def _admits(self, caller: str, token: str) -> bool:
        if caller == "owner":
            return compare_digest(self.services.life.owner_token.encode(), token.encode())
        self._record = self.services.records.authenticate(caller, token)
        return self._record is not None

    @property
    def services(self) -> SessionServices:
        """What is asked."""
        services: SessionServices = self.settings["services"]
        return services

    @property
    def record(self) -> SessionRecord:
        """The record of the kernel that asks; only where no owner may."""
        if self._record is None:
            raise HTTPError(404)
        return self._record

    async def hold(self, awaitable: Awaitable[_Held]) -> _Held:
        """Hold the answer back until something is there, and return that.

        If the caller hangs up first, it is cancelled, and the handler goes no further.
        """
        held: asyncio.Future[_Held] = asyncio.ensure_future(awaitable)
        self._held = held
        await asyncio.wait([held])
        if held.cancelled():
            raise Finish
        return held.result()

    def on_connection_close(self) -> None:
        """Let go of what nobody waits for any more."""
        if self._held is not None:
            self._held.cancel()

    def answer(self, data: Any) -> None:
        """Send JSON."""
        self.finish(json.dumps(data))

    def body(self) -> dict[str, Any]:
        """Return the JSON object that was sent; {} for an empty body.

        Raises
        ------
        BadRequestError
            If it is none.
        """
        try:
            body = json.loads(self.request.body or b"{}", parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            message = f"the body is not JSON: {error}"
            raise BadRequestError(message) from error
        if not isinstance(body, dict):
            message = "the body must be a JSON object"
            raise BadRequestError(message)
        return body

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send the refusal as JSON."""
        error = kwargs.get("exc_info", (None, None))[1]
        body = error.body if isinstance(error, RefusedError) else {"message": self._reason}
        self.finish(json.dumps({**body, "status": status_code}))

    def log_exception(self, *exception: Any) -> None:
        """Log what should not happen, and nothing of what is refused."""
        if not isinstance(exception[1], HTTPError):
            self.server_log.error("nbsession: the link failed", exc_info=exception)

    @property
    def server_log(self) -> logging.Logger:
        """Where kernels log to."""
        log: logging.Logger = self.settings["log"]
        return log
