"""The resources of the link: of sessions for their kernels, of tasks for the owner too."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from hmac import compare_digest
from textwrap import indent
from typing import TYPE_CHECKING, Any, TypeVar

from tornado.ioloop import IOLoop
from tornado.web import Finish, HTTPError, RequestHandler

from nbsession.core.environment import __version__
from nbsession.core.link_http import MAX_LINK_BYTES, PROTOCOL, PROTOCOL_HEADER, VERSION_HEADER
from nbsession.core.text import MAX_LOG_CHARACTERS, printable, printable_lines
from nbsession.server.errors import BadRequestError, RefusedError, refusing
from nbsession.server.sessions.sessions import MAX_REPORT_BYTES
from nbsession.server.validation import flag_of, id_of, json_object, limit_of, seconds_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from nbsession.server.request.records import SessionRecord, SessionRecords
    from nbsession.server.sessions.culling import Expiration
    from nbsession.server.sessions.sessions import ServerSessions
    from nbsession.server.tasks import TaskManager

MAX_BODY_BYTES = 64 * 1024

KERNEL = r"/kernels/([^/]+)/"
KERNEL_OR_OWNER = r"/(owner|kernels/[^/]+)/"
OWNER = r"/(owner)/"

_Held = TypeVar("_Held")


@dataclass(frozen=True)
class LinkServices:
    """The parts of the server that the link serves; `status` returns what the owner gets."""

    records: SessionRecords
    sessions: ServerSessions
    tasks: TaskManager
    expiration: Expiration
    owner_token: str
    status: Callable[[], Mapping[str, Any]]


class LinkHandler(RequestHandler):
    """Admits a kernel by its own token, or the server's owner by theirs, and nobody else.

    The first group of its route names the caller; methods get only the others.
    """

    max_body_bytes = MAX_BODY_BYTES
    _record: SessionRecord | None = None
    _held: asyncio.Future[Any] | None = None

    def set_default_headers(self) -> None:
        """Name protocol and version in every answer."""
        self.clear_header("Server")
        self.set_header("Content-Type", "application/json")
        self.set_header(PROTOCOL_HEADER, str(PROTOCOL))
        self.set_header(VERSION_HEADER, __version__)

    def prepare(self) -> None:
        """Admit the caller, or refuse the request."""
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
            return compare_digest(self.services.owner_token.encode(), token.encode())
        self._record = self.services.records.authenticate(caller, token)
        return self._record is not None

    @property
    def services(self) -> LinkServices:
        """The parts that serve this request."""
        services: LinkServices = self.settings["services"]
        return services

    @property
    def record(self) -> SessionRecord:
        """The record of the calling kernel; only where no owner may call."""
        if self._record is None:
            raise HTTPError(404)
        return self._record

    async def hold(self, awaitable: Awaitable[_Held]) -> _Held:
        """Return a result, for which the caller waits.

        If the caller hangs up first, it is cancelled, and the handler goes no further.
        """
        held: asyncio.Future[_Held] = asyncio.ensure_future(awaitable)
        self._held = held
        await asyncio.wait([held])
        if held.cancelled():
            raise Finish
        return held.result()

    def on_connection_close(self) -> None:
        """Cancel a result for which nobody waits any more."""
        if self._held is not None:
            self._held.cancel()

    def answer(self, data: Any) -> None:
        """Send JSON."""
        self.finish(json.dumps(data))

    def body(self) -> dict[str, Any]:
        """Return the JSON object that was sent; {} for an empty body."""
        return json_object(self.request.body, "surrogatepass")

    def answer_nothing(self) -> None:
        """Send an answer without content."""
        self.set_status(204)
        self.clear_header("Content-Type")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send the refusal as JSON."""
        error = kwargs.get("exc_info", (None, None))[1]
        body = error.body if isinstance(error, RefusedError) else {"message": self._reason}
        self.finish(json.dumps({**body, "status": status_code}))

    def log_exception(self, *exception: Any) -> None:
        """Log faults of the server, and no refusals."""
        if not isinstance(exception[1], HTTPError):
            self.server_log.error("nbsession: the link failed", exc_info=exception)

    @property
    def server_log(self) -> logging.Logger:
        """The log for kernels' lines."""
        log: logging.Logger = self.settings["log"]
        return log


MAX_HOLD_SECONDS = 60.0


class _SessionInfoHandler(LinkHandler):
    """The kernel's session; with ``until`` the answer waits until it is known."""

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
            IOLoop.current().call_later(1, self._log_left_out, self.record)
        self.answer_nothing()

    def _log_left_out(self, record: SessionRecord) -> None:
        left_out = record.log_limit.take_left_out()
        self.server_log.warning(
            "[kernel %s] %s lines left out", record.info.kernel_id, f"{left_out:,}"
        )

    def _line(self) -> tuple[int, str, str]:
        data = self.body()
        name, text, trace = data.get("level"), data.get("message"), data.get("trace")
        level = logging.getLevelNamesMapping().get(name.upper()) if isinstance(name, str) else None
        if level is None or not isinstance(text, str):
            raise BadRequestError('the body must be like {"level": "warning", "message": "text"}')
        # No notebook is to forge a line: those of a traceback are indented.
        lines = printable_lines(trace[:MAX_LOG_CHARACTERS]) if isinstance(trace, str) else ""
        return level, printable(text[:MAX_LOG_CHARACTERS]), indent(lines and f"\n{lines}", "    ")


class _ExpirationHandler(LinkHandler):
    """The kernel's wish not to be ended for being idle, or for its page being closed."""

    def post(self) -> None:
        with refusing():
            body = self.body()
            if "blocked" not in body:
                raise BadRequestError("blocked is missing: it is true or false")
            blocked = flag_of(body, "blocked")
        self.record.blocks_expiration = blocked
        self.answer({"problem": self.services.expiration.problem})


class _HooksHandler(LinkHandler):
    """The presence of hooks that the kernel calls when its session ends."""

    def post(self) -> None:
        with refusing():
            self.record.has_hooks = flag_of(self.body(), "has_hooks")
        self.answer_nothing()


class _ReportHandler(LinkHandler):
    """A kernel's report of its periodic callbacks and of the tasks that it runs itself."""

    max_body_bytes = MAX_REPORT_BYTES

    def post(self) -> None:
        with refusing():
            self.services.sessions.store_report(str(self.record.info.kernel_id), self.body())
        self.answer_nothing()


KERNEL_HANDLERS = [
    (KERNEL + "session", _SessionInfoHandler),
    (KERNEL + "log", _LogHandler),
    (KERNEL + "expiration", _ExpirationHandler),
    (KERNEL + "hooks", _HooksHandler),
    (KERNEL + "news", _ReportHandler),
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
    """The facts that help the owner to find a fault."""

    def get(self) -> None:
        with refusing():
            self.answer(self.services.status())


TASK_HANDLERS = [
    (KERNEL_OR_OWNER + "tasks", _TasksHandler),
    (KERNEL_OR_OWNER + r"tasks/([^/]+)", _TaskHandler),
    (KERNEL_OR_OWNER + r"tasks/([^/]+)/runs", _TaskRunsHandler),
    (KERNEL_OR_OWNER + r"tasks/([^/]+)/([a-z]+)", _TaskActionHandler),
    (KERNEL_OR_OWNER + r"runs/([0-9]{1,18})", _RunHandler),
    (OWNER + "status", _StatusHandler),
]
