"""Waiting for the first report of a page, and checking that pages are still there."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from nbsession.kernel.runtime.hooks import in_cell, receives_beside_cells
from nbsession.kernel.runtime.process import under_voila

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbsession.kernel.runtime.runtime import Runtime

SUBSHELL_SECONDS = 3.0
"""After this long a page has made the subshell that takes its messages beside cells, if ever."""

_NONE_CAN = "no page has reported yet, and none can while this cell waits for it"
_ONLOAD = "give what needs the page to state.onload(…)"


class FirstReport:
    """The first report of a page, to be waited for."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._future: Future[None] = Future()
        self._lock = threading.Lock()

    def set(self) -> None:
        """Note that it has come. From any thread."""
        with self._lock:
            if not self._future.done():
                self._future.set_result(None)

    async def wait(self, timeout_seconds: float | None = None) -> None:
        """Wait for it, or so long."""
        # Who gives up must not end the waiting of others, as awaiting the future itself would.
        report = asyncio.shield(asyncio.wrap_future(self._future))
        if timeout_seconds is not None:
            await asyncio.wait({report}, timeout=timeout_seconds)
        elif in_cell():
            await self._wait_in_cell(report)
        else:
            await report

    async def _wait_in_cell(self, report: asyncio.Future[None]) -> None:
        kernel = self._runtime.kernel
        if under_voila():
            raise RuntimeError(f"{_NONE_CAN}: Voilà runs all cells before the page; {_ONLOAD}")
        if not receives_beside_cells(kernel):
            timeout = SUBSHELL_SECONDS if _knows_subshells(kernel) else 0
            while not (await asyncio.wait({report}, timeout=timeout))[0]:
                if not _has_subshell(kernel):
                    from importlib.metadata import version

                    raise RuntimeError(
                        f"{_NONE_CAN}: ipykernel {version('ipykernel')} hands on what a page says "
                        f"when the cell has ended; {_ONLOAD}, await location.ready() in a cell "
                        "that you run later, or install ipykernel 7.4 or newer"
                    )
        await report


def _knows_subshells(kernel: Any) -> bool:
    return bool(getattr(kernel, "_supports_kernel_subshells", False))


def _has_subshell(kernel: Any) -> bool:
    if not _knows_subshells(kernel):
        return False
    return bool(kernel.shell_channel_thread.manager.list_subshell())


ANSWER_SECONDS = 3.0
"""The time that a page has to answer."""

_LATE_SECONDS = 1.0
"""A loop that is later than this was held up by a cell, and the answers with it."""


class PresenceCheck:
    """Pings the pages and waits for their answers, one check at a time."""

    def __init__(
        self, runtime: Runtime, ping: Callable[[], None], prune: Callable[[float], None]
    ) -> None:
        self._runtime = runtime
        self._ping = ping
        self._prune = prune
        self._pinged_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Ping, unless answers are being waited for. From any thread."""
        with self._lock:
            if self._pinged_at is not None:
                return
            self._pinged_at = time.monotonic()
        self._ping()
        self._runtime.main_loop.call_soon(self._wait)

    def end(self) -> None:
        """Wait no more."""
        if self._timer is not None:
            self._runtime.main_loop.call_soon(self._timer.cancel)

    def _wait(self) -> None:
        loop = self._runtime.main_loop
        when = loop.time() + ANSWER_SECONDS
        self._timer = loop.call_at(when, self._finish, when)

    def _finish(self, when: float) -> None:
        hooks = self._runtime.hooks
        is_late = self._runtime.main_loop.time() - when > _LATE_SECONDS
        if is_late or (hooks is not None and not hooks.status.receives_page_messages):
            self._wait()
            return
        with self._lock:
            pinged_at, self._pinged_at = self._pinged_at, None
        if pinged_at is not None:
            self._prune(pinged_at)
