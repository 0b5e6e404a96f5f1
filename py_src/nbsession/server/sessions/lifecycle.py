"""The beginning and the end of every session of this server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nbsession.core.session import SessionContext

if TYPE_CHECKING:
    from collections.abc import Iterable
    from logging import Logger

    from nbsession.core.request import Request
    from nbsession.server.request.records import SessionRecord

Subscriber = Callable[[SessionContext], object]


class Lifecycle:
    """Notifies of the beginning and the end of every session, each exactly once.

    A session begins when its kernel's process is there and its visitor is known: a preheated kernel
    that waits for a visitor is none. A restart, also one after a crash, belongs to it.
    """

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._live: dict[str, tuple[SessionContext, SessionRecord]] = {}
        self._subscribers: list[tuple[Subscriber, Subscriber]] = []
        self._closed = False

    @property
    def sessions(self) -> tuple[SessionContext, ...]:
        """The sessions that live now, the oldest first."""
        return tuple(session for session, _ in self._live.values())

    def find(self, kernel_id: str) -> SessionContext | None:
        """Return a kernel's session; None if it has none that lives."""
        return self._live[kernel_id][0] if kernel_id in self._live else None

    def is_page_pending(self, kernel_id: str) -> bool:
        """Return whether the page of a kernel's session has yet to send its query."""
        return kernel_id in self._live and not self._live[kernel_id][1].is_settled("page")

    async def wait_for_page(self, kernel_id: str, seconds: float) -> None:
        """Wait until a session's page has sent its query, at most some seconds."""
        if kernel_id in self._live:
            await self._live[kernel_id][1].wait("page", seconds)

    def subscribe(self, on_started: Subscriber, on_ended: Subscriber) -> None:
        """Call with the `SessionContext` of every session that begins or ends from now on.

        Those that live already are in `sessions`.
        """
        self._subscribers.append((on_started, on_ended))

    def begin(self, record: SessionRecord) -> None:
        """Begin a kernel's session, unless it has begun already."""
        kernel_id = record.info.kernel_id
        if kernel_id is None or kernel_id in self._live or self._closed:
            return

        def find_request() -> Request | None:
            return record.info.request  # JupyterLab's page adds its query later

        session = SessionContext(
            id=kernel_id,
            kernel_id=kernel_id,
            started_at=datetime.now(UTC),
            find_request=find_request,
        )
        self._live[kernel_id] = session, record
        self._log.debug("nbsession: session %s has begun", session.id)
        self._notify(session, [on_started for on_started, _ in self._subscribers])

    def end(self, kernel_id: str) -> None:
        """End a kernel's session, if it has one."""
        if kernel_id in self._live:
            session, _ = self._live.pop(kernel_id)
            self._log.debug("nbsession: session %s has ended", session.id)
            ended = replace(session, ended_at=datetime.now(UTC))
            self._notify(ended, [on_ended for _, on_ended in self._subscribers])

    def close(self) -> None:
        """End every session, and begin none any more: a restart may end after the server did."""
        self._closed = True
        for kernel_id in tuple(self._live):
            self.end(kernel_id)

    def _notify(self, session: SessionContext, subscribers: Iterable[Subscriber]) -> None:
        for subscriber in subscribers:
            try:
                subscriber(session)
            except Exception:  # noqa: BLE001 - logged, and the others are called
                self._log.exception("nbsession: %r failed for session %s", subscriber, session.id)
