"""Running callbacks on the kernel's main loop, from any thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import threading
import weakref
from typing import TYPE_CHECKING, Any, Literal

from nbsession.core.callables import is_async
from nbsession.kernel.runtime.busy import Busy
from nbsession.kernel.runtime.runner import Callback, check_callable, show_error
from nbsession.kernel.runtime.timers import TimerQueue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from concurrent.futures import Future

    from nbsession.kernel.runtime.loop import Context, MainLoop
    from nbsession.kernel.runtime.runtime import Runtime


class CallbackFuture(concurrent.futures.Future[Any]):
    """The result of a callback, or what it raised.

    ``await future`` on any loop; ``future.result()`` in a thread, and anywhere once it is done.

    Parameters
    ----------
    main_loop
        On whose thread nobody may wait for it: the callback could never run.
    context
        Of the cell that asked for the callback.

    Notes
    -----
    An error is *asked for* by `result`, `exception` or an ``await``, also one that has begun before
    the callback ends. One that nobody asks for is shown in the cell that registered the callback:
    as soon as nobody holds the Future any more, or else when `show_unasked` is called.
    """

    def __init__(self, main_loop: MainLoop, context: Context) -> None:
        super().__init__()
        self._main_loop = main_loop
        self._context = context
        self.asked = False
        self._cancel_task: Callable[[], object] | None = None
        self._started = False
        self._state_lock = threading.Lock()

    def result(self, timeout: float | None = None) -> Any:
        """Return the result, or raise what the callback raised.

        Parameters
        ----------
        timeout
            In seconds; None for no end.

        Raises
        ------
        RuntimeError
            If it is not done, on the main thread.
        TimeoutError
            If it is not done in time.
        """
        self._ask()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what the callback raised, None if nothing; waits and raises as `result` does."""
        self._ask()
        return super().exception(timeout)

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait on the running loop; cancelling that cancels an async callback."""
        self.asked = True
        return asyncio.wrap_future(self).__await__()

    def cancel(self) -> bool:
        """Cancel the callback: before it begins, or while it is async.

        Returns
        -------
        bool
            Whether that was possible.
        """
        with self._state_lock:
            cancel_task = self._cancel_task
            if self._started and cancel_task is None:
                return self.cancelled()
            cancelled = super().cancel()
        if cancelled and cancel_task is not None:
            cancel_task()
        return cancelled

    def running(self) -> bool:
        """Return whether the callback is running."""
        return self._started and not self.done()

    def begin(self) -> bool:
        """Note that the callback is about to be called; False if it has been cancelled."""
        with self._state_lock:
            self._started = not self.cancelled()
            return self._started

    def become_cancellable(self, cancel_task: Callable[[], object]) -> None:
        """Note that the callback is async, and how it is cancelled; on any thread."""
        with self._state_lock:
            self._cancel_task = cancel_task

    def end(self, result: Any, error: BaseException | None) -> None:
        """Note how the callback has ended."""
        with self._state_lock:
            self._cancel_task = None
            if self.cancelled():
                return
            if isinstance(error, asyncio.CancelledError):
                super().cancel()
                return
        if error is not None:
            self.set_exception(error)
        else:
            self.set_result(result)

    def show_unasked(self) -> None:
        """Show the error if nobody has asked for it; once."""
        if self.asked or not self.done() or self.cancelled():
            return
        self.asked = True
        error = super().exception()
        if error is not None:
            self._main_loop.call_soon(show_error, error, context=self._context)

    def __del__(self) -> None:
        try:
            self.show_unasked()
        except RuntimeError:  # the loop is closed: there is no cell any more
            return

    def _ask(self) -> None:
        if not self.done() and self._main_loop.is_here():
            message = (
                "this Future is not done, and waiting for it here would block the very loop that "
                "has to run its callback; use `await future` instead"
            )
            raise RuntimeError(message)
        self.asked = True


ASK_SECONDS = 1.0
"""How long the holder of a Future may take to ask for its error before it is shown."""


class Executor:
    """Runs callbacks of the user once, and gives each a Future."""

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
