"""When the sessions of this server begin and end, however they do."""

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
    """Tells the beginning and the end of every session, each exactly once.

    A session begins when its kernel's process is there and its visitor is known: a preheated kernel
    that waits for a visitor is none. A restart, also one after a crash, belongs to it.

    Lives on the server's event loop, and is touched by nothing else.
    """

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._sessions: dict[str, SessionContext] = {}
        self._records: dict[str, SessionRecord] = {}  # of the same
        self._subscribers: list[tuple[Subscriber, Subscriber]] = []
        self._closed = False

    @property
    def sessions(self) -> tuple[SessionContext, ...]:
        """The sessions that live now, the oldest first."""
        return tuple(self._sessions.values())

    def find(self, kernel_id: str) -> SessionContext | None:
        """Return a kernel's session; None if it has none that lives."""
        return self._sessions.get(kernel_id)

    def is_page_pending(self, kernel_id: str) -> bool:
        """Return whether the page of a kernel's session has yet to send its query."""
        record = self._records.get(kernel_id)
        return record is not None and not record.is_settled("page")

    async def wait_for_page(self, kernel_id: str, seconds: float) -> None:
        """Wait until a session's page has sent its query, at most some seconds."""
        record = self._records.get(kernel_id)
        if record is not None:
            await record.wait("page", seconds)

    def subscribe(self, on_started: Subscriber, on_ended: Subscriber) -> None:
        """Call with the `SessionContext` of every session that begins or ends from now on.

        Those that live already are in `sessions`.
        """
        self._subscribers.append((on_started, on_ended))

    def begin(self, record: SessionRecord) -> None:
        """Begin a kernel's session, unless it has begun already."""
        kernel_id = record.info.kernel_id
        if kernel_id is None or kernel_id in self._sessions or self._closed:
            return

        def find_request() -> Request | None:
            return record.info.request  # JupyterLab's page adds its query later

        session = SessionContext(
            id=kernel_id,
            kernel_id=kernel_id,
            started_at=datetime.now(UTC),
            find_request=find_request,
        )
        self._sessions[kernel_id] = session
        self._records[kernel_id] = record
        self._log.debug("nbsession: session %s has begun", session.id)
        self._tell(session, (on_started for on_started, _ in tuple(self._subscribers)))

    def end(self, kernel_id: str) -> None:
        """End a kernel's session, if it has one."""
        session = self._sessions.pop(kernel_id, None)
        self._records.pop(kernel_id, None)
        if session is not None:
            self._log.debug("nbsession: session %s has ended", session.id)
            ended = replace(session, ended_at=datetime.now(UTC))
            self._tell(ended, (on_ended for _, on_ended in tuple(self._subscribers)))

    def close(self) -> None:
        """End every session, and begin none any more: a restart may end after the server did."""
        self._closed = True
        for kernel_id in tuple(self._sessions):
            self.end(kernel_id)

    def _tell(self, session: SessionContext, subscribers: Iterable[Subscriber]) -> None:
        for subscriber in subscribers:
            try:
                subscriber(session)
            except Exception:  # noqa: BLE001 - logged, and the others have to know
                self._log.exception("nbsession: %r failed for session %s", subscriber, session.id)
