"""Runs the user's callbacks: sync or async, busy meanwhile, with errors where they belong."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from nbsession.core.process import HAS_THREADS
from nbsession.core.threads import ThreadCarrier
from nbsession.core.tracebacks import traceback_from_user_code

from .process import is_like_ipykernel, running_shell

if TYPE_CHECKING:
    from nbsession.core.threads import Values

    from .busy import Busy
    from .loop import Context, MainLoop

Callback = Callable[..., Any]

Done = Callable[[Any, BaseException | None], None]
"""Called with the result and the error; one of them is None."""


def check_callable(callback: object) -> None:
    """Raise TypeError unless the callback can be called."""
    if not callable(callback):
        raise TypeError(f"a callback must be callable, got {type(callback).__name__}: {callback!r}")


class CallbackWatcher(Protocol):
    """Takes care of output that the cell of a callback cannot show any more."""

    def registered(self) -> None:
        """Note that the running code registers a callback."""

    def raised(self, error: BaseException) -> None:
        """Note an error of a callback, in its context."""


watchers: list[CallbackWatcher] = []


def show_error(error: BaseException) -> None:
    """Show an error in the cell of the current context; the caller goes on."""
    for watcher in tuple(watchers):
        watcher.raised(error)
    shell = running_shell()
    # JupyterLite's kernel shows what the shell does only when a cell ends, as that cell's error.
    if shell is not None and is_like_ipykernel(getattr(shell, "kernel", None)):
        shell.showtraceback((type(error), error, traceback_from_user_code(error)))
    else:
        traceback.print_exception(
            type(error), error, traceback_from_user_code(error), file=sys.stderr
        )


def error_output(error: BaseException) -> dict[str, Any]:
    """Return an error with its traceback as a notebook stores it (nbformat 4)."""
    shell, kind, trace = running_shell(), type(error), traceback_from_user_code(error)
    if shell is None:
        lines = traceback.format_exception(kind, error, trace)
    else:
        lines = shell.InteractiveTB.structured_traceback(kind, error, trace)
    output = {"ename": kind.__name__, "evalue": str(error), "traceback": lines}
    return {"output_type": "error", **output}


_in_callback: ContextVar[bool] = ContextVar("nbsession_in_callback", default=False)

_CELL_VARIABLES = frozenset({"parent_header", "shell_parent", "nbsession_output_capture"})
"""ipykernel's context variables, and our own, that determine where output goes."""


def _output_of_callback() -> Values:
    if not _in_callback.get():
        return ()
    items = contextvars.copy_context().items()
    output = [(variable, value) for variable, value in items if variable.name in _CELL_VARIABLES]
    return (*output, (_in_callback, True))


class Awaiting:
    """Awaits user code, and can be cancelled meanwhile or before; from any thread."""

    def __init__(self) -> None:
        self.task: asyncio.Task[Any] | None = None  # while it awaits
        self._is_cancelled = False

    async def run(self, awaitable: Any) -> Any:
        """Return what an awaitable returns."""
        self.task = asyncio.current_task()
        try:
            if self._is_cancelled:
                raise asyncio.CancelledError
            return await awaitable
        finally:
            self.task = None

    def cancel(self) -> None:
        """Cancel what is awaited, or will be."""
        self._is_cancelled = True
        task = self.task
        if task is not None:
            with suppress(RuntimeError):  # a thread's own loop, which has just closed
                task.get_loop().call_soon_threadsafe(task.cancel, context=contextvars.Context())


class CallbackRunner:
    """Runs callbacks of the user in the context in which they were registered."""

    def __init__(self, main_loop: MainLoop, busy: Busy, *, has_kernel: bool) -> None:
        self.main_loop = main_loop
        self.busy = busy
        self._has_kernel = has_kernel
        self._carrier = ThreadCarrier(_output_of_callback)
        self._tasks: set[asyncio.Task[Any]] = set()  # a loop keeps only weak references

    def context(self) -> Context:
        """Return the context of the cell that is running, to register with a callback."""
        for watcher in tuple(watchers):
            watcher.registered()
        return contextvars.copy_context()

    def run(self, callback: Callback, *args: Any, context: Context, done: Done) -> None:
        """Run a callback now; only on the loop's thread."""
        run_in = self._begin(context)
        try:
            result = run_in.run(callback, *args)
        except BaseException as error:  # noqa: BLE001 - handed to `done`, which knows what to do
            self._finish(done, None, error)
            return
        if not inspect.isawaitable(result):
            self._finish(done, result, None)
        elif self.main_loop.is_here():
            self._go_on(result, run_in, done)
        else:  # in a plain process the main thread may run callbacks too, but has no loop
            self.main_loop.call_soon(self._go_on, result, run_in, done, context=run_in)

    def call(self, callback: Callback, *, context: Context, done: Done) -> None:
        """Run a callback now if that can be, else at the main loop's next turn; as `run` does.

        From any thread. Without a kernel it is always now: a script may end before its loop's
        thread has a turn. What is meant to end the script is raised there.
        """
        if self.main_loop.is_here():
            self.run(callback, context=context, done=done)
        elif self._has_kernel:
            run = partial(self.run, callback, context=context, done=done)
            self.main_loop.call_soon(run, context=context)
        else:
            self.run(callback, context=context, done=partial(self._done_here, done))

    def _done_here(self, done: Done, result: Any, error: BaseException | None) -> None:
        if isinstance(error, (KeyboardInterrupt, SystemExit)) and not self.main_loop.is_here():
            raise error
        done(result, error)

    def _go_on(self, awaitable: Any, context: Context, done: Done) -> None:
        task = self.main_loop.loop.create_task(settle(awaitable), context=context)
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._task_ended(task, done), context=context)

    def run_in_thread(self, callback: Callback, *args: Any, context: Context, done: Done) -> None:
        """Run a callback in a thread of its own; an async one on a loop of that thread.

        `done` is called in that thread. Where there are no threads all of it is done in place.
        """
        if not HAS_THREADS:
            self.run(callback, *args, context=context, done=done)
            return

        def work() -> None:
            result, error = None, None
            try:
                result = callback(*args)
                if inspect.isawaitable(result):
                    result, error = asyncio.run(settle(result))
            except BaseException as raised:  # noqa: BLE001 - handed to `done`, which knows what to do
                result, error = None, raised
            self._finish(done, result, error)

        run = self._begin(context).run
        name = f"nbsession-{getattr(callback, '__name__', 'callback')}"
        try:
            threading.Thread(target=run, args=(work,), name=name, daemon=True).start()
        except BaseException:  # no more threads: nothing will notice its end
            self._end()
            raise

    def close(self) -> None:
        """Cancel every async callback that is running."""
        self._carrier.close()
        for task in tuple(self._tasks):
            self.main_loop.call_soon(task.cancel)

    def _task_ended(self, task: asyncio.Task[Any], done: Done) -> None:
        self._tasks.discard(task)
        try:
            result, error = task.result()
        except asyncio.CancelledError as cancelled:  # with the traceback: the callback may raise it
            result, error = None, cancelled
        self._finish(done, result, error)

    def _finish(self, done: Done, result: Any, error: BaseException | None) -> None:
        try:
            done(result, error)
        finally:
            self._end()

    def call_within(self, callback: Callable[..., Any], *args: Any, context: Context) -> Any:
        """Call now, within other code of the user: return what it returns, raise what it raises.

        It does not count as busy by itself.
        """
        run_in = self._carry(context)
        try:
            return run_in.run(callback, *args)
        finally:
            self._drop()

    def _begin(self, context: Context) -> Context:
        self.busy.enter()
        return self._carry(context)

    def _end(self) -> None:
        self._drop()
        self.busy.leave()

    def _carry(self, context: Context) -> Context:
        """Return the context for a call, whose threads print where the callback prints."""
        run_in = context.copy()
        run_in.run(_in_callback.set, True)  # noqa: FBT003 - it takes no keyword
        if self._has_kernel:
            self._carrier.install()
        return run_in

    def _drop(self) -> None:
        if self._has_kernel:
            self._carrier.remove()


async def settle(awaitable: Any) -> tuple[Any, BaseException | None]:
    """Return the result and the error of an awaitable, one of them None."""
    try:
        return await awaitable, None
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - a task that raises SystemExit stops its loop
        return None, error


def show_unless_cancelled(_result: Any, error: BaseException | None) -> None:
    """Show the error of a callback; the usual `done` of one that nobody waits for."""
    if error is not None and not isinstance(error, asyncio.CancelledError):
        show_error(error)


class ErrorDisplay:
    """Shows an error unless it is the one just shown: every 10 ms, it would flood the page."""

    __slots__ = ("_shown",)

    def __init__(self) -> None:
        self._shown = ""

    def show(self, error: BaseException) -> None:
        """Show it in the cell of the current context, if it is another one."""
        lines = [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)]
        text = "".join(traceback.format_exception_only(error)) + repr(lines)
        if text != self._shown:
            self._shown = text
            show_error(error)

    def restart(self) -> None:
        """Show the next one in any case."""
        self._shown = ""
