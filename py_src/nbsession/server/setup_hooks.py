"""Notifies the setup scripts of every session that begins and ends."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from nbsession.core.session_context import SessionContext

    from .lifecycle import Lifecycle

PAGE_WAIT_SECONDS = 1.0
"""How long a page may take to send its query before it counts as sent none; as in the kernel."""


class HearsSessions(Protocol):
    """Has the hooks of setup scripts called; the worker executor."""

    def session_created(self, session: dict[str, Any]) -> None:
        """Call the hooks for a session that has begun."""

    def session_destroyed(self, session: dict[str, Any]) -> None:
        """Call the hooks for a session that has ended."""


class _SessionNotifier:
    """Notifies a worker of sessions, of each that begins once its page's query is known.

    What it sends holds the visitor's headers and cookies: it goes over the worker's own channel,
    and nowhere else.
    """

    def __init__(self, lifecycle: Lifecycle, worker: HearsSessions) -> None:
        self._lifecycle = lifecycle
        self._worker = worker
        self._waiting: dict[str, tuple[SessionContext, asyncio.Task[None]]] = {}

    def created(self, session: SessionContext) -> None:
        """Notify of a session that has begun."""
        if not self._lifecycle.is_page_pending(session.id):
            self._worker.session_created(session.to_json())
            return
        wait = asyncio.get_running_loop().create_task(
            self._created_later(session), context=contextvars.Context()
        )
        self._waiting[session.id] = session, wait

    async def _created_later(self, session: SessionContext) -> None:
        await self._lifecycle.wait_for_page(session.id, PAGE_WAIT_SECONDS)
        if self._waiting.pop(session.id, None):
            self._worker.session_created(session.to_json())

    def destroyed(self, session: SessionContext) -> None:
        """Notify of a session that has ended, after its beginning."""
        if session.id in self._waiting:
            begun, wait = self._waiting.pop(session.id)
            wait.cancel()
            self._worker.session_created(begun.to_json())
        self._worker.session_destroyed(session.to_json())


def tell_sessions(lifecycle: Lifecycle, worker: HearsSessions) -> None:
    """Notify of the sessions that live and of all that follow."""
    notifier = _SessionNotifier(lifecycle, worker)
    for session in lifecycle.sessions:
        notifier.created(session)
    lifecycle.subscribe(notifier.created, notifier.destroyed)
