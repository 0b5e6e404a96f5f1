"""The periodic callbacks of a session."""

from __future__ import annotations

import itertools
import threading
import weakref
from typing import TYPE_CHECKING

from nbsession.core.callables import is_generator
from nbsession.kernel.runtime.runner import Callback, check_callable
from nbsession.kernel.runtime.timers import TimerQueue
from nbsession.kernel.runtime.traits import Listeners

from .periodic import PeriodicCallback, generator_message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbsession.kernel.runtime.runtime import Runtime


class PeriodicCallbacks:
    """The callbacks that run or that somebody holds, in the order of adding."""

    def __init__(self, runtime: Runtime) -> None:
        self._runner = runtime.runner
        self.listeners = Listeners()  # once for all that tick at one time
        self._queue = TimerQueue(runtime.main_loop, runtime.busy, self.listeners.notify)
        self._callbacks: weakref.WeakValueDictionary[int, PeriodicCallback] = (
            weakref.WeakValueDictionary()
        )
        self._keys = itertools.count(1)
        self._lock = threading.Lock()
        runtime.on_remove(self._close)

    def add(
        self, callback: Callback, period: int, count: int | None, timeout: int | None, start: bool
    ) -> PeriodicCallback:
        """Add a callback; see `State.add_periodic_callback`."""
        check_callable(callback)
        if is_generator(callback):
            raise TypeError(generator_message(callback))
        periodic = PeriodicCallback(
            callback,
            period,
            count,
            timeout,
            queue=self._queue,
            runner=self._runner,
            on_change=self._changed,
        )
        with self._lock:
            self._callbacks[next(self._keys)] = periodic
        if start:
            periodic.start()
        else:
            self.listeners.notify()
        return periodic

    def __iter__(self) -> Iterator[PeriodicCallback]:
        return (periodic for _, periodic in self.items())

    def items(self) -> list[tuple[int, PeriodicCallback]]:
        """Return the callbacks with numbers that are theirs for good."""
        with self._lock:  # panels call from their own thread
            return sorted(self._callbacks.items(), key=lambda item: item[0])

    def _changed(self) -> None:
        # Of what changes while timers fire, observers are notified when they have.
        if not (self._queue.firing and self._queue.main_loop.is_here()):
            self.listeners.notify()

    def _close(self) -> None:
        self._queue.close()
        for periodic in self:
            periodic.stop()
