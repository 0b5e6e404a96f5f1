"""Observers of a location, and the order in which they are notified."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .callbacks import show_error, show_unless_cancelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from .callbacks import CallbackRunner
    from .main_loop import Context
    from .page_url import PageUrl

MOST_ROUNDS = 100
"""So many changes may follow from one, each made by an observer of the one before."""

_MOST_WAITING = 1_000


class LocationObserver:
    """Calls a handler of the user; its output, and its errors, go to the cell that registered it.

    It equals its handler, so that traitlets finds it when it is to be taken out.
    """

    def __init__(
        self, runner: CallbackRunner, handler: Callable[[Any], object], context: Context
    ) -> None:
        self.handler = handler
        self._runner = runner
        self._context = context

    def __call__(self, change: Any) -> None:
        """Call the handler."""
        self._runner.call_within(self._call, change, context=self._context)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, LocationObserver):
            other = other.handler
        return bool(self.handler == other)

    def __hash__(self) -> int:
        return hash(self.handler)

    def _call(self, change: Any) -> None:
        try:
            self.handler(change)
        except Exception as error:  # noqa: BLE001 - the user's; the others are told all the same
            show_error(error)


@dataclass(frozen=True)
class UrlChange:
    """A change of the URL that observers are to be notified of.

    Attributes
    ----------
    before, after
        The URL.
    is_start
        Whether it is that of a page that was loaded.
    context
        Of the report of a page that led to it: it is handled on the main loop. None for what only
        Python has written.
    rounds
        How many changes led to it, each made by an observer of the one before.
    """

    before: PageUrl
    after: PageUrl
    is_start: bool = False
    context: Context | None = None
    rounds: int = 0


class ChangeQueue:
    """Changes of the URL, handled in the order in which they were made, one at a time.

    A change that is made while another is handled waits its turn, whichever thread makes it: so the
    last that observers hear of is the URL as it is.

    Parameters
    ----------
    runner
        Runs what pages cause, on the main loop.
    lock
        Held by whoever calls `add`, so that the order is that of the changes; never while one is
        handled.
    handle
        Applies a change, and notifies the observers.
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
        if (within := self._change_around()) is not None:
            context = change.context or within.context
            change = replace(change, context=context, rounds=within.rounds + 1)
        elif last is not None and last.context is change.context is None and last.rounds == 0:
            # A thread that writes faster than observers follow: only the latest counts.
            self._waiting.pop()
            change = replace(change, before=last.before)
        self._waiting.append(change)

    @property
    def follows_page(self) -> bool:
        """Return whether this thread is in an observer of a change that a page has made."""
        within = self._change_around()
        return within is not None and within.context is not None

    def _change_around(self) -> UrlChange | None:
        """Return the change that this thread is handling."""
        return self._current if self._thread == threading.get_ident() else None

    def deliver(self) -> None:
        """Handle what is waiting, unless a thread does so already, which goes on with it.

        Raises
        ------
        RuntimeError
            If observers change the URL again and again. What is waiting is dropped.
        """
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
        message = (
            f"observers have changed the URL {MOST_ROUNDS} times in turn, each for the change "
            "before; the last are not notified. An observer must write only what differs"
        )
        raise RuntimeError(message)
