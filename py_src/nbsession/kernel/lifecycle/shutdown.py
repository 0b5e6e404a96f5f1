"""The end of this process's session, noticed from inside, in time to act."""

from __future__ import annotations

import _thread
import asyncio
import inspect
import os
import signal
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from nbsession.core.process import HAS_THREADS, ForkGuard
from nbsession.kernel.runtime.process import call_at_exit, kernel_log, put_hook

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from nbsession.kernel.runtime.runtime import Runtime

BUDGET_SECONDS = 2.0
"""The time that the end may take: a server sends SIGTERM after 2.5 s."""

_PROBE_SECONDS = 0.25
"""The time that the main loop has to show that it is alive."""

_AGAIN_SECONDS = 0.05

_installed: WeakSet[Shutdown] = WeakSet()

_REQUEST = "shutdown_request"


class Shutdown:
    """Runs something once when the session ends, unless the process is killed outright.

    Whatever is noticed first counts: the server's request on the control channel, which is handled
    while a cell blocks; SIGTERM; the interpreter's exit. A process that was forked off this one
    inherits all three and does nothing.
    """

    def __init__(
        self,
        runtime: Runtime,
        work: Callable[[float], Coroutine[Any, Any, None]],
        on_late: Callable[[], object],
    ) -> None:
        self._kernel = runtime.kernel
        self._main_loop = runtime.main_loop if runtime.kernel is not None else None
        self._work = work
        self._on_late = on_late
        self._process = ForkGuard()
        self._active = True
        self._begun = threading.Lock()  # taken by who notices the end first, and never given back
        self._claimed = threading.Lock()  # taken by the thread that does the work, likewise
        self._claim_noticed = threading.Event()
        self._done: Future[None] = Future()
        self._deadline = float("inf")
        self._task: asyncio.Task[None] | None = None  # a loop keeps only weak references
        self._may_die = False
        self._unregister: Callable[[], None] = lambda: None
        self._unwrap_request: Callable[[], None] = lambda: None

    # -- in and out -----------------------------------------------------------------------------

    def install(self) -> None:
        """Notice the end from now on."""
        self._unregister = call_at_exit(self._at_exit)
        self._wrap_request()
        if threading.current_thread() is threading.main_thread():
            self._take_signal()
        elif self._main_loop is not None:
            self._main_loop.call_soon(self._take_signal)

    def remove(self) -> None:
        """Leave the end alone again."""
        self._active = False
        self._unregister()
        self._unwrap_request()
        if threading.current_thread() is threading.main_thread():
            self.give_signal_back()
            _installed.discard(self)

    def _take_signal(self) -> None:
        # A handler of somebody else's decides itself what SIGTERM means.
        if self._active and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._on_sigterm)
            _installed.add(self)

    def give_signal_back(self) -> None:
        """Let SIGTERM end the process at once again, if nobody else has changed that."""
        if signal.getsignal(signal.SIGTERM) == self._on_sigterm:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _wrap_request(self) -> None:
        handlers = getattr(self._kernel, "control_handlers", None)
        if not isinstance(handlers, dict) or _REQUEST not in handlers:
            return
        original = handlers[_REQUEST]

        async def shutdown_request(stream: Any, ident: Any, message: Any) -> Any:
            # A second request finds the kernel's loops about to stop: it must not wait here.
            if not self._done.done() and self._left() > 0:
                try:
                    await self.end()
                except (Exception, asyncio.CancelledError):  # noqa: BLE001 - logged; the kernel has to end
                    kernel_log().exception("nbsession: callbacks at the end of the session failed")
            result = original(stream, ident, message)
            return await result if inspect.isawaitable(result) else result

        self._unwrap_request = put_hook(handlers, _REQUEST, shutdown_request)

    # -- the end --------------------------------------------------------------------------------

    async def end(self) -> bool:
        """Have the work done now, as its server ends; return whether it was done in time."""
        if not self._is_ours():
            return True
        self._begin()
        done = asyncio.wrap_future(self._done)
        if (await asyncio.wait([done], timeout=self._left()))[0]:
            return True
        self._on_late()
        return False

    def _is_ours(self) -> bool:
        return self._active and not self._process.is_forked

    def _left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def _claim(self) -> bool:
        return self._claimed.acquire(blocking=False)

    def _begin(self) -> None:
        """Have the work done, in the background; the first call counts."""
        if self._begun.acquire(blocking=False):
            self._deadline = time.monotonic() + BUDGET_SECONDS
            if HAS_THREADS:
                threading.Thread(target=self._do_work, name="nbsession-end", daemon=True).start()
            else:
                self._do_work_on_main()

    def _do_work(self) -> None:
        if self._main_loop is not None:
            with suppress(RuntimeError):  # it is closed
                self._main_loop.call_soon(self._do_work_on_main)
                self._claim_noticed.wait(_PROBE_SECONDS)
        if self._claim():
            self._do_work_here()

    def _do_work_on_main(self) -> None:
        if self._is_ours() and self._claim():
            self._claim_noticed.set()
            self._task = asyncio.get_running_loop().create_task(self._work(self._deadline))
            self._task.add_done_callback(lambda _: self._done.set_result(None))

    def _do_work_here(self) -> None:
        try:
            asyncio.run(self._work(self._deadline))
        finally:
            self._done.set_result(None)

    def _at_exit(self) -> None:
        if not self._is_ours():
            return
        if self._begun.acquire(blocking=False):
            self._deadline = time.monotonic() + BUDGET_SECONDS
            self._claim()
            self._do_work_here()
        else:
            self._wait_for_work()

    def _wait_for_work(self) -> None:
        try:
            self._done.result(self._left())
        except TimeoutError:
            self._on_late()

    def _on_sigterm(self, _signal: int, _frame: object) -> None:
        # It interrupts any code of the main thread, so it takes no lock that this code may hold.
        if self._may_die or not self._is_ours():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            _thread.start_new_thread(self._end_and_die, ())

    def _end_and_die(self) -> None:
        self._begin()
        self._wait_for_work()
        # Not SystemExit: a running cell would swallow it, and the kernel live on.
        self._may_die = True
        # A signal that comes just before the main thread begins to wait is seen when it next wakes.
        while signal.getsignal(signal.SIGTERM) == self._on_sigterm:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(_AGAIN_SECONDS)


# A signal between a fork and the child's first Python code is noted by our handler, and the note is
# dropped by Python: `Pool.join()` would hang. So a child gets it only once we have let go of it.
_mask = threading.local()


def _hold_signal_back() -> None:
    _mask.before = (
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]) if _installed else None
    )


def _let_signal_through() -> None:
    if _mask.before is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, _mask.before)


def _give_signal_back_in_child() -> None:
    for shutdown in tuple(_installed):
        shutdown.give_signal_back()
    _let_signal_through()


if hasattr(os, "register_at_fork"):  # for good: there is no way to unregister it
    os.register_at_fork(
        before=_hold_signal_back,
        after_in_parent=_let_signal_through,
        after_in_child=_give_signal_back_in_child,
    )
