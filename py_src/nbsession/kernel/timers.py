"""Calling once: at the loop's next turn, or after a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .callbacks import Callback, check_callable, show_unless_cancelled
from .timer_queue import Timer, TimerQueue
from .whole import check_whole

if TYPE_CHECKING:
    from .runtime import Runtime


class Timers:
    """Calls the user's callbacks once each, on the main loop.

    Parameters
    ----------
    runtime
        Of the session, with which they end. What they raise and print goes to the cell that
        registered them.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runner = runtime.runner
        self._queue = TimerQueue(runtime.main_loop, runtime.busy)
        runtime.on_remove(self._queue.close)

    def next_tick(self, callback: Callback) -> Timer:
        """Call at the loop's next turn, as `Document.add_next_tick_callback`. From any thread."""
        return self._after(callback, 0)

    def timeout(self, callback: Callback, ms: int) -> Timer:
        """Call after a while, as `Document.add_timeout_callback`. From any thread."""
        return self._after(callback, check_whole(ms, "timeout", "milliseconds", 0))

    def _after(self, callback: Callback, ms: int) -> Timer:
        check_callable(callback)
        runner = self._runner
        context = runner.context()

        def run() -> None:
            runner.run(callback, context=context, done=show_unless_cancelled)

        timer = self._queue.timer(lambda _now: context.copy().run(run))
        timer.set(self._queue.main_loop.time() + ms / 1000)
        return timer
