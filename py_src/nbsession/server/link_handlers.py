"""What kernels may ask over the link, each only for itself."""

from __future__ import annotations

import logging
from textwrap import indent
from typing import TYPE_CHECKING

from tornado.ioloop import IOLoop

from nbsession.core.log_level import MAX_LOG_CHARACTERS
from nbsession.core.printable import printable, printable_lines

from .arguments import flag_of, seconds_of
from .kernel_news import MAX_NEWS_BYTES
from .link_handler import KERNEL, LinkHandler
from .refusals import BadRequestError, refusing

if TYPE_CHECKING:
    from .records import SessionRecord

MAX_HOLD_SECONDS = 60.0


class _SessionHandler(LinkHandler):
    """What the server knows of the kernel's session; held back while it is not known yet."""

    async def get(self) -> None:
        until = self.get_query_argument("until", "")
        if until:
            with refusing():
                seconds = seconds_of(self.get_query_argument("seconds", None), MAX_HOLD_SECONDS)
            await self.hold(self.record.wait(until, seconds))
        self.answer(self.record.info.to_json())


class _LogHandler(LinkHandler):
    """Lines for the server's log."""

    def post(self) -> None:
        with refusing():
            level, message, trace = self._line()
        limit = self.record.log_limit
        if limit.take():
            kernel_id = self.record.info.kernel_id
            self.server_log.log(level, "[kernel %s] %s%s", kernel_id, message, trace)
        elif limit.left_out == 1:  # of this second; those that follow are counted until then
            IOLoop.current().call_later(1, self._tell_left_out, self.record)
        self.set_status(204)
        self.clear_header("Content-Type")

    def _tell_left_out(self, record: SessionRecord) -> None:
        left_out = record.log_limit.take_left_out()
        self.server_log.warning(
            "[kernel %s] %s lines left out", record.info.kernel_id, f"{left_out:,}"
        )

    def _line(self) -> tuple[int, str, str]:
        data = self.body()
        name, text, trace = data.get("level"), data.get("message"), data.get("trace")
        level = logging.getLevelNamesMapping().get(name.upper()) if isinstance(name, str) else None
        if level is None or not isinstance(text, str):
            message = 'the body must be like {"level": "warning", "message": "text"}'
            raise BadRequestError(message)
        # No notebook is to forge a line: those of a traceback are indented.
        lines = printable_lines(trace[:MAX_LOG_CHARACTERS]) if isinstance(trace, str) else ""
        return level, printable(text[:MAX_LOG_CHARACTERS]), indent(lines and f"\n{lines}", "    ")


class _ExpirationHandler(LinkHandler):
    """Return whether the kernel may be ended for being idle, or for its page being gone."""

    def post(self) -> None:
        with refusing():
            body = self.body()
            if "blocked" not in body:
                message = "blocked is missing: it is true or false"
                raise BadRequestError(message)
            blocked = flag_of(body, "blocked")
        self.record.blocks_expiration = blocked
        self.answer({"problem": self.services.expiration.problem})


class _HooksHandler(LinkHandler):
    """Return whether the kernel has something to do when its session ends."""

    def post(self) -> None:
        with refusing():
            self.record.has_hooks = flag_of(self.body(), "has_hooks")
        self.set_status(204)
        self.clear_header("Content-Type")


class _NewsHandler(LinkHandler):
    """What has become of a kernel's periodic callbacks and of the tasks that it runs itself."""

    max_body_bytes = MAX_NEWS_BYTES

    def post(self) -> None:
        with refusing():
            self.services.sessions.note(str(self.record.info.kernel_id), self.body())
        self.set_status(204)
        self.clear_header("Content-Type")


HANDLERS = [
    (KERNEL + "session", _SessionHandler),
    (KERNEL + "log", _LogHandler),
    (KERNEL + "expiration", _ExpirationHandler),
    (KERNEL + "hooks", _HooksHandler),
    (KERNEL + "news", _NewsHandler),
]
