"""Who may ask over the link, and how answers and refusals look there."""

from __future__ import annotations

import asyncio
import json
import logging
from hmac import compare_digest
from textwrap import indent
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from tornado.ioloop import IOLoop
from tornado.web import Finish, HTTPError, RequestHandler

from nbsession.core.link_http import MAX_LINK_BYTES, PROTOCOL, PROTOCOL_HEADER, VERSION_HEADER
from nbsession.core.text import MAX_LOG_CHARACTERS, printable, printable_lines
from nbsession.core.version import __version__
from nbsession.server.errors import BadRequestError, RefusedError, refusing
from nbsession.server.sessions.sessions import MAX_NEWS_BYTES
from nbsession.server.validation import (
    flag_of,
    id_of,
    limit_of,
    seconds_of,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from nbsession.server.request.records import SessionRecord
    from nbsession.server.services import SessionServices
    from nbsession.server.tasks import TaskManager

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
        """Return the JSON object that was sent; {} for an empty body."""
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


KERNEL_HANDLERS = [
    (KERNEL + "session", _SessionHandler),
    (KERNEL + "log", _LogHandler),
    (KERNEL + "expiration", _ExpirationHandler),
    (KERNEL + "hooks", _HooksHandler),
    (KERNEL + "news", _NewsHandler),
]


class _TaskLinkHandler(LinkHandler):
    @property
    def tasks(self) -> TaskManager:
        return self.services.tasks


class _TasksHandler(_TaskLinkHandler):
    max_body_bytes = MAX_LINK_BYTES

    async def get(self) -> None:
        with refusing():
            self.answer({"tasks": await self.tasks.serve("list")})

    async def post(self) -> None:
        with refusing():
            body = self.body()
            replace = flag_of(body, "replace")
            self.answer(await self.tasks.serve("schedule", body.get("spec"), replace=replace))


class _TaskHandler(_TaskLinkHandler):
    async def get(self, name: str) -> None:
        with refusing():
            task_id = id_of(self.get_query_argument("id", None))
            self.answer(await self.tasks.serve("show", name, task_id))


class _TaskRunsHandler(_TaskLinkHandler):
    async def get(self, name: str) -> None:
        with refusing():
            limit = limit_of(self.get_query_argument("limit", None))
            task_id = id_of(self.get_query_argument("id", None))
            self.answer({"runs": await self.tasks.serve("history", name, limit, task_id)})


class _TaskActionHandler(_TaskLinkHandler):
    async def post(self, name: str, action: str) -> None:
        with refusing():
            self.answer(await self.tasks.serve_action(name, action, self.body()))


class _RunHandler(_TaskLinkHandler):
    """A run; the answer is held back until it is final, and then null if it is not stored."""

    async def get(self, run_id: str) -> None:
        with refusing():
            seconds = seconds_of(self.get_query_argument("seconds", None), MAX_HOLD_SECONDS)
            self.answer(await self.hold(self.tasks.wait_for_run(int(run_id), seconds)))


class _StatusHandler(LinkHandler):
    """What the owner wants to know of this server, to see what is wrong."""

    def get(self) -> None:
        with refusing():
            self.answer(self.services.life.status())


TASK_HANDLERS = [
    (KERNEL_OR_OWNER + "tasks", _TasksHandler),
    (KERNEL_OR_OWNER + r"tasks/([^/]+)", _TaskHandler),
    (KERNEL_OR_OWNER + r"tasks/([^/]+)/runs", _TaskRunsHandler),
    (KERNEL_OR_OWNER + r"tasks/([^/]+)/([a-z]+)", _TaskActionHandler),
    (KERNEL_OR_OWNER + r"runs/([0-9]{1,18})", _RunHandler),
    (OWNER + "status", _StatusHandler),
]
