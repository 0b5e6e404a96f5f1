"""All that nbsession does in one server, whatever server that is."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from jupyter_server import CallContext
from tornado.ioloop import IOLoop

from nbsession.core.environment import FIX_FROZEN_WIDGETS, SHOW_TRACEBACKS, LinkAddress, __version__
from nbsession.server.link.handlers import LinkServices
from nbsession.server.link.server import LinkServer
from nbsession.server.request.capture import (
    Capture,
    NoVisitorError,
    capture,
    handler_kind,
    page_kind,
)
from nbsession.server.request.credentials import CredentialFilter, hub_cookies_of
from nbsession.server.request.kernel_manager import compose_over
from nbsession.server.request.proxies import TrustedProxies
from nbsession.server.request.records import SessionRecord, SessionRecords
from nbsession.server.sessions.culling import Expiration, PageReaper, PageTransfer
from nbsession.server.sessions.kernel_client import KernelRequests
from nbsession.server.sessions.sessions import Lifecycle, ServerSessions

from .activity import ServerActivity
from .errors import NoSuchSessionError
from .server_info import write_owner_file
from .tasks import TaskManager
from .websocket import KernelSockets

if TYPE_CHECKING:
    from collections.abc import Coroutine, Hashable, Mapping
    from pathlib import Path

    from jupyter_server.base.handlers import JupyterHandler
    from jupyter_server.services.kernels.kernelmanager import MappingKernelManager

    from nbsession.scheduler.engine.events import Changes
    from nbsession.server.events.feed import ChangeFeed

    from .config import Host, NBSession

END_SECONDS = 2.0
"""How long kernels may take, all at once, to end their sessions when the server is interrupted."""

PREHEAT = "VOILA_PREHEAT"
_VOILA_ADDRESSES = ("VOILA_REQUEST_URL", "QUERY_STRING")

_MAX_INTERRUPTS = 3


def run_on_stopped(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine on a loop that does not run any more, to the end.

    The interrupt that stopped the loop may have struck in the middle of a task, whose future raises
    it once more as soon as the loop goes on: that is not one more interrupt of the user. Who
    presses Ctrl-C again and again is obeyed; so is a server's handler of SIGTERM, which stops the
    loop at every signal.
    """
    task = loop.create_task(coroutine)
    for interrupts in range(_MAX_INTERRUPTS + 1):
        try:
            loop.run_until_complete(task)
        except (KeyboardInterrupt, RuntimeError) as error:
            was_stopped = isinstance(error, KeyboardInterrupt) or not task.done()
            if not was_stopped or task.done() or interrupts == _MAX_INTERRUPTS:
                raise
        else:
            return


class SessionServices:
    """nbsession in a server: mounted by the jupyter_server extension and by Voilà alike."""

    def __init__(
        self, options: NBSession, host: Host, kernel_managers: MappingKernelManager
    ) -> None:
        self._options = options
        self._log = options.log
        self._host = host
        self._kernel_managers = kernel_managers
        self._owner_token = secrets.token_urlsafe(32)
        self._owner_file: Path | None = None
        self._feed: ChangeFeed | None = None
        self._activity: ServerActivity | None = None
        self._reaper: PageReaper | None = None
        self._closing: asyncio.Future[None] | None = None
        self._bound_handlers: WeakSet[JupyterHandler] = WeakSet()
        self._records = SessionRecords(host.base_url, host.root)
        self._kernels = KernelRequests(kernel_managers)
        self._expiration = Expiration(self._records, self._kernels)
        self._sockets = KernelSockets(send_at_once=options.websocket_nodelay)
        self.lifecycle = Lifecycle(self._log)
        self.sessions = ServerSessions(self.lifecycle, self._records, self._kernels)
        self.tasks = TaskManager(options, host, self.lifecycle)
        self._link = LinkServer(
            LinkServices(
                self._records,
                self.sessions,
                self.tasks,
                self._expiration,
                self._owner_token,
                self.status,
            ),
            self._log,
        )
        self.loop: asyncio.AbstractEventLoop | None = None
        self.binds_preheated = False  # whether Voilà reports to whom it hands a kernel out

    # -- begin and end --------------------------------------------------------------------------

    def mount(self, connection_holder: Any) -> None:
        """See every kernel that starts from now on, and begin when the server's loop runs."""
        kernel_managers, options = self._kernel_managers, self._options
        compose_over(kernel_managers, self)
        self._expiration.guard(kernel_managers)
        self._sockets.compose(kernel_managers, connection_holder)
        if options.page_grace_seconds is not None:
            self._reaper = PageReaper(
                kernel_managers,
                self._sockets,
                options.page_grace_seconds,
                options.page_load_seconds,
                self._log,
                is_blocked=self._expiration.is_blocked,
            )
            self._reaper.report_problem()
        IOLoop.current().add_callback(self._start)

    def _start(self) -> None:
        self.loop = asyncio.get_running_loop()
        for begin in (
            self._publish_changes,
            self._write_owner_file,
            self.tasks.start,
            self._watch_activity,
        ):
            try:
                begin()
            except Exception:  # noqa: BLE001 - logged; the server goes on
                self._log.exception("nbsession: %s could not be done", begin.__qualname__)

    def _publish_changes(self) -> None:
        logger = self._host.event_logger
        if logger is None or self.loop is None:
            return
        from nbsession.server.events.feed import SCHEMA_ID, ChangeFeed, has_listeners

        feed = ChangeFeed(
            self.loop,
            lambda data: logger.emit(schema_id=SCHEMA_ID, data=data),
            lambda: has_listeners(logger),
            self.tasks.find,
            self.sessions.find,
        )

        def tasks_changed(changes: Changes) -> None:
            names = [task.spec.name for task in changes.tasks]
            feed.tasks_changed([*changes.removed, *names], changes.runs)

        self._feed = feed
        self.sessions.subscribe(feed.session_changed)
        self.tasks.subscribe(tasks_changed)

    def _write_owner_file(self) -> None:
        self._owner_file = write_owner_file(
            {
                "app": self._host.app,
                "root": self._host.root,
                "url": self._host.find_url(),
                "link": self._link.listen(),
                "token": self._owner_token,
            }
        )

    def _watch_activity(self) -> None:
        note = self._host.note_activity
        if note is None:
            return
        self._activity = ServerActivity(
            self._expiration.is_any_blocked,
            self._running if self._options.tasks_are_activity else tuple,
            lambda: note(datetime.now(UTC)),
            self._log,
        )
        self._activity.start()

    def _running(self) -> list[Hashable]:
        """Return keys of the runs in workers, and of those that kernels have reported."""
        hosted = [
            (session["kernel_id"], str(task.get("name")), str(task.get("run_count")))  # any JSON
            for session in self.sessions.list()
            for task in session["tasks"]
            if task.get("state") == "running"
        ]
        return [*self.tasks.begun(), *hosted]

    async def close(self) -> None:
        """End, when the kernels have ended: their sessions' hooks run before the worker ends."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        # An impatient user asks twice: the second call waits too, and cancels nothing.
        await asyncio.shield(self._closing)

    def close_now(self) -> None:
        """End after the loop has stopped; on its thread."""
        loop, closing = self.loop, self._closing
        if loop is None or loop.is_closed() or (closing is not None and closing.done()):
            return
        run_on_stopped(loop, self.close())

    async def _close(self) -> None:
        if self._reaper is not None:
            self._reaper.close()
        await self._end_sessions_in_kernels()
        self.lifecycle.close()
        if self._activity is not None:
            self._activity.close()
        if self._feed is not None:  # before its tasks cannot be read any more
            self._feed.close()
        await self.tasks.close()
        if self._owner_file is not None:
            self._owner_file.unlink(missing_ok=True)

    async def _end_sessions_in_kernels(self) -> None:
        """Call the hooks of kernels that are still there: nobody shuts them down."""
        kernels = [
            str(record.info.kernel_id)
            for record in self._records.values()
            if record.has_hooks and record.running
        ]
        requests = [self._kernels.request(each, {"action": "end"}, END_SECONDS) for each in kernels]
        answers = await asyncio.gather(*requests, return_exceptions=True)
        for kernel_id, answer in zip(kernels, answers, strict=True):
            if isinstance(answer, BaseException):
                self._log.warning(
                    "nbsession: kernel %s may not have ended its session: %s", kernel_id, answer
                )

    @property
    def serial(self) -> int:
        """The number of the last event; 0 before the first."""
        return self._feed.serial if self._feed is not None else 0

    def status(self) -> dict[str, Any]:
        """Return the facts that help the owner to find a fault."""
        return {
            "version": __version__,
            "app": self._host.app,
            "link_notice": self._link.notice,
            "sessions": [
                {
                    "kernel_id": session["kernel_id"],
                    "linked": session["linked"],
                    "pages": self._sockets.count(session["kernel_id"]),
                }
                for session in self.sessions.list()
            ],
            "pages_problem": self._sockets.problem,
            **self.tasks.status(),
        }

    # -- kernels --------------------------------------------------------------------------------

    async def before_start(self) -> None:
        """Wait until a kernel may start: setup scripts see every session, but not for ever."""
        await self.tasks.setups_ran()

    def environment_for(self, kernel_id: str, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment for a kernel that is about to start, and bind its session."""
        known = self._records.get(kernel_id) is not None
        record = self._records.add(kernel_id)
        address = LinkAddress(self._link.listen(), record.token, kernel_id)
        env = {**environ, **address.to_environment()}
        if not self._options.fix_frozen_widgets:
            env[FIX_FROZEN_WIDGETS] = "0"
        if PREHEAT in env:
            options = self._options.config.get("VoilaConfiguration", {})
            env[SHOW_TRACEBACKS] = "1" if str(options.get("show_tracebacks")) == "True" else "0"
        if env.get(PREHEAT) == "True":
            # A pool is refilled in the context of the visitor before: nothing of theirs may stay.
            for name in _VOILA_ADDRESSES:
                env.pop(name, None)
            if not known and not self.binds_preheated:
                self._log.warning(
                    "nbsession: this Voilà does not report which visitor gets a preheated kernel; "
                    "state.request is None in kernel %s",
                    kernel_id,
                )
                record.bind(None)
            return env
        handler = CallContext.get(CallContext.JUPYTER_HANDLER)
        if PREHEAT in env and handler_kind(handler) == "voila":
            credentials = self._credentials(handler)
            for name, clean in zip(
                _VOILA_ADDRESSES, (credentials.url, credentials.query), strict=True
            ):
                if name in env:
                    env[name] = clean(env[name])
        if not known:
            self.bind(kernel_id, handler)
        return env

    def bind(self, kernel_id: str, handler: JupyterHandler | None) -> None:
        """Tie a kernel to the visitor whose request is being served; to nobody when in doubt."""
        record = self._records.get(kernel_id)
        if record is None or record.info.bound:
            return
        found = self._capture(kernel_id, handler)
        record.bind(found)
        self._begin_if_there(record)
        if found is None or handler is None:
            return
        self._bound_handlers.add(handler)
        if found.request.host_kind == "voila":
            # Sets the cookie without which the page's farewell is refused (voila issue 1458).
            _ = handler.xsrf_token
            if self._reaper is not None:
                self._reaper.watch(kernel_id, PageTransfer(handler))

    def started(self, kernel_id: str) -> None:
        """Begin a kernel's session, if it is not only restarted; a preheated one's when bound."""
        record = self._records.get(kernel_id)
        if record is not None:
            record.running = True
            self._begin_if_there(record)

    def status_changed(self, kernel_id: str, status: str | None) -> None:
        """Mark a session as busy while its kernel is."""
        if self._records.get(kernel_id) is not None:
            self.sessions.busy_kernels.set(kernel_id, busy=status == "busy")

    def restarting(self, kernel_id: str) -> None:
        """Drop the wishes and the report of a kernel's old process."""
        record = self._records.get(kernel_id)
        if record is not None:
            record.blocks_expiration = record.has_hooks = False
        self.sessions.remove_report(kernel_id)

    def died(self, kernel_id: str) -> None:
        """End a kernel's session. The record stays: the user may restart the kernel."""
        self.restarting(kernel_id)
        self.lifecycle.end(kernel_id)

    def bind_page(
        self, kernel_id: str, query: str, path: str | None, handler: JupyterHandler
    ) -> bool:
        """Add query and path that the page sent, if this page is the one that is waited for.

        A page that sends no path is JupyterLab's: only that did so at first.
        """
        record = self._records.get(kernel_id)
        if record is None:
            raise NoSuchSessionError(kernel_id)
        username = getattr(handler.current_user, "username", None)
        credentials = self._credentials(handler)
        path = credentials.url(path or f"{handler.base_url}lab")
        kind = page_kind(path, handler.base_url)
        return record.bind_page(credentials.query(query), username, path, kind)

    def forget(self, kernel_id: str) -> None:
        """Drop a kernel that has ended."""
        self.lifecycle.end(kernel_id)
        self._records.pop(kernel_id, None)
        self.sessions.busy_kernels.remove(kernel_id)
        if self._reaper is not None:
            self._reaper.unwatch(kernel_id)

    def _begin_if_there(self, record: SessionRecord) -> None:
        if record.running and record.info.bound:
            self.lifecycle.begin(record)

    def _capture(self, kernel_id: str, handler: JupyterHandler | None) -> Capture | None:
        if handler is not None and handler in self._bound_handlers:
            self._log.debug("nbsession: the request for kernel %s has a kernel already", kernel_id)
            return None
        try:
            proxies = TrustedProxies(self._options.trusted_proxies)
            return capture(handler, self._credentials(handler), proxies)
        except NoVisitorError as reason:
            self._log.debug("nbsession: kernel %s has no visitor: %s", kernel_id, reason)
        except Exception:  # noqa: BLE001 - logged; the session has no visitor
            self._log.exception("nbsession: the request for kernel %s cannot be read", kernel_id)
        return None

    def _credentials(self, handler: JupyterHandler | None) -> CredentialFilter:
        provider = getattr(handler, "identity_provider", None)
        login_cookie = provider.get_cookie_name(handler) if provider is not None else ""
        return CredentialFilter(
            self._options.keep_credentials, login_cookie, hub_cookies_of(provider)
        )
