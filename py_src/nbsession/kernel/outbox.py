"""The commands on their way to pages: which wait for a page, and which wait for an answer."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbsession.core.wire import Command

ANSWER_SECONDS = 3.0
"""After this long a page's word counts, whether or not it has answered a command."""


class Outbox:
    """Commands, numbered. Not locked: whoever has it locks.

    Parameters
    ----------
    now
        The time in seconds, monotonic.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._serials = itertools.count(1)
        self._waiting: dict[str, dict[str, Any]] = {}
        self._unanswered: dict[tuple[str, str], tuple[int, float]] = {}

    def keep(self, command: Command) -> None:
        """Keep a command for the next page; the last of a kind replaces, its parts are merged."""
        kept = cast("dict[str, Any]", command) | {}
        before = self._waiting.get(command["kind"])
        if before is not None and command["kind"] == "navigate":
            kept["parts"] = {**before["parts"], **command["parts"]}
            kept["reload"] = before["reload"] or command["reload"]
        self._waiting[command["kind"]] = kept

    def take(self) -> list[Command]:
        """Return the commands that waited for a page; they wait no more."""
        taken = list(self._waiting.values())
        self._waiting.clear()
        return cast("list[Command]", taken)

    def address(self, command: Command, page_id: str) -> dict[str, Any]:
        """Return the message that carries a command to a page, and expect its answer."""
        serial = next(self._serials)
        self._unanswered[page_id, command["kind"]] = (serial, self._now())
        return {**command, "page": page_id, "serial": serial}

    def awaits(self, page_id: str) -> frozenset[str]:
        """Return the kinds of commands that a page has not answered."""
        return frozenset(
            kind
            for (page, kind), (_, sent_at) in self._unanswered.items()
            if page == page_id and self._now() - sent_at < ANSWER_SECONDS
        )

    def answer(self, page_id: str, kind: str, applied: object) -> bool:
        """Note a page's word; return whether it is up to date with the commands of a kind.

        Parameters
        ----------
        applied
            The number of the last command that the page knew of when it spoke.
        """
        serial, sent_at = self._unanswered.get((page_id, kind), (0, 0.0))
        knows = isinstance(applied, int) and applied >= serial
        if not knows and self._now() - sent_at < ANSWER_SECONDS:
            return False
        self._unanswered.pop((page_id, kind), None)
        return True

    def forget(self, page_id: str) -> None:
        """Expect nothing more of a page."""
        for key in [key for key in self._unanswered if key[0] == page_id]:
            del self._unanswered[key]
