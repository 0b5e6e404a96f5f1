"""Running callbacks on the kernel's main loop, from any thread."""

from __future__ import annotations

import asyncio
import inspect
import threading
import weakref
from typing import TYPE_CHECKING, Any, Literal

from nbsession.core.callable_reference import is_async

from .busy import Busy
from .callback_future import CallbackFuture
from .callbacks import Callback, check_callable
from .timer_queue import TimerQueue

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from concurrent.futures import Future

    from .main_loop import Context
    from .runtime import Runtime

ASK_SECONDS = 1.0
"""How long the holder of a Future may take to ask for its error before it is shown."""


class Executor:
    """Runs callbacks of the user once, and gives each a Future.

    Parameters
    ----------
    runtime
        Of the session, with which they end.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runner = runtime.runner
        self._main_loop = runtime.main_loop
        self._queue = TimerQueue(runtime.main_loop, Busy(lambda _busy: None))  # no user's code
        self._waiting: set[CallbackFuture] = set()
        self._is_plain = runtime.kernel is None
        runtime.on_remove(self._close)

    def execute(
        self, callback: Callback, schedule: Literal["auto", "thread"] | bool
    ) -> Future[Any]:
        """Run a callback; see `CallbackState.execute`."""
        check_callable(callback)
        self._check_schedule(schedule)
        context = self._runner.context()
        future = CallbackFuture(self._main_loop, context)
        call = _Call(callback, future, self)
        try:
            if schedule == "thread":
                self._runner.run_in_thread(call, context=context, done=call.end)
            elif self._is_now(callback, schedule):
                self._runner.run(call, context=context, done=call.end)
            else:
                self._waiting.add(future)
                self._main_loop.call_soon(self._run, call, context, context=context)
            return future
        finally:
            del future  # an error refers to this frame, and must not keep the Future that holds it

    def _is_main(self) -> bool:
        """Return whether this is the main thread; a plain process has its loop on another."""
        return self._main_loop.is_here() or (
            self._is_plain and threading.current_thread() is threading.main_thread()
        )

    def _check_schedule(self, schedule: object) -> None:
        if not (schedule in ("auto", "thread") or schedule is True or schedule is False):
            message = f'schedule must be "auto", True, False or "thread", got {schedule!r}'
            raise ValueError(message)
        if schedule is False and not self._is_main():
            message = (
                "schedule=False runs a callback at once, which only the main thread may; on this "
                'thread use schedule="auto" or True'
            )
            raise RuntimeError(message)

    def _is_now(self, callback: Callback, schedule: object) -> bool:
        if schedule == "auto":
            return self._is_main() and not is_async(callback)
        return schedule is False

    def _run(self, call: _Call, context: Context) -> None:
        if call.future is not None:
            self._waiting.discard(call.future)
        self._runner.run(call, context=context, done=call.end)

    def show_unless_asked(self, future: CallbackFuture) -> None:
        """Show the error of a Future if nobody asks for it in time, or all have let go of it."""
        if future.asked:
            return
        held = weakref.ref(future)

        def show(_now: float) -> None:
            future = held()
            if future is not None:
                future.show_unasked()

        self._queue.timer(show).set(self._main_loop.time() + ASK_SECONDS)

    def _close(self) -> None:
        self._queue.close()
        for future in self._waiting.copy():
            future.cancel()
        self._waiting.clear()


class _Call:
    """Calls a callback and tells its Future.

    It lets go of the Future at the end: the traceback of an error refers to the frames that hold
    this, and the error of a Future that nobody holds is to be shown at once.
    """

    def __init__(self, callback: Callback, future: CallbackFuture, executor: Executor) -> None:
        self.callback = callback
        self.future: CallbackFuture | None = future
        self._executor = executor

    def __call__(self) -> Any:
        if self.future is None or not self.future.begin():
            return None
        result = self.callback()
        if not inspect.isawaitable(result):
            return result
        self.future.become_cancellable(lambda: None)
        return self._awaited(result)

    async def _awaited(self, awaitable: Awaitable[Any]) -> Any:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        if self.future is not None and task is not None:
            cancel = task.cancel
            self.future.become_cancellable(lambda: loop.call_soon_threadsafe(cancel))
            if self.future.cancelled():
                raise asyncio.CancelledError
        return await awaitable

    def end(self, result: Any, error: BaseException | None) -> None:
        """Tell the Future, and see to it that an error is seen."""
        future, self.future = self.future, None
        if future is None:
            return
        future.end(result, error)
        if error is not None:
            self._executor.show_unless_asked(future)
