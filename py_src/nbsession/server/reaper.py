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
    from collections.abc import Callable
    from logging import Logger

    from jupyter_server.services.kernels.kernelmanager import MappingKernelManager

_LOOK_SECONDS = 1.0


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


@dataclass
class _Page:
    transfer: Transfer
    started: bool = False  # whether its kernel was seen: one that still starts is not known yet
    connected: bool = False  # whether it has ever opened its socket
    gone_since: float | None = None  # None while it is there


class PageReaper:
    """Shuts a Voilà kernel down when its page has been gone for some time.

    Parameters
    ----------
    kernel_managers
        Tells when a socket is opened and how many a kernel has, and shuts kernels down.
    grace_seconds
        Time between a page's last socket, or its leaving while it was sent, and the end.
    load_seconds
        Time between the moment a page was sent whole and its first socket.
    log
        Where each end is told.
    is_kept
        Whether a kernel asks to live on without its page.
    clock
        Monotonic seconds, which stand still while the machine sleeps: a page gets its time anew.
    """

    def __init__(  # noqa: PLR0913 - what it watches, two times, and three ways to see and tell
        self,
        kernel_managers: MappingKernelManager,
        grace_seconds: float,
        load_seconds: float,
        log: Logger,
        *,
        is_kept: Callable[[str], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kernel_managers = kernel_managers
        self._grace_seconds = grace_seconds
        self._load_seconds = load_seconds
        self._log = log
        self._is_kept = is_kept
        self._clock = clock
        self._pages: dict[str, _Page] = {}
        self._task: asyncio.Task[None] | None = None
        # A page may come and go between two looks.
        notify_connect = kernel_managers.notify_connect

        def connected(kernel_id: str) -> None:
            self.connected(kernel_id)
            notify_connect(kernel_id)  # type: ignore[no-untyped-call]

        kernel_managers.notify_connect = connected  # type: ignore[method-assign]

    def connected(self, kernel_id: str) -> None:
        """Note that a page has opened its socket, if it is one of ours."""
        page = self._pages.get(kernel_id)
        if page is not None:
            page.connected, page.gone_since = True, None

    def watch(self, kernel_id: str, transfer: Transfer) -> None:
        """Look after a kernel from now on, whose page is being sent."""
        self._pages[kernel_id] = _Page(transfer)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(
                self._run(), context=contextvars.Context()
            )

    def unwatch(self, kernel_id: str) -> None:
        """Leave a kernel alone that has ended."""
        self._pages.pop(kernel_id, None)

    async def _run(self) -> None:
        while self._pages:
            await asyncio.sleep(_LOOK_SECONDS)
            for kernel_id in tuple(self._pages):
                # Looked at just before: while others end, a page may come back.
                if self.is_up(kernel_id):
                    await self._end(kernel_id)

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
        if self._kernel_managers.kernel_model(kernel_id)["connections"]:
            page.connected, page.gone_since = True, None
            return False
        if page.transfer.loading or self._is_kept(kernel_id):
            page.gone_since = None
            return False
        if page.gone_since is None:
            page.gone_since = now
        seen = page.connected or page.transfer.left
        return now - page.gone_since >= (self._grace_seconds if seen else self._load_seconds)

    async def _end(self, kernel_id: str) -> None:
        self.unwatch(kernel_id)
        self._log.info("nbsession: the page of kernel %s is gone; shutting it down", kernel_id)
        try:
            await ensure_async(self._kernel_managers.shutdown_kernel(kernel_id))
        except Exception:  # noqa: BLE001 - logged, and the other pages are looked after
            self._log.exception("nbsession: kernel %s of a page that is gone stays", kernel_id)
