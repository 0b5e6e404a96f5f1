"""Ends the kernels of Voilà pages that are gone.

Voilà's page says farewell when it is closed, but a browser that crashed, a laptop that was shut and
a page closed while it was still rendering do not.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from jupyter_core.utils import ensure_async

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from logging import Logger

    from jupyter_server.services.kernels.kernelmanager import MappingKernelManager

_LOOK_SECONDS = 1.0

_LATE_SECONDS = 10.0
"""A check that is later than this, or than half of a page's time, begins that time anew."""

_MAX_SHUTDOWNS = 10
"""How many kernels are shut down at a time: a busy one takes seconds, nearly all of it waiting."""


class Transfer(Protocol):
    """How the sending of a page goes.

    Attributes
    ----------
    loading
        Whether the page is being sent to a browser that is there.
    left
        Whether the browser went away before it had all.
    """

    @property
    def loading(self) -> bool:
        """See above."""

    @property
    def left(self) -> bool:
        """See above."""


class Sockets(Protocol):
    """The WebSockets that pages have open.

    Attributes
    ----------
    problem
        Why they are not counted, None if they are.
    on_open
        Called with a kernel's id when a page has opened a socket to it.
    """

    on_open: Callable[[str], object]

    @property
    def problem(self) -> str | None:
        """See above."""

    def count(self, kernel_id: str) -> int:
        """Return how many are open to a kernel."""


@dataclass
class _Page:
    transfer: Transfer
    started: bool = False  # whether its kernel was seen: one that still starts is not known yet
    connected: bool = False  # whether it has ever opened its socket
    gone_since: float | None = None  # None while it is there


class PageReaper:
    """Shuts a Voilà kernel down when its page has been gone for some time.

    Where sockets are not counted it shuts none down.

    Parameters
    ----------
    kernel_managers
        Shuts kernels down.
    sockets
        Tells when a socket is opened and how many a kernel has.
    grace_seconds
        Time between a page's last socket, or its leaving while it was sent, and the end.
    load_seconds
        Time between the moment a page was sent whole and its first socket.
    log
        Where each end is told.
    is_kept
        Whether a kernel asks to live on without its page.
    clock
        Monotonic seconds.
    wall_clock
        Seconds that also go on while the machine sleeps.
    """

    def __init__(  # noqa: PLR0913 - what it watches, two times, and four ways to see and tell
        self,
        kernel_managers: MappingKernelManager,
        sockets: Sockets,
        grace_seconds: float,
        load_seconds: float,
        log: Logger,
        *,
        is_kept: Callable[[str], bool],
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._kernel_managers = kernel_managers
        self._sockets = sockets
        self._grace_seconds = grace_seconds
        self._load_seconds = load_seconds
        self._log = log
        self._is_kept = is_kept
        self._clock = clock
        self._wall_clock = wall_clock
        self._pages: dict[str, _Page] = {}
        self._task: asyncio.Task[None] | None = None
        self._shutdowns: dict[str, asyncio.Task[None]] = {}
        self._free = asyncio.Semaphore(_MAX_SHUTDOWNS)
        self._problem: str | None = None
        sockets.on_open = self.connected  # a page may come and go between two checks

    def connected(self, kernel_id: str) -> None:
        """Note that a page has opened its socket, if it is one of ours."""
        page = self._pages.get(kernel_id)
        if page is not None:
            page.connected, page.gone_since = True, None

    def watch(self, kernel_id: str, transfer: Transfer) -> None:
        """Look after a kernel from now on, whose page is being sent."""
        self._pages[kernel_id] = _Page(transfer)
        if self._task is None or self._task.done():
            self._task = _spawn(self._run())

    def unwatch(self, kernel_id: str) -> None:
        """Leave a kernel alone that has ended."""
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
            await asyncio.sleep(_LOOK_SECONDS)
            elapsed, wall_elapsed = self._clock() - began, self._wall_clock() - wall_began
            self.extend_grace(elapsed - _LOOK_SECONDS, wall_elapsed - _LOOK_SECONDS)
            self.report_problem()
            for kernel_id in tuple(self._pages):
                if kernel_id not in self._shutdowns and self.is_up(kernel_id):
                    self._shutdowns[kernel_id] = _spawn(self._end(kernel_id))

    def extend_grace(self, late_seconds: float, wall_late_seconds: float) -> None:
        """Give pages the time in which the server did not run: they could not come back.

        Parameters
        ----------
        late_seconds, wall_late_seconds
            How late the check is by either clock.
        """
        now = self._clock()
        for page in self._pages.values():
            if page.gone_since is None:
                continue
            pause = min(_LATE_SECONDS, self._seconds_for(page) / 2)
            if max(late_seconds, wall_late_seconds) > pause:
                page.gone_since = now  # a browser tries again at ever longer intervals
            else:
                page.gone_since = min(now, page.gone_since + max(0, late_seconds))

    def is_up(self, kernel_id: str) -> bool:
        """Look after a kernel's page; return whether its time is up."""
        page = self._pages.get(kernel_id)
        try:
            return page is not None and self._is_up(kernel_id, page, self._clock())
        except Exception:  # noqa: BLE001 - logged, and the other pages are looked after
            self._log.exception("nbsession: cannot look after the page of kernel %s", kernel_id)
            return False

    def _is_up(self, kernel_id: str, page: _Page, now: float) -> bool:
        if kernel_id not in self._kernel_managers:
            if page.started:
                self.unwatch(kernel_id)
            return False
        page.started = True
        if self._sockets.problem is not None:
            page.gone_since = None
            return False
        if self._sockets.count(kernel_id):
            page.connected, page.gone_since = True, None
            return False
        if page.transfer.loading or self._is_kept(kernel_id):
            page.gone_since = None
            return False
        if page.gone_since is None:
            page.gone_since = now
        return now - page.gone_since >= self._seconds_for(page)

    def _seconds_for(self, page: _Page) -> float:
        seen = page.connected or page.transfer.left
        return self._grace_seconds if seen else self._load_seconds

    async def _end(self, kernel_id: str) -> None:
        try:
            async with self._free:
                # Once more: while it waited for its turn the page may have come back.
                if not self.is_up(kernel_id):
                    return
                self.unwatch(kernel_id)
                self._log.info(
                    "nbsession: the page of kernel %s is gone; shutting it down", kernel_id
                )
                await ensure_async(self._kernel_managers.shutdown_kernel(kernel_id))
        except Exception:  # noqa: BLE001 - logged, and the other pages are looked after
            self._log.exception("nbsession: kernel %s of a page that is gone stays", kernel_id)
        finally:
            del self._shutdowns[kernel_id]


def _spawn(coroutine: Coroutine[None, None, None]) -> asyncio.Task[None]:
    # In no visitor's context: the checks go on when that request has long been answered.
    return asyncio.get_running_loop().create_task(coroutine, context=contextvars.Context())
