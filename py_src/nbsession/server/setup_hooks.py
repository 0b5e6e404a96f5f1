"""Tells the setup scripts of every session that begins and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from nbsession.core.session_context import SessionContext

    from .lifecycle import Lifecycle


class HearsSessions(Protocol):
    """Has the hooks of setup scripts called; the worker executor."""

    def session_created(self, session: dict[str, Any]) -> None:
        """Call the hooks for a session that has begun."""

    def session_destroyed(self, session: dict[str, Any]) -> None:
        """Call the hooks for a session that has ended."""


def tell_sessions(lifecycle: Lifecycle, worker: HearsSessions) -> None:
    """Tell of the sessions that live and of all that follow.

    What is told holds the visitor's headers and cookies: it goes over the worker's own channel, and
    nowhere else.
    """

    def created(session: SessionContext) -> None:
        worker.session_created(session.to_json())

    def destroyed(session: SessionContext) -> None:
        worker.session_destroyed(session.to_json())

    for session in lifecycle.sessions:
        created(session)
    lifecycle.subscribe(created, destroyed)
