"""What kernels may ask over the link, each only for itself."""

from __future__ import annotations

import asyncio
import logging

from tornado.web import HTTPError

from .link_handler import KERNEL, LinkHandler
from .refusals import refusing

MAX_LOG_CHARACTERS = 8192
MAX_HOLD_SECONDS = 60.0
MAX_NEWS_BYTES = 1024 * 1024


class _SessionHandler(LinkHandler):
    """What the server knows of the kernel's session; held back while it is not known yet."""

    _waiting: asyncio.Task[None] | None = None

    async def get(self) -> None:
        until = self.get_query_argument("until", "")
        if until:
            seconds = float(self.get_query_argument("seconds", "0"))
            self._waiting = asyncio.ensure_future(
                self.record.wait(until, min(seconds, MAX_HOLD_SECONDS))
            )
            await asyncio.wait([self._waiting])
        self.answer(self.record.info.to_json())

    def on_connection_close(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()


class _LogHandler(LinkHandler):
    """Lines for the server's log."""

    def post(self) -> None:
        data = self.body()
        level = logging.getLevelNamesMapping()[data["level"].upper()]
        message = _one_line(data["message"][:MAX_LOG_CHARACTERS])
        self.server_log.log(level, "[kernel %s] %s", self.record.info.kernel_id, message)
        self.set_status(204)
        self.clear_header("Content-Type")


class _ExpirationHandler(LinkHandler):
    """Whether the kernel may be ended for being idle, or for its page being gone."""

    def post(self) -> None:
        blocked = self.body().get("blocked")
        if not isinstance(blocked, bool):
            raise HTTPError(400, reason="blocked must be true or false")
        self.record.blocks_expiration = blocked
        self.answer({"problem": self.services.expiration.problem})


class _NewsHandler(LinkHandler):
    """What has become of a kernel's periodic callbacks and of the tasks that it runs itself."""

    max_body_bytes = MAX_NEWS_BYTES

    def post(self) -> None:
        with refusing():
            self.services.sessions.note(str(self.record.info.kernel_id), self.body())
        self.set_status(204)
        self.clear_header("Content-Type")


def _one_line(text: str) -> str:
    """Escape control characters: a notebook must not be able to forge a line of the log."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


HANDLERS = [
    (KERNEL + "session", _SessionHandler),
    (KERNEL + "log", _LogHandler),
    (KERNEL + "expiration", _ExpirationHandler),
    (KERNEL + "news", _NewsHandler),
]
