"""The event loop on which user code runs, and the thread it belongs to."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from nbsession.core.process import ForkGuard

from .process import call_at_exit, is_like_ipykernel, is_terminal

if TYPE_CHECKING:
    from collections.abc import Callable

Context = contextvars.Context

_HALT_SECONDS = 0.5


class MainLoop:
    """Puts calls onto the one thread on which notebooks expect their code to run."""

    def __init__(self, loop: asyncio.AbstractEventLoop, thread_id: int) -> None:
        self.loop = loop
        self.thread_id = thread_id
        self.moves = 0
        self._may_move = False

    @classmethod
    def find(cls, kernel: Any | None) -> MainLoop:
        """Return the loop of a kernel, also before it runs, or of a plain process."""
        if kernel is None and is_terminal():
            return cls(*_loop_of_thread())  # a terminal's own stands still between cells
        io_loop: Any = getattr(kernel, "io_loop", None)
        if io_loop is None and not is_like_ipykernel(kernel):
            main_loop = cls(*_loop_of_process())  # pyodide's always runs
            main_loop._may_move = kernel is None
            return main_loop
        if io_loop is None:  # the kernel's app still loads extensions
            from tornado.ioloop import IOLoop

            io_loop = IOLoop.current()
        # kernel.shell_stream.io_loop would be another thread's in ipykernel 7.
        return cls(io_loop.asyncio_loop, threading.main_thread().ident or 0)

    def follow(self) -> int:
        """Go on with the process's next loop if this one has ended, as after `asyncio.run`."""
        if self._may_move and self.loop.is_closed():
            self.loop, self.thread_id = _loop_of_process()
            self.moves += 1
        return self.moves

    def is_here(self) -> bool:
        """Return whether this code runs on the loop's thread."""
        self.follow()
        return threading.get_ident() == self.thread_id

    def time(self) -> float:
        """Return the loop's time in seconds, monotonic."""
        self.follow()
        return self.loop.time()

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> None:
        """Call on the loop's thread, at its next turn, in a copy of a context. From any thread."""
        self.follow()
        self.loop.call_soon_threadsafe(callback, *args, context=_copy(context))

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call at a time of the loop. Only from the loop's thread; elsewhere use `call_soon`."""
        # Not `call_at`: pyodide's refuses a time that has passed.
        delay = max(0.0, when - self.loop.time())
        return self.loop.call_later(delay, callback, *args, context=_copy(context))


def _copy(context: Context | None) -> Context:
    return Context() if context is None else context.copy()


def _loop_of_process() -> tuple[asyncio.AbstractEventLoop, int]:
    try:
        return asyncio.get_running_loop(), threading.get_ident()
    except RuntimeError:
        return _loop_of_thread()


def _loop_of_thread() -> tuple[asyncio.AbstractEventLoop, int]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="nbsession", daemon=True)
    thread.start()
    call_at_exit(partial(ForkGuard().call, _halt, loop))
    return loop, thread.ident or 0


def _halt(loop: asyncio.AbstractEventLoop) -> None:
    """Let a loop of ours run nothing any more: IPython is about to empty the user's namespace."""
    if loop.is_closed():
        return
    halted = threading.Event()

    def halt() -> None:  # it ends with the process; a stopped loop would complain of its tasks
        halted.set()
        threading.Event().wait()

    loop.call_soon_threadsafe(halt, context=contextvars.Context())
    halted.wait(_HALT_SECONDS)


Result = TypeVar("Result")

BLOCKED_SECONDS = 0.25
"""The time that a thread waits for the loop: a cell that blocks it may wait for that thread."""


class LoopBlockedError(TimeoutError):
    """The main loop is blocked; the call is made at its next turn."""

    def __init__(self, future: Future[Any]) -> None:
        super().__init__("the main loop is blocked; the call is made at its next turn")
        self.future = future


class LoopCalls:
    """Makes calls on the loop's thread."""

    def __init__(self, main_loop: MainLoop) -> None:
        self._main_loop = main_loop

    def call(self, function: Callable[[], Result]) -> Result:
        """Call on the loop's thread, at once if this is it, and return what that returns."""
        is_here = self._main_loop.is_here()
        if is_here and self._main_loop.loop.is_running():
            return function()
        future = self.hand_over(function)
        try:
            return future.result(0 if is_here else BLOCKED_SECONDS)
        except TimeoutError:
            if future.done():  # it has raised one itself
                raise
            raise LoopBlockedError(future) from None

    def hand_over(self, function: Callable[[], Result]) -> Future[Result]:
        """Call on the loop's thread at its next turn, in the caller's context."""
        future: Future[Result] = Future()

        def run() -> None:
            try:
                result = function()
            except BaseException as error:  # noqa: BLE001 - for the caller
                future.set_exception(error)
            else:
                future.set_result(result)

        self._main_loop.call_soon(run, context=contextvars.copy_context())
        return future
