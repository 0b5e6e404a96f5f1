"""`state.execute`: callbacks on the kernel's main loop, from any thread."""

from __future__ import annotations

import asyncio
import inspect
import threading
import weakref
from typing import TYPE_CHECKING, Any, Literal

from nbsession.core.callables import is_async
from nbsession.core.threads import AwaitableFuture
from nbsession.kernel.runtime.busy import Busy
from nbsession.kernel.runtime.runner import Awaiting, Callback, check_callable, show_error
from nbsession.kernel.runtime.timers import TimerQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from concurrent.futures import Future

    from nbsession.kernel.runtime.loop import Context, MainLoop
    from nbsession.kernel.runtime.runtime import Runtime

ERROR_SECONDS = 1.0
"""The time that the holder of a Future has to ask for its error before it is shown."""


class CallbackFuture(AwaitableFuture[Any]):
    """The result of a callback, or what it raised.

    ``await future`` on any loop; ``future.result()`` in a thread, and anywhere once it is done.

    Notes
    -----
    An error is *asked for* by `result`, `exception` or an ``await``, also one that has begun before
    the callback ends. One that nobody asks for is shown in the cell that registered the callback:
    as soon as nobody holds the Future any more, or else when `show_error_once` is called.
    """

    def __init__(self, main_loop: MainLoop, context: Context) -> None:
        super().__init__()
        self._main_loop = main_loop  # on whose thread nobody may wait for it
        self._context = context
        self.is_error_seen = False
        self._cancel_awaiting: Callable[[], object] | None = None
        self._started = False
        self._state_lock = threading.Lock()

    def _check_can_wait(self) -> None:
        if not self.done() and self._main_loop.is_here():
            raise RuntimeError(
                "this Future is not done, and waiting for it here would block the very loop that "
                "has to run its callback; use `await future` instead"
            )
        self.is_error_seen = True

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait on the running loop; cancelling that cancels an async callback."""
        self.is_error_seen = True
        return super().__await__()

    def cancel(self) -> bool:
        """Cancel the callback: before it begins, or while it is async.

        Returns
        -------
        bool
            Whether that was possible.
        """
        with self._state_lock:
            cancel_awaiting = self._cancel_awaiting
            if self._started and cancel_awaiting is None:
                return self.cancelled()
            cancelled = super().cancel()
        if cancelled and cancel_awaiting is not None:
            cancel_awaiting()
        return cancelled

    def running(self) -> bool:
        """Return whether the callback is running."""
        return self._started and not self.done()

    def begin(self) -> bool:
        """Note that the callback is about to be called; False if it has been cancelled."""
        with self._state_lock:
            self._started = not self.cancelled()
            return self._started

    def become_cancellable(self, cancel: Callable[[], object]) -> None:
        """Note that the callback is async, and how it is cancelled; on any thread."""
        with self._state_lock:
            self._cancel_awaiting = cancel

    def end(self, result: Any, error: BaseException | None) -> None:
        """Note the end of the callback."""
        with self._state_lock:
            self._cancel_awaiting = None
            if self.cancelled():
                return
            if isinstance(error, asyncio.CancelledError):
                super().cancel()
                return
        if error is not None:
            self.set_exception(error)
        else:
            self.set_result(result)

    def show_error_once(self) -> None:
        """Show the error if nobody has asked for it."""
        if self.is_error_seen or not self.done() or self.cancelled():
            return
        self.is_error_seen = True
        error = super().exception()
        if error is not None:
            self._main_loop.call_soon(show_error, error, context=self._context)

    def __del__(self) -> None:
        try:
            self.show_error_once()
        except RuntimeError:  # the loop is closed: there is no cell any more
            return


class LoopExecutor:
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
        """Run a callback; see `State.execute`."""
        check_callable(callback)
        if not (schedule in ("auto", "thread") or schedule is True or schedule is False):
            message = f'schedule must be "auto", True, False or "thread", got {schedule!r}'
            raise ValueError(message)
        is_main = self._is_main()
        if schedule is False and not is_main:
            raise RuntimeError(
                "schedule=False runs a callback at once, which only the main thread may; on this "
                'thread use schedule="auto" or True'
            )
        context = self._runner.context()
        future = CallbackFuture(self._main_loop, context)
        call = _Execution(callback, future, self)
        try:
            if schedule == "thread":
                self._runner.run_in_thread(call, context=context, done=call.end)
            elif schedule is False or (schedule == "auto" and is_main and not is_async(callback)):
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

    def _run(self, call: _Execution, context: Context) -> None:
        if call.future is not None:
            self._waiting.discard(call.future)
        self._runner.run(call, context=context, done=call.end)

    def show_error_later(self, future: CallbackFuture) -> None:
        """Show the error of a Future if nobody asks for it in time, or all have let go of it."""
        if future.is_error_seen:
            return
        held = weakref.ref(future)

        def show(_now: float) -> None:
            future = held()
            if future is not None:
                future.show_error_once()

        self._queue.timer(show).set(self._main_loop.time() + ERROR_SECONDS)

    def _close(self) -> None:
        self._queue.close()
        for future in self._waiting.copy():
            future.cancel()
        self._waiting.clear()


class _Execution:
    """Calls a callback and settles its Future.

    It lets go of the Future at the end: the traceback of an error refers to the frames that hold
    this, and the error of a Future that nobody holds is to be shown at once.
    """

    def __init__(self, callback: Callback, future: CallbackFuture, executor: LoopExecutor) -> None:
        self.callback = callback
        self.future: CallbackFuture | None = future
        self._executor = executor

    def __call__(self) -> Any:
        if self.future is None or not self.future.begin():
            return None
        result = self.callback()
        if not inspect.isawaitable(result):
            return result
        awaiting = Awaiting()
        self.future.become_cancellable(awaiting.cancel)
        return awaiting.run(result)

    def end(self, result: Any, error: BaseException | None) -> None:
        future, self.future = self.future, None
        if future is None:
            return
        future.end(result, error)
        if error is not None:
            self._executor.show_error_later(future)
