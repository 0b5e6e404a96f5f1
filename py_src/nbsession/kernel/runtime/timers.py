"""Many timers on one timer of the loop."""

from __future__ import annotations

import contextvars
import itertools
import threading
from typing import TYPE_CHECKING

from nbsession.core.timers import TimerHeap

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


class _Setting:
    """Of a timer; once that is set anew or cancelled, void, and keeps nothing alive."""

    __slots__ = ("timer",)

    def __init__(self, timer: Timer) -> None:
        self.timer: Timer | None = timer


class Timer:
    """Fires once; may be set again, also by what it fires."""

    __slots__ = ("_queue", "fire", "setting")

    def __init__(self, queue: TimerQueue, fire: Callable[[float], None]) -> None:
        self._queue = queue
        self.fire = fire
        self.setting: _Setting | None = None

    def __repr__(self) -> str:
        return f"<Timer, {'called or removed' if self.setting is None else 'waiting'}>"

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
        self._settings: TimerHeap[_Setting] = TimerHeap(lambda _, setting: setting.timer is None)
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
            timer.setting = _Setting(timer)
            self._settings.push(when, next(self._numbers), timer.setting)
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
            for setting in self._settings.clear():
                if setting.timer is not None:
                    setting.timer.setting = None
        if self._handle is not None:  # safe on another thread: the loop looks when it is due
            self._handle.cancel()

    def _forget(self, timer: Timer) -> bool:
        setting, timer.setting = timer.setting, None
        if setting is None:
            return False
        setting.timer = None
        self._settings.note_void()
        return True

    def _next_due(self, now: float) -> Timer | None:
        with self._lock:
            setting = self._settings.pop_due(now)
            if setting is None or setting.timer is None:
                return None
            setting.timer.setting = None
            return setting.timer

    def _arm(self) -> None:
        with self._lock:
            first = None if self.closed else self._settings.first
            when = float("inf") if first is None else max(first, self._not_before)
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
