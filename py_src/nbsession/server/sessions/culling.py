"""Ends the kernels of closed Voilà pages, and keeps blocked kernels from being culled.

Voilà's page says farewell when it is closed, but a browser that crashed, a laptop that was shut and
a page closed while it was still rendering do not.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_async

from nbsession.server.errors import SilentKernelError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from logging import Logger

    from jupyter_server.base.handlers import JupyterHandler
    from jupyter_server.services.kernels.kernelmanager import MappingKernelManager

    from nbsession.server.request.records import SessionRecords
    from nbsession.server.websocket import KernelSockets

    from .kernel_client import KernelRequests

_CHECK_SECONDS = 1.0

_LATE_SECONDS = 10.0
"""A check that is later than this, or than half of a page's time, begins that time anew."""

_MAX_SHUTDOWNS = 10
"""How many kernels are shut down at a time: a busy one takes seconds, nearly all of it waiting."""


class PageTransfer:
    """The sending of a page: in progress (`loading`), or broken off by the browser (`left`)."""

    def __init__(self, handler: JupyterHandler) -> None:
        self.loading = True
        self.left = False
        finish, close = handler.on_finish, handler.on_connection_close

        def finished() -> None:
            self.loading = False
            finish()

        def closed() -> None:
            self.loading, self.left = False, True
            close()

        handler.on_finish = finished  # type: ignore[method-assign]
        # tornado took the bound method when it made the handler.
        set_close_callback = getattr(handler.request.connection, "set_close_callback", None)
        if set_close_callback is not None:
            set_close_callback(closed)


@dataclass
class _Page:
    transfer: PageTransfer
    started: bool = False  # whether its kernel was seen: one that still starts is not known yet
    connected: bool = False  # whether it has ever opened its socket
    absent_since: float | None = None  # None while it is there


class PageReaper:
    """Shuts Voilà kernels down whose pages have been closed for some time.

    Where sockets are not counted it shuts none down.
    """

    def __init__(  # noqa: PLR0913 - the parts it watches, two times, and two clocks
        self,
        kernel_managers: MappingKernelManager,
        sockets: KernelSockets,
        grace_seconds: float,
        load_seconds: float,
        log: Logger,
        *,
        is_blocked: Callable[[str], bool],
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._kernel_managers = kernel_managers
        self._sockets = sockets
        self._grace_seconds = grace_seconds
        self._load_seconds = load_seconds
        self._log = log
        self._is_blocked = is_blocked
        self._clock = clock
        self._wall_clock = wall_clock
        self._pages: dict[str, _Page] = {}
        self._task: asyncio.Task[None] | None = None
        self._shutdowns: dict[str, asyncio.Task[None]] = {}
        self._free = asyncio.Semaphore(_MAX_SHUTDOWNS)
        self._problem: str | None = None
        sockets.on_open = self.connected  # a page may come and go between two checks

    def connected(self, kernel_id: str) -> None:
        """Note that a page of a watched kernel has opened its socket."""
        page = self._pages.get(kernel_id)
        if page is not None:
            page.connected, page.absent_since = True, None

    def watch(self, kernel_id: str, transfer: PageTransfer) -> None:
        """Watch a kernel from now on, whose page is being sent."""
        self._pages[kernel_id] = _Page(transfer)
        if self._task is None or self._task.done():
            self._task = _spawn(self._run())

    def unwatch(self, kernel_id: str) -> None:
        """Stop watching a kernel."""
        self._pages.pop(kernel_id, None)

    def close(self) -> None:
        """Shut down none any more: the server ends them all."""
        self._pages.clear()
        if self._task is not None:
            self._task.cancel()

    def report_problem(self) -> None:
        """Log why no kernel is ended, once."""
        problem, before = self._sockets.problem, self._problem
        self._problem = problem
        if problem is not None and problem != before:
            self._log.warning(
                "nbsession: %s; no kernel ends because its Voilà page is gone", problem
            )

    async def _run(self) -> None:
        while self._pages:
            began, wall_began = self._clock(), self._wall_clock()
            await asyncio.sleep(_CHECK_SECONDS)
            elapsed, wall_elapsed = self._clock() - began, self._wall_clock() - wall_began
            self.extend_grace(elapsed - _CHECK_SECONDS, wall_elapsed - _CHECK_SECONDS)
            self.report_problem()
            for kernel_id in tuple(self._pages):
                if kernel_id not in self._shutdowns and self.is_expired(kernel_id):
                    self._shutdowns[kernel_id] = _spawn(self._end(kernel_id))

    def extend_grace(self, late_seconds: float, wall_late_seconds: float) -> None:
        """Give pages the time in which the server was stopped: they could not come back."""
        now = self._clock()
        for page in self._pages.values():
            if page.absent_since is None:
                continue
            pause = min(_LATE_SECONDS, self._seconds_for(page) / 2)
            if max(late_seconds, wall_late_seconds) > pause:
                page.absent_since = now  # a browser tries again at ever longer intervals
            else:
                page.absent_since = min(now, page.absent_since + max(0, late_seconds))

    def is_expired(self, kernel_id: str) -> bool:
        """Check a kernel's page; return whether its time is over."""
        page = self._pages.get(kernel_id)
        try:
            return page is not None and self._is_expired(kernel_id, page, self._clock())
        except Exception:  # noqa: BLE001 - logged, and the other pages are checked
            self._log.exception("nbsession: cannot check the page of kernel %s", kernel_id)
            return False

    def _is_expired(self, kernel_id: str, page: _Page, now: float) -> bool:
        if kernel_id not in self._kernel_managers:
            if page.started:
                self.unwatch(kernel_id)
            return False
        page.started = True
        is_counted = self._sockets.problem is None
        is_connected = is_counted and self._sockets.count(kernel_id) > 0
        page.connected = page.connected or is_connected
        if not is_counted or is_connected or page.transfer.loading or self._is_blocked(kernel_id):
            page.absent_since = None
            return False
        if page.absent_since is None:
            page.absent_since = now
        return now - page.absent_since >= self._seconds_for(page)

    def _seconds_for(self, page: _Page) -> float:
        seen = page.connected or page.transfer.left
        return self._grace_seconds if seen else self._load_seconds

    async def _end(self, kernel_id: str) -> None:
        try:
            async with self._free:
                # Once more: while it waited for its turn the page may have come back.
                if not self.is_expired(kernel_id):
                    return
                self.unwatch(kernel_id)
                self._log.info(
                    "nbsession: the page of kernel %s is gone; shutting it down", kernel_id
                )
                await ensure_async(self._kernel_managers.shutdown_kernel(kernel_id))
        except Exception:  # noqa: BLE001 - logged, and the other pages are checked
            self._log.exception("nbsession: kernel %s of a closed page does not end", kernel_id)
        finally:
            del self._shutdowns[kernel_id]


def _spawn(coroutine: Coroutine[None, None, None]) -> asyncio.Task[None]:
    # In no visitor's context: the checks go on when that request has long been answered.
    return asyncio.get_running_loop().create_task(coroutine, context=contextvars.Context())


_CULL_ALL, _CULL = "cull_kernels", "cull_kernel_if_idle"

_MAX_SECONDS = 1e9
_SAME_MESSAGE_SECONDS = 0.5
"""Between a kernel's sending a message and the server's noting it."""


class Expiration:
    """The kernels that may not be ended for being idle or for their page being closed."""

    def __init__(self, records: SessionRecords, kernels: KernelRequests | None = None) -> None:
        self._records = records
        self._kernels = kernels
        self.problem: str | None = "it was not possible to inspect this server's culler"

    def is_blocked(self, kernel_id: str) -> bool:
        """Return whether a kernel has asked not to be ended."""
        record = self._records.get(kernel_id)
        return record is not None and record.blocks_expiration

    def is_any_blocked(self) -> bool:
        """Return whether any kernel has asked not to be ended."""
        return any(each.running and each.blocks_expiration for each in self._records.values())

    def guard(self, kernel_managers: MappingKernelManager) -> None:
        """Filter the kernels that a kernel manager culls; set `problem` if that cannot be done."""
        cull = getattr(kernel_managers, _CULL, None)
        cull_all = getattr(type(kernel_managers), _CULL_ALL, None)
        names = getattr(getattr(cull_all, "__code__", None), "co_names", ())
        if cull is None or _CULL not in names:
            self.problem = (
                f"its kernel manager {type(kernel_managers).__qualname__} does not decide by "
                f"{_CULL}() which kernels it culls; switch culling off there"
            )
            return

        async def cull_if_idle_and_not_blocked(kernel_id: str) -> None:
            kernel = kernel_managers.get_kernel(kernel_id)
            if getattr(kernel, "execution_state", None) != "dead":
                if self.is_blocked(kernel_id):
                    return
                await self._correct_activity(kernel_managers, kernel_id)
            if kernel_id in kernel_managers:  # it may have ended meanwhile
                await ensure_async(cull(kernel_id))

        kernel_managers.cull_kernel_if_idle = cull_if_idle_and_not_blocked  # type: ignore[method-assign]
        self.problem = None

    async def _correct_activity(self, kernel_managers: Any, kernel_id: str) -> None:
        """Let user code that runs count as the kernel's activity, and our own messages not.

        Jupyter sees only messages: neither a callback that prints nothing, nor that a page has
        sent no more than that the user turned to it.
        """
        kernel = kernel_managers.get_kernel(kernel_id)
        record = self._records.get(kernel_id)
        if self._kernels is None or record is None or not hasattr(kernel, "last_activity"):
            return
        if not record.linked and not _is_idle(kernel_managers, kernel):
            return
        try:
            answer = await self._kernels.request(kernel_id, {"action": "activity"})
        except (SilentKernelError, LookupError, ValueError):  # it has not loaded nbsession
            return
        idle, own = map(_seconds, (answer.get("idle_seconds"), answer.get("own_message_seconds")))
        if idle is None or (idle == 0 and kernel_managers.cull_busy):  # as the administrator wants
            return
        now = datetime.now(UTC)
        ran = now - timedelta(seconds=idle)
        last_is_own = own is not None and (
            kernel.last_activity <= now - timedelta(seconds=own - _SAME_MESSAGE_SECONDS)
        )
        if last_is_own or ran > kernel.last_activity:
            kernel.last_activity = ran


def _seconds(value: object) -> float | None:
    is_number = isinstance(value, float | int) and 0 <= value < _MAX_SECONDS
    return float(value) if is_number else None  # type: ignore[arg-type]  # it is a number


def _is_idle(kernel_managers: Any, kernel: Any) -> bool:
    """Return whether Jupyter would cull a kernel if it had no open page."""
    metadata: dict[str, Any] = getattr(getattr(kernel, "kernel_spec", None), "metadata", {})
    timeout = metadata.get("cull_idle_timeout", kernel_managers.cull_idle_timeout)
    idle: timedelta = datetime.now(UTC) - kernel.last_activity
    may_be_busy = bool(kernel_managers.cull_busy) or kernel.execution_state != "busy"
    return may_be_busy and idle > timedelta(seconds=timeout)
