"""Writing to a store that may fail for a while."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from nbsession.core.errors import StoreBusyError, StoreError

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

FIRST_WAIT_SECONDS = 0.02
FAILED_WAIT_SECONDS = 1.0
CLOSE_SECONDS = 0.1
"""The longest that the end waits for others, with the loop."""


class StoreWriter:
    """Calls functions that write, each until it succeeds, in the order given."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        log: logging.Logger,
        on_recovered: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._log = log
        self._on_recovered = on_recovered
        self._calls: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._wait_seconds = 0.0
        self._handle: asyncio.TimerHandle | None = None
        self.is_clear = True
        self._has_failed = False
        self._was_busy = False

    def write(self, write: Callable[..., object], *args: Any) -> None:
        """Call a function that writes, now or when the store can be written again."""
        self._calls.append((write, args))
        if self.is_clear:
            self._write_all()

    def failed(self, error: StoreError) -> None:
        """Note that the store has failed at something that the caller will do again."""
        if self.is_clear:
            self._plan(error)

    def succeeded(self) -> None:
        """Note that the store could be used."""
        if self._wait_seconds:
            self._wait_seconds = 0.0
            if self._has_failed:
                self._has_failed = False
                self._log.warning("The tasks can be stored again")

    def close(self) -> None:
        """Try the calls that are left a last time, for a moment if others are in the way."""
        deadline = time.monotonic() + CLOSE_SECONDS
        while True:
            if self._handle is not None:
                self._handle.cancel()
            self.is_clear = True
            self._write_all()
            if self._handle is not None:
                self._handle.cancel()
            if self.is_clear or not self._was_busy or time.monotonic() > deadline:
                return
            time.sleep(CLOSE_SECONDS / 10)

    def _write_all(self) -> None:
        while self._calls and self.is_clear:  # a call may write others, which may fail
            write, args = self._calls.popleft()
            try:
                write(*args)
            except StoreError as error:
                self._calls.appendleft((write, args))
                self._plan(error)
                return
            except Exception:  # noqa: BLE001 - a defect here; the calls after it are to be made
                self._log.exception("A change of the tasks could not be stored, and is given up")
            if self._wait_seconds and self.is_clear:
                self.succeeded()

    def _plan(self, error: StoreError) -> None:
        self._was_busy = isinstance(error, StoreBusyError)
        if self._was_busy:
            doubled = max(FIRST_WAIT_SECONDS, 2 * self._wait_seconds)
            self._wait_seconds = min(doubled, FAILED_WAIT_SECONDS)
        else:
            self._wait_seconds = FAILED_WAIT_SECONDS
            if not self._has_failed:
                self._has_failed = True
                self._log.error("The tasks cannot be stored, trying each second: %s", error)
        self.is_clear = False
        self._handle = self._loop.call_later(self._wait_seconds, self._again)

    def _again(self) -> None:
        self.is_clear, self._handle = True, None
        self._write_all()
        if self.is_clear:
            self._on_recovered()


BUSY_SECONDS = 5.0
_PAUSE_SECONDS = 0.05

T = TypeVar("T")


async def patiently(call: Callable[[], T]) -> T:
    """Return the result of a call, made again while the store is busy; the loop is free meanwhile.

    Of the calls that wait on a loop only the first is made again and again.
    """
    try:
        return call()
    except StoreBusyError as error:
        busy = error
    loop = asyncio.get_running_loop()
    lock = _LOCKS.setdefault(loop, asyncio.Lock())
    pause_seconds = 0.0 if lock.locked() else _PAUSE_SECONDS
    try:
        async with asyncio.timeout(BUSY_SECONDS), lock:
            while True:
                await asyncio.sleep(pause_seconds)
                with contextlib.suppress(StoreBusyError):
                    return call()
                pause_seconds = _PAUSE_SECONDS
    except TimeoutError:
        raise busy from None


_LOCKS: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
