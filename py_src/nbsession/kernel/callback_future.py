"""The Future of a callback: waited for in threads, awaited on the loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from typing import TYPE_CHECKING, Any

from .callbacks import show_error

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from .main_loop import Context, MainLoop


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
