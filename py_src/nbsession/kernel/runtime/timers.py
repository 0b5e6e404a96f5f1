"""Many timers on one timer of the loop."""

from __future__ import annotations

import contextvars
import heapq
import itertools
import threading
from typing import TYPE_CHECKING, Any

from .runner import show_error

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from .busy import Busy
    from .loop import MainLoop

BATCH_SECONDS = 0.01
"""After so long at a stretch, timers that are due as well wait for the loop's other work."""

IDLE_PART = 0.1
"""How much of the time that timers took the loop then has for its other work."""

_MAX_IDLE_SECONDS = 0.05
_MIN_IDLE_SECONDS = 0.001
_MAX_STALE = 64


Entry = list[Any]
"""Of the queue: the time, a number that keeps the order, and the timer or None."""


class Timer:
    """Fires once; may be set again, also by what it fires."""

    __slots__ = ("_queue", "entry", "fire")

    def __init__(self, queue: TimerQueue, fire: Callable[[float], None]) -> None:
        self._queue = queue
        self.fire = fire
        self.entry: Entry | None = None  # in the queue, while it is set

    def __repr__(self) -> str:
        return f"<Timer, {'called or removed' if self.entry is None else 'waiting'}>"

    def set(self, when: float) -> None:
        """Fire at a time of the loop, in seconds, and not when it would have. From any thread."""
        self._queue.set(self, when)

    def cancel(self) -> bool:
        """Do not fire. From any thread."""
        return self._queue.cancel(self)


class TimerQueue:
    """Fires timers on the main loop, in the order in which they are due."""

    def __init__(
        self, main_loop: MainLoop, busy: Busy, after: Callable[[], None] = lambda: None
    ) -> None:
        self.main_loop = main_loop
        self.closed = False
        self.firing = False  # only of use on the loop's thread
        self._busy = busy
        self._after = after
        self._entries: list[Entry] = []
        self._stale = 0
        self._numbers = itertools.count(1)
        self._handle: asyncio.TimerHandle | None = None
        self._armed_for = float("inf")
        self._moves = main_loop.moves
        self._not_before = 0.0
        self._context = contextvars.Context()
        self._lock = threading.Lock()

    def timer(self, fire: Callable[[float], None]) -> Timer:
        """Return a new timer, not set yet."""
        return Timer(self, fire)

    def set(self, timer: Timer, when: float) -> None:
        """Set a timer; see `Timer.set`."""
        moves = self.main_loop.follow()
        with self._lock:
            if self.closed:
                return
            if moves != self._moves:
                self._moves, self._armed_for, self._handle = moves, float("inf"), None
                self.firing = False
            self._forget(timer)
            timer.entry = [when, next(self._numbers), timer]
            heapq.heappush(self._entries, timer.entry)
            sooner = when < self._armed_for
        here = self.main_loop.is_here()
        if sooner and not (here and self.firing):
            if here:
                self._arm()
            else:
                self.main_loop.call_soon(self._arm, context=self._context)

    def cancel(self, timer: Timer) -> bool:
        """Cancel a timer; see `Timer.cancel`."""
        with self._lock:
            return self._forget(timer)

    def close(self) -> None:
        """Fire nothing any more."""
        with self._lock:
            self.closed = True
            for entry in self._entries:
                if entry[2] is not None:
                    entry[2].entry = None
            self._entries.clear()
        if self._handle is not None:  # safe on another thread: the loop looks when it is due
            self._handle.cancel()

    def _forget(self, timer: Timer) -> bool:
        entry, timer.entry = timer.entry, None
        if entry is None:
            return False
        entry[2] = None  # it stays in the heap, but keeps nothing alive
        self._stale += 1
        if self._stale > _MAX_STALE and self._stale * 2 > len(self._entries):
            self._entries = [entry for entry in self._entries if entry[2] is not None]
            heapq.heapify(self._entries)
            self._stale = 0
        return True

    def _next_due(self, now: float) -> Timer | None:
        with self._lock:
            entries = self._entries
            while entries:
                when: float
                timer: Timer | None
                when, _, timer = entries[0]
                if timer is None:
                    self._stale -= 1
                elif when > now:
                    return None
                heapq.heappop(entries)
                if timer is not None:
                    timer.entry = None
                    return timer
        return None

    def _arm(self) -> None:
        with self._lock:
            when = self._entries[0][0] if self._entries and not self.closed else float("inf")
            when = max(when, self._not_before)
            if self._armed_for <= when < float("inf"):
                return
            handle, self._armed_for = self._handle, when
        if handle is not None:
            handle.cancel()
        self._handle = None
        if when < float("inf"):
            self._handle = self.main_loop.call_at(when, self._fire_due, context=self._context)

    def _fire_due(self) -> None:
        if self.firing:  # a callback runs a loop within the loop
            return
        time = self.main_loop.time
        began = now = time()
        try:
            self.firing = True
            timer = self._next_due(began)
            if timer is None:  # it has been cancelled
                return
            with self._busy:
                while timer is not None:
                    try:
                        timer.fire(now)
                    except Exception as error:  # noqa: BLE001 - the others must fire
                        show_error(error)
                    now = time()
                    timer = self._next_due(began) if now - began < BATCH_SECONDS else None
                self._after()
        finally:
            self.firing = False
            self._armed_for, self._handle = float("inf"), None
            took = now - began
            if took > BATCH_SECONDS:
                idle = min(max(took * IDLE_PART, _MIN_IDLE_SECONDS), _MAX_IDLE_SECONDS)
                self._not_before = now + idle
            self._arm()
