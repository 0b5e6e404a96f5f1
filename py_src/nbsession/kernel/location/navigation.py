"""What Python has written into the URL, on its way to the page."""

from __future__ import annotations

import contextvars
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, get_args

from nbsession.core.process import HAS_THREADS
from nbsession.core.query import update_parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nbsession.core.page_messages import LocationParts
    from nbsession.kernel.page.pages import Pages
    from nbsession.kernel.runtime.runtime import Runtime

    from .url import PageUrl

History = Literal["push", "replace"]
QueryChanges = dict[str, list[str]]

HELD_UP_SECONDS = 0.05
"""What waits for the end of a turn is sent after this long even if a cell holds up the loop."""


def check_history(history: object) -> None:
    """Raise ValueError unless it is one of the two."""
    if history not in get_args(History):
        message = f"history must be 'push' or 'replace', got {history!r}"
        raise ValueError(message)


@dataclass
class Unsent:
    """Writes that no page has been told of."""

    parts: dict[str, str] = field(default_factory=dict)
    query: QueryChanges | None = field(default_factory=dict)
    history: History = "replace"
    reload: bool = False

    def add(
        self,
        parts: Mapping[str, str],
        query: QueryChanges | None,
        history: History,
        reload: bool,
    ) -> None:
        """Add a write."""
        self.reload |= reload
        self.parts |= parts
        if "search" in parts:
            self.query = None if query is None or self.query is None else self.query | query
        if history == "push":
            self.history = "push"

    def on(self, url: PageUrl) -> PageUrl:
        """Return a page's URL with these writes done to it."""
        # The page may have parameters that were not known when it was written.
        if self.query is not None and "search" in self.parts:
            search = update_parameters(url.search.removeprefix("?"), self.query)
            self.parts["search"] = f"?{search}" if search else ""
        return replace(url, **self.parts)


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
        self._unsent: Unsent | None = None
        self._leaving: Unsent | None = None
        self._in_turn = False
        self._sent_parts: dict[str, str] = {}
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
        if self._unsent is None:
            self._unsent = Unsent()
        self._unsent.add(parts, query, history, reload)

    def forget_query(self, keys: Iterable[str]) -> None:
        """Send no change of these parameters, if only parameters were changed."""
        query = self._unsent.query if self._unsent is not None else None
        if self._unsent is None or query is None:
            return
        if forgotten := query.keys() & set(keys):
            self._unsent.history = "replace"  # most of it never was
            for key in forgotten:
                del query[key]

    def on(self, url: PageUrl) -> PageUrl:
        """Return the URL that a page reports as it will be once it knows of every write."""
        for writes in (self._leaving, self._unsent):
            if writes is not None:
                url = writes.on(url)
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

    def end(self) -> None:
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
            self._sent_parts = {}

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
                leaving, self._unsent = self._unsent, None
                self._leaving = leaving
                history: History = "replace" if self._has_pushed else leaving.history
                self._has_pushed |= leaving.history == "push"
                self._sent_parts |= leaving.parts
                parts = _wire_parts(self._sent_parts)
            try:
                self._pages.send(
                    {
                        "kind": "navigate",
                        "parts": parts,
                        "history": history,
                        "reload": leaving.reload,
                    }
                )
            finally:
                with self._lock:
                    self._leaving = None


def _wire_parts(parts: Mapping[str, str]) -> LocationParts:
    wire: LocationParts = {}
    if "pathname" in parts:
        wire["pathname"] = parts["pathname"]
    if "search" in parts:
        wire["search"] = parts["search"]
    if "hash_" in parts:
        wire["hash"] = parts["hash_"]
    return wire
