"""Context variables that threads take along, and futures that a thread or a loop can wait for."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextvars import ContextVar
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

Values = tuple[tuple[ContextVar[Any], Any], ...]
"""Context variables, each with the value that a thread is to see."""

_submitting: ContextVar[bool] = ContextVar("nbsession_submitting", default=False)
"""True while a pool starts its threads: they serve all that submit, and belong to no one."""


class ThreadCarrier:
    """Hooks in `Thread.start` and `ThreadPoolExecutor.submit`, so `loop.run_in_executor` too.

    Only the given variables are carried; the user's own are not, as always in Python.
    """

    def __init__(self, capture: Callable[[], Values], *, into_initializers: bool = False) -> None:
        self._capture = capture
        self._into_initializers = into_initializers
        self._uses = 0
        self._hooks: list[tuple[type, str, Any, Any]] = []
        self._lock = threading.Lock()

    def install(self) -> None:
        """Put the hooks in; each call needs one of `remove`."""
        with self._lock:
            self._uses += 1
            if self._uses == 1 and not self._hooks:
                from concurrent.futures.thread import ThreadPoolExecutor

                self._hook(threading.Thread, "start", self._wrap_start)
                self._hook(ThreadPoolExecutor, "submit", self._wrap_submit)

    def remove(self) -> None:
        """Take the hooks out again.

        One that other code has wrapped meanwhile stays, does nothing, and is used the next time.
        """
        with self._lock:
            self._uses = max(0, self._uses - 1)
            if self._uses == 0:
                self._unhook()

    def close(self) -> None:
        """Take the hooks out, even if they are still used."""
        with self._lock:
            self._uses = 0
            self._unhook()

    def _unhook(self) -> None:
        if all(vars(cls)[name] is hook for cls, name, _, hook in self._hooks):
            for cls, name, original, _ in self._hooks:
                setattr(cls, name, original)
            self._hooks.clear()

    def _hook(self, cls: type, name: str, wrap: Callable[[Any], Any]) -> None:
        original = vars(cls)[name]
        hook = wrap(original)
        setattr(cls, name, hook)
        self._hooks.append((cls, name, original, hook))

    def _values(self) -> Values:
        return self._capture() if self._uses else ()

    def _wrap_start(self, original: Callable[[threading.Thread], None]) -> Any:
        @wraps(original)
        def start(thread: threading.Thread) -> None:
            is_pools = _submitting.get() and not self._into_initializers
            values = () if is_pools else self._values()
            if not values:
                original(thread)
                return
            own = vars(thread).get("run")
            run = thread.run

            def restore() -> None:
                vars(thread).pop("run", None)
                if own is not None:
                    vars(thread)["run"] = own

            def run_with_values() -> None:
                restore()  # a thread that refers to itself would be left to the garbage collector
                for variable, value in values:
                    variable.set(value)  # for its whole life: its excepthook prints too
                run()

            vars(thread)["run"] = run_with_values  # works for subclasses, which override `run`
            try:
                original(thread)
            except BaseException:
                restore()
                raise

        return start

    def _wrap_submit(self, original: Callable[..., Any]) -> Any:
        @wraps(original)
        def submit(executor: Any, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
            values = self._values()
            # A pool of interpreters sends what it calls to another one, where these are unknown.
            if values and type(executor).__module__ != "concurrent.futures.interpreter":
                fn = partial(_call_with, values, fn)
            token = _submitting.set(True)
            try:
                return original(executor, fn, *args, **kwargs)
            finally:
                _submitting.reset(token)

        return submit


def _call_with(values: Values, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    tokens = [(variable, variable.set(value)) for variable, value in values]
    try:
        return fn(*args, **kwargs)
    finally:
        for variable, token in tokens:
            variable.reset(token)


Result = TypeVar("Result")


class AwaitableFuture(Future[Result]):
    """To be awaited on any loop; ``result()`` waits in a thread, and is there once it is done."""

    def _check_can_wait(self) -> None:
        """Raise RuntimeError if waiting here would block what has to end first."""
        raise NotImplementedError

    def result(self, timeout: float | None = None) -> Result:
        """Return the result, or raise the error.

        Parameters
        ----------
        timeout
            In seconds; None for no end.

        Raises
        ------
        RuntimeError
            If it is not done, on the thread of the event loop that it may need.
        TimeoutError
            If it is not done in time.
        """
        self._check_can_wait()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the error, None if there is none; waits and raises as `result` does."""
        self._check_can_wait()
        return super().exception(timeout)

    def __await__(self) -> Generator[object, None, Result]:
        """Wait on the running loop."""
        return asyncio.wrap_future(self).__await__()
