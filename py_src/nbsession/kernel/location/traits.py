"""The traits of a location, and the queue of their changes."""

from __future__ import annotations

import re
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from traitlets import HasTraits, TraitError, Unicode

from nbsession.kernel.runtime.runner import show_unless_cancelled
from nbsession.kernel.runtime.traits import IsolatedObserver, ReadOnly

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbsession.kernel.runtime.loop import Context
    from nbsession.kernel.runtime.runner import CallbackRunner

    from .url import PageUrl

_NEVER = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
"""Controls, which browsers drop, and halves of surrogate pairs, which no URL can hold."""


class _AnyUrlPart(Unicode[str, Any]):
    """A part of the URL, read from the one value of a location that holds them all."""

    def get(self, obj: Any, cls: type[Any] | None = None) -> str:
        """Return it as it is now."""
        del cls
        return str(getattr(obj._url, str(self.name)))  # noqa: SLF001 - its own


class ReadOnlyUrlPart(ReadOnly, _AnyUrlPart):
    """A part of the URL that cannot be written."""

    instead = "what can be set is pathname, search and hash_; no page can be sent to another origin"

    def set(self, obj: HasTraits, value: Any) -> None:
        """Do nothing: it follows from the parts that are written."""


class UrlPart(_AnyUrlPart):
    """A part of the URL that can be written."""

    def __init__(self, start: str, others: str, **options: Any) -> None:
        super().__init__(**options)
        self._start = start
        self._others = others

    def validate(self, obj: HasTraits, value: Any) -> str:
        """Return what is to be written; raise TraitError if it is no such part of a URL."""
        text = super().validate(obj, value)
        if text == "srcdoc" and self.name == "pathname":  # that of an iframe's page
            return text
        if text and not text.startswith(self._start):
            problem = f"has to start with {self._start!r}, or be ''"
        elif found := _NEVER.search(text):
            problem = f"cannot hold {found[0]!r}; write it percent-encoded, or leave it out"
        elif self.name == "pathname" and (text.startswith("//") or "\\" in text):
            problem = "has to be a path on this server: no // at its start, no backslash"
        elif found := re.search(f"[{self._others}]", text) if self._others else None:
            problem = f"ends where {found[0]!r} begins; write %{ord(found[0]):02X} if it is meant"
        else:
            return "" if text == self._start != "/" else text  # as browsers see a lone ? or #
        shown = text if len(text) < 100 else f"{text[:100]}…"  # noqa: PLR2004 - a line of a message
        raise TraitError(f"{self.name} {problem}, got {shown!r}")

    def set(self, obj: Any, value: Any) -> None:
        """Write it."""
        obj.write({str(self.name): str(self._validate(obj, value))})


class LocationObserver(IsolatedObserver):
    """An observer whose output, too, goes to the cell that registered it."""

    def __init__(
        self, runner: CallbackRunner, handler: Callable[[Any], object], context: Context
    ) -> None:
        super().__init__(handler)
        self._runner = runner
        self._context = context

    def __call__(self, change: Any) -> None:
        """Call the handler."""
        self._runner.call_within(super().__call__, change, context=self._context)


MOST_ROUNDS = 100
"""So many changes may follow from one, each made by an observer of the one before."""

_MOST_WAITING = 1_000


class UrlChange(NamedTuple):
    """A change of the URL that observers are to be notified of."""

    before: PageUrl
    after: PageUrl
    is_start: bool = False
    context: Context | None = None
    rounds: int = 0


class UrlChangeQueue:
    """Changes of the URL, handled in the order in which they were made, one at a time.

    A change that is made while another is handled waits its turn, whichever thread makes it: so the
    last that observers hear of is the URL as it is.
    """

    def __init__(
        self, runner: CallbackRunner, lock: threading.RLock, handle: Callable[[UrlChange], None]
    ) -> None:
        self._runner = runner
        self._lock = lock
        self._handle = handle
        self._waiting: deque[UrlChange] = deque()
        self._current: UrlChange | None = None
        self._thread: int | None = None  # that handles the changes

    def add(self, change: UrlChange) -> None:
        """Add a change; `deliver` it once the lock is free."""
        last = self._waiting[-1] if self._waiting else None
        if (current := self._current_here()) is not None:
            context = change.context or current.context
            change = change._replace(context=context, rounds=current.rounds + 1)
        elif last is not None and last.context is change.context is None and last.rounds == 0:
            # A thread that writes faster than observers follow: only the latest counts.
            self._waiting.pop()
            change = change._replace(before=last.before)
        self._waiting.append(change)

    @property
    def follows_page(self) -> bool:
        """Return whether this thread is in an observer of a change that a page has made."""
        current = self._current_here()
        return current is not None and current.context is not None

    def _current_here(self) -> UrlChange | None:
        """Return the change that this thread is handling."""
        return self._current if self._thread == threading.get_ident() else None

    def deliver(self) -> None:
        """Handle what is waiting, unless a thread does so already, which goes on with it."""
        with self._lock:
            if self._thread is not None or not self._is_next_here():
                return
            self._thread = threading.get_ident()
            context = self._waiting[0].context
        if context is None:
            self._deliver_all()
        else:
            self._runner.run(self._deliver_all, context=context, done=show_unless_cancelled)

    def _is_next_here(self) -> bool:
        """Return whether there is a change for this thread; else hand it to the main loop."""
        if not self._waiting:
            return False
        context = self._waiting[0].context
        if context is None or self._runner.main_loop.is_here():
            return True
        self._runner.main_loop.call_soon(self.deliver, context=context)
        return False

    def _deliver_all(self) -> None:
        try:
            while (change := self._next()) is not None:
                self._handle(change)
        except BaseException:
            with self._lock:
                self._thread = self._current = None
            raise

    def _next(self) -> UrlChange | None:
        with self._lock:
            if not self._is_next_here():
                self._thread = self._current = None
                return None
            change = self._current = self._waiting.popleft()
            if change.rounds < MOST_ROUNDS and len(self._waiting) < _MOST_WAITING:
                return change
            self._waiting.clear()
        raise RuntimeError(
            f"observers have changed the URL {MOST_ROUNDS} times in turn, each for the change "
            "before; the last are not notified. An observer must write only what differs"
        )
