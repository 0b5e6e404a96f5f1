"""All that nbsession does in one server, whatever server that is."""

from __future__ import annotations

import asyncio
import os
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from jupyter_server import CallContext
from tornado.ioloop import IOLoop

from nbsession.core.environment import MEND_FROZEN_WIDGETS, SHOW_TRACEBACKS, LinkAddress
from nbsession.core.version import __version__
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
from nbsession.server.sessions.lifecycle import Lifecycle
from nbsession.server.sessions.sessions import SessionBoard

from .activity import ServerActivity
from .config import NBSession
from .event_loop import run_on_stopped
from .server_info import remove_owner_file, write_owner_file
from .tasks import TaskManager
from .websocket import KernelSockets

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from logging import Logger
    from pathlib import Path

    from jupyter_server.base.handlers import JupyterHandler
    from jupyter_server.services.kernels.kernelmanager import MappingKernelManager

    from nbsession.scheduler.engine.events import Changes
    from nbsession.server.events.feed import ChangeFeed

    from .config import Host

END_SECONDS = 2.0
"""How long kernels may take, all at once, to end their sessions when the server is interrupted."""


class ServerLife:
    """Begins what needs the server's event loop, and ends it in order."""

    def __init__(self, services: SessionServices, host: Host, log: Logger) -> None:
        self._services = services
        self._host = host
        self._log = log
        self._owner_file: Path | None = None
        self._feed: ChangeFeed | None = None
        self._activity: ServerActivity | None = None
        self._closing: asyncio.Future[None] | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.owner_token = secrets.token_urlsafe(32)

    def start(self) -> None:
        """Begin: on the server's event loop, once that runs."""
        self.loop = asyncio.get_running_loop()
        begins = (
            self._publish,
            self._announce,
            self._services.tasks.start,
            self._watch_activity,
        )
        for begin in begins:
            self._try(begin)

    async def close(self) -> None:
        """End, when the kernels have ended: their sessions' hooks run before the worker ends."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        # Whoever is impatient asks twice: the second one waits too, and cancels nothing.
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if self._services.reaper is not None:
            self._services.reaper.close()
        await self._end_sessions_in_kernels()
        self._services.lifecycle.close()
        if self._activity is not None:
            self._activity.close()
        if self._feed is not None:  # before its tasks cannot be looked at any more
            self._feed.close()
        await self._services.tasks.close()
        if self._owner_file is not None:
            remove_owner_file(self._owner_file, os.getpid())

    async def _end_sessions_in_kernels(self) -> None:
        """Have the hooks called of kernels that are still there: nobody shuts them down."""
        services = self._services
        kernels = [
            str(record.info.kernel_id)
            for record in services.records.all()
            if record.has_hooks and record.running
        ]
        if not kernels:
            return
        asks = [services.kernels.ask(each, {"action": "end"}, END_SECONDS) for each in kernels]
        for kernel_id, answer in zip(
            kernels, await asyncio.gather(*asks, return_exceptions=True), strict=True
        ):
            if isinstance(answer, BaseException):
                self._log.warning(
                    "nbsession: kernel %s may not have ended its session: %s", kernel_id, answer
                )

    def close_now(self) -> None:
        """End after the loop has stopped; on its thread."""
        loop, closing = self.loop, self._closing
        if loop is None or loop.is_closed() or (closing is not None and closing.done()):
            return
        run_on_stopped(loop, self.close())

    @property
    def serial(self) -> int:
        """Of the last event that was emitted; 0 where there are none."""
        return self._feed.serial if self._feed is not None else 0

    def status(self) -> dict[str, Any]:
        """Return what the owner may want to know when something is wrong."""
        services = self._services
        return {
            "version": __version__,
            "app": self._host.app,
            "link_notice": services.link.notice,
            "sessions": [
                {
                    "kernel_id": session["kernel_id"],
                    "linked": session["linked"],
                    "pages": services.page_count(session["kernel_id"]),
                }
                for session in services.sessions.list()
            ],
            "pages_problem": services.sockets.problem,
            **services.tasks.status(),
        }

    def _announce(self) -> None:
        self._owner_file = write_owner_file(
            {
                "app": self._host.app,
                "root": self._host.root,
                "url": self._host.find_url(),
                "link": self._services.link.listen(),
                "token": self.owner_token,
            }
        )

    def _publish(self) -> None:
        logger = self._host.event_logger
        if logger is None or self.loop is None:
            return
        from nbsession.server.events.feed import ChangeFeed, emitter, listening

        feed = ChangeFeed(
            self.loop,
            emitter(logger),
            listening(logger),
            self._services.tasks.find,
            self._services.sessions.find,
        )

        def tasks_changed(changes: Changes) -> None:
            names = [task.spec.name for task in changes.tasks]
            feed.tasks_changed([*changes.removed, *names], changes.runs)

        self._feed = feed
        self._services.sessions.subscribe(feed.session_changed)
        self._services.tasks.subscribe(tasks_changed)

    def _watch_activity(self) -> None:
        note = self._host.note_activity
        if note is None:
            return
        self._activity = ServerActivity(
            self._services.expiration.is_any_blocked,
            self._running if self._services.tasks_are_activity else tuple,
            lambda: note(datetime.now(UTC)),
            self._log,
        )
        self._activity.start()

    def _running(self) -> list[Hashable]:
        """Return what identifies the runs in workers, and those that kernels have reported."""
        hosted = [
            (session["kernel_id"], str(task.get("name")), str(task.get("run_count")))  # any JSON
            for session in self._services.sessions.list()
            for task in session["tasks"]
            if task.get("state") == "running"
        ]
        return [*self._services.tasks.begun(), *hosted]

    def _try(self, begin: Callable[[], object]) -> None:
        try:
            begin()
        except Exception:  # noqa: BLE001 - logged; the server goes on
            self._log.exception("nbsession: %s could not be done", begin.__qualname__)


PREHEAT = "VOILA_PREHEAT"
_VOILA_ADDRESSES = ("VOILA_REQUEST_URL", "QUERY_STRING")


class SessionServices(NBSession):
    """nbsession in a server: mounted by the jupyter_server extension and by Voilà alike."""

    def __init__(self, host: Host, kernel_managers: MappingKernelManager, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.records = SessionRecords(host.base_url, host.root)
        self.lifecycle = Lifecycle(self.log)
        self.kernels = KernelRequests(kernel_managers)
        self.expiration = Expiration(self.records, self.kernels)
        self.sessions = SessionBoard(self.lifecycle, self.records, self.kernels)
        self.tasks = TaskManager(self, host, self.lifecycle)
        self.life = ServerLife(self, host, self.log)
        self.link = LinkServer(self, self.log)
        self.sockets = KernelSockets(send_at_once=self.mend_websocket_delay)
        self._kernel_managers = kernel_managers
        self.reaper: PageReaper | None = None
        self.binds_preheated = False  # whether Voilà lets us know to whom it hands a kernel out
        self._bound_handlers: WeakSet[JupyterHandler] = WeakSet()

    def mount(self, connection_holder: Any) -> None:
        """See every kernel that starts from now on, and begin when the server's loop runs."""
        kernel_managers = self._kernel_managers
        compose_over(kernel_managers, self)
        self.expiration.guard(kernel_managers)
        self.sockets.compose(kernel_managers, connection_holder)
        if self.page_grace_seconds is not None:
            self.reaper = PageReaper(
                kernel_managers,
                self.sockets,
                self.page_grace_seconds,
                self.page_load_seconds,
                self.log,
                is_kept=self.expiration.is_blocked,
            )
            self.reaper.report_problem()
        IOLoop.current().add_callback(self.life.start)

    async def before_start(self) -> None:
        """Wait until a kernel may start: setup scripts see every session, but not for ever."""
        await self.tasks.setups_ran()

    def environment_for(self, kernel_id: str, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment for a kernel that is about to start, and bind its session."""
        known = self.records.get(kernel_id) is not None
        record = self.records.add(kernel_id)
        address = LinkAddress(self.link.listen(), record.token, kernel_id)
        env = {**environ, **address.to_environment()}
        if not self.mend_frozen_widgets:
            env[MEND_FROZEN_WIDGETS] = "0"
        if PREHEAT in env:
            options = self.config.get("VoilaConfiguration", {})
            env[SHOW_TRACEBACKS] = "1" if str(options.get("show_tracebacks")) == "True" else "0"
        if env.get(PREHEAT) == "True":
            # A pool is refilled in the context of the visitor before: nothing of theirs may stay.
            for name in _VOILA_ADDRESSES:
                env.pop(name, None)
            if not known and not self.binds_preheated:
                self.log.warning(
                    "nbsession: this Voilà does not tell to whom it hands a preheated kernel out; "
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
        record = self.records.get(kernel_id)
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
            if self.reaper is not None:
                self.reaper.watch(kernel_id, PageTransfer(handler))

    def started(self, kernel_id: str) -> None:
        """Begin a kernel's session, if it is not only restarted; a preheated one's when bound."""
        record = self.records.get(kernel_id)
        if record is not None:
            record.running = True
            self._begin_if_there(record)

    def status_changed(self, kernel_id: str, status: str | None) -> None:
        """Mark a session as busy while its kernel is."""
        if self.records.get(kernel_id) is not None:
            self.sessions.busy_marks.note(kernel_id, busy=status == "busy")

    def page_count(self, kernel_id: str) -> int:
        """Return how many pages a kernel's session has open: sockets to its kernel."""
        return self.sockets.count(kernel_id)

    def restarting(self, kernel_id: str) -> None:
        """Forget what a kernel's old process has asked for."""
        record = self.records.get(kernel_id)
        if record is not None:
            record.blocks_expiration = record.has_hooks = False
        self.sessions.forget_news(kernel_id)

    def died(self, kernel_id: str) -> None:
        """End a kernel's session. The record stays: the user may restart the kernel."""
        self.restarting(kernel_id)
        self.lifecycle.end(kernel_id)

    def bind_page(
        self, kernel_id: str, query: str, path: str | None, handler: JupyterHandler
    ) -> bool | None:
        """Add what the page sent of itself; None if no such kernel is known.

        A page that sends no path is JupyterLab's: only that did so at first.
        """
        record = self.records.get(kernel_id)
        if record is None:
            return None
        username = getattr(handler.current_user, "username", None)
        credentials = self._credentials(handler)
        path = credentials.url(path or f"{handler.base_url}lab")
        kind = page_kind(path, handler.base_url)
        return record.bind_page(credentials.query(query), username, path, kind)

    def forget(self, kernel_id: str) -> None:
        """Drop what was known of a kernel that has ended."""
        self.lifecycle.end(kernel_id)
        self.records.forget(kernel_id)
        self.sessions.forget_news(kernel_id)
        self.sessions.busy_marks.forget(kernel_id)
        if self.reaper is not None:
            self.reaper.unwatch(kernel_id)

    def _begin_if_there(self, record: SessionRecord) -> None:
        if record.running and record.info.bound:
            self.lifecycle.begin(record)

    def _capture(self, kernel_id: str, handler: JupyterHandler | None) -> Capture | None:
        if handler is not None and handler in self._bound_handlers:
            self.log.debug("nbsession: the request for kernel %s has a kernel already", kernel_id)
            return None
        try:
            proxies = TrustedProxies(self.trusted_proxies)
            return capture(handler, self._credentials(handler), proxies)
        except NoVisitorError as reason:
            self.log.debug("nbsession: kernel %s has no visitor: %s", kernel_id, reason)
        except Exception:
            self.log.exception("nbsession: the request for kernel %s cannot be read", kernel_id)
        return None

    def _credentials(self, handler: JupyterHandler | None) -> CredentialFilter:
        provider = getattr(handler, "identity_provider", None)
        login_cookie = provider.get_cookie_name(handler) if provider is not None else ""
        return CredentialFilter(self.keep_credentials, login_cookie, hub_cookies_of(provider))
