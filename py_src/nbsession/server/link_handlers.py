"""What kernels may ask over the link, each only for itself."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

from tornado.web import HTTPError, RequestHandler

from nbsession.core.protocol import PROTOCOL, PROTOCOL_HEADER, VERSION_HEADER
from nbsession.core.version import __version__

if TYPE_CHECKING:
    from .expiration import Expiration
    from .records import SessionRecord, SessionRecords

MAX_LOG_CHARACTERS = 8192
MAX_HOLD_SECONDS = 60.0


class _LinkHandler(RequestHandler):
    """Admits a kernel by its own token, and nobody else."""

    record: SessionRecord

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        self.set_header("Content-Type", "application/json")
        self.set_header(PROTOCOL_HEADER, str(PROTOCOL))
        self.set_header(VERSION_HEADER, __version__)

    def prepare(self) -> None:
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        record = None
        if scheme == "Bearer":
            record = self.records.authenticate(self.path_args[0], token)
        if record is None:
            raise HTTPError(403)
        if self.request.headers.get(PROTOCOL_HEADER) != str(PROTOCOL):
            raise HTTPError(426)  # the answer's headers say which protocol this is
        self.record = record

    def write_error(self, status_code: int, **_: Any) -> None:
        self.finish(json.dumps({"message": self._reason, "status": status_code}))

    def log_exception(self, *exception: Any) -> None:
        if not isinstance(exception[1], HTTPError):
            self.server_log.error("nbsession: the link failed", exc_info=exception)

    @property
    def records(self) -> SessionRecords:
        """Who may ask."""
        records: SessionRecords = self.settings["records"]
        return records

    @property
    def server_log(self) -> logging.Logger:
        """Where kernels log to."""
        log: logging.Logger = self.settings["log"]
        return log


class _SessionHandler(_LinkHandler):
    """What the server knows of the kernel's session; held back while it is not known yet."""

    _waiting: asyncio.Task[None] | None = None

    async def get(self, _kernel_id: str) -> None:
        until = self.get_query_argument("until", "")
        if until:
            seconds = float(self.get_query_argument("seconds", "0"))
            self._waiting = asyncio.ensure_future(
                self.record.wait(until, min(seconds, MAX_HOLD_SECONDS))
            )
            await asyncio.wait([self._waiting])
        self.write(json.dumps(self.record.info.to_json()))

    def on_connection_close(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()


class _LogHandler(_LinkHandler):
    """Lines for the server's log."""

    def post(self, kernel_id: str) -> None:
        data = json.loads(self.request.body)
        level = logging.getLevelNamesMapping()[data["level"].upper()]
        message = _one_line(data["message"][:MAX_LOG_CHARACTERS])
        self.server_log.log(level, "[kernel %s] %s", kernel_id, message)
        self.set_status(204)
        self.clear_header("Content-Type")


class _ExpirationHandler(_LinkHandler):
    """Whether the kernel may be ended for being idle, or for its page being gone."""

    def post(self, _kernel_id: str) -> None:
        blocked = json.loads(self.request.body).get("blocked")
        if not isinstance(blocked, bool):
            raise HTTPError(400, reason="blocked must be true or false")
        expiration: Expiration = self.settings["expiration"]
        self.record.blocks_expiration = blocked
        self.write(json.dumps({"problem": expiration.problem}))


def _one_line(text: str) -> str:
    """Escape control characters: a notebook must not be able to forge a line of the log."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


HANDLERS = [
    (r"/kernels/([^/]+)/session", _SessionHandler),
    (r"/kernels/([^/]+)/log", _LogHandler),
    (r"/kernels/([^/]+)/expiration", _ExpirationHandler),
]
