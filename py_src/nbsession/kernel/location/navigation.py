"""Writes of the URL, on their way from Python to the page."""

from __future__ import annotations

import contextvars
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast, get_args

from nbsession.core.process import HAS_THREADS
from nbsession.core.query import update_parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nbsession.kernel.page.messages import LocationParts
    from nbsession.kernel.page.pages import Pages
    from nbsession.kernel.runtime.runtime import Runtime

    from .url import PageUrl

History = Literal["push", "replace"]
QueryChanges = dict[str, list[str]]

HELD_UP_SECONDS = 0.05
"""Writes that wait for the end of a turn are sent after this long if a cell holds up the loop."""


def check_history(history: object) -> None:
    """Raise ValueError unless it is one of the two."""
    if history not in get_args(History):
        raise ValueError(f"history must be 'push' or 'replace', got {history!r}")


def changed_search(search: str, changes: QueryChanges) -> str:
    """Return a search with some of its parameters changed."""
    query = update_parameters(search.removeprefix("?"), changes)
    return f"?{query}" if query else ""


@dataclass
class UnsentWrites:
    """Writes that have been sent to no page."""

    parts: dict[str, str] = field(default_factory=dict)
    query: QueryChanges | None = field(default_factory=dict)
    history: History = "replace"
    reload: bool = False

    def apply(self, url: PageUrl) -> PageUrl:
        """Return a page's URL with these writes done to it."""
        # The page may have parameters that were not known when it was written.
        if self.query is not None and "search" in self.parts:
            self.parts["search"] = changed_search(url.search, self.query)
        return url._replace(**self.parts)


class Navigation:
    """Sends writes to the page last used, and keeps them while there is none.

    The first write of a turn of the loop is sent at once, what follows in the same turn together
    and without another history entry.
    """

    def __init__(self, runtime: Runtime, pages: Pages, lock: threading.RLock) -> None:
        self._runtime = runtime
        self._pages = pages
        self._lock = lock
        self._send_lock = threading.Lock()  # so that messages leave in the order of the writes
        self._unsent: UnsentWrites | None = None
        self._being_sent: UnsentWrites | None = None
        self._in_turn = False
        self._parts_of_turn: dict[str, str] = {}
        self._has_pushed = False
        self._timer: threading.Timer | None = None

    def add(
        self,
        parts: Mapping[str, str],
        query: QueryChanges | None,
        history: History,
        reload: bool,
    ) -> None:
        """Add a write; `send` it once the lock is free."""
        unsent = self._unsent = self._unsent or UnsentWrites()
        unsent.reload |= reload
        unsent.parts |= parts
        if "search" in parts:
            unsent.query = None if query is None or unsent.query is None else unsent.query | query
        if history == "push":
            unsent.history = "push"

    def forget_query(self, keys: Iterable[str]) -> None:
        """Send no change of these parameters, if only parameters were changed."""
        unsent = self._unsent
        if unsent is None or unsent.query is None:
            return
        if forgotten := unsent.query.keys() & set(keys):
            unsent.history = "replace"  # most of it never was
            for key in forgotten:
                del unsent.query[key]

    def apply(self, url: PageUrl) -> PageUrl:
        """Return the URL that a page reports as it will be once it knows of every write."""
        for writes in (self._being_sent, self._unsent):
            if writes is not None:
                url = writes.apply(url)
        return url

    def send(self) -> None:
        """Send what was added: now, or at the end of this turn if something was sent in it."""
        if self._pages.current is None or self._runtime.process.is_forked:
            return
        with self._lock:
            if self._unsent is None:
                return
            is_first, self._in_turn = not self._in_turn, True
        if is_first:  # before anything that may be interrupted
            context = contextvars.copy_context()
            self._runtime.main_loop.call_soon(self._end_turn, context=context)
        with self._lock:
            waits = self._has_to_wait(is_first)
            if waits and self._timer is None and HAS_THREADS:
                self._timer = threading.Timer(HELD_UP_SECONDS, self._send_held_up)
                self._timer.daemon, self._timer.name = True, "nbsession-navigation"
                self._timer.start()
        if not waits:
            self._send_now()

    def _has_to_wait(self, is_first: bool) -> bool:
        # Another thread may have sent it.
        return self._unsent is not None and (self._unsent.reload or not is_first)

    def close(self) -> None:
        """Send nothing more."""
        with self._lock:
            self._unsent = None
            self._cancel_timer()

    def _end_turn(self) -> None:
        with self._lock:
            self._cancel_timer()
        self._send_now()
        with self._lock:
            self._in_turn = self._has_pushed = False
            self._parts_of_turn = {}

    def _send_held_up(self) -> None:
        with self._lock:
            self._timer = None
        self._send_now()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send_now(self) -> None:
        with self._send_lock:
            with self._lock:
                if self._unsent is None or self._pages.current is None:
                    return
                writes, self._unsent = self._unsent, None
                self._being_sent = writes
                history: History = "replace" if self._has_pushed else writes.history
                self._has_pushed |= writes.history == "push"
                self._parts_of_turn |= writes.parts
                parts = {name.removesuffix("_"): text for name, text in self._parts_of_turn.items()}
            try:
                self._pages.send(
                    {
                        "kind": "navigate",
                        "parts": cast("LocationParts", parts),
                        "history": history,
                        "reload": writes.reload,
                    }
                )
            finally:
                with self._lock:
                    self._being_sent = None
