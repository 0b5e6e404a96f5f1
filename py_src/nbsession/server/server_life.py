"""nbsession from the first turn of a server's event loop to the server's end."""

from __future__ import annotations

import asyncio
import os
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nbsession.core.errors import NoSuchTaskError
from nbsession.core.version import __version__

from .activity import ServerActivity
from .owner_file import remove_owner_file, write_owner_file
from .stopped_loop import run_on_stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from logging import Logger
    from pathlib import Path

    from nbsession.scheduler.news import Changes
    from nbsession.scheduler.wire import TaskJSON

    from .events.change_feed import ChangeFeed
    from .host import Host
    from .services import SessionServices


END_SECONDS = 2.0
"""How long kernels may take, all at once, to end their sessions when the server is interrupted."""


class ServerLife:
    """Begins what needs the server's event loop, and ends it in order.

    Parameters
    ----------
    services
        All that nbsession does in this server.
    host
        The server.
    log
        Where it is told that something could not begin or end: the server goes on without it.

    Attributes
    ----------
    loop
        The server's event loop, once it runs.
    owner_token
        With which the server's owner asks over the link.
    """

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
        from .events.change_feed import ChangeFeed
        from .events.publication import emitter, listening

        feed = ChangeFeed(
            self.loop,
            emitter(logger),
            listening(logger),
            self._find_task,
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

    def _find_task(self, name: str) -> TaskJSON | None:
        try:
            return self._services.tasks.board.show(name)
        except NoSuchTaskError:
            return None

    def _try(self, begin: Callable[[], object]) -> None:
        try:
            begin()
        except Exception:  # noqa: BLE001 - logged; the server goes on
            self._log.exception("nbsession: %s could not be done", begin.__qualname__)
