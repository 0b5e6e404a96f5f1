"""Waiting for the first word of a page."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from .cell_status import hears_beside_cells
from .message_hooks import in_cell
from .process import under_voila

if TYPE_CHECKING:
    from .runtime import Runtime

PATIENCE_SECONDS = 3.0
"""After this long a page has made the subshell over which it talks beside cells, if it does so."""

_NONE_CAN = "no page has reported yet, and none can while this cell waits for it"
_ONLOAD = "give what needs the page to state.onload(…)"


class FirstReport:
    """Comes when a page has reported.

    Parameters
    ----------
    runtime
        Of this process.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._future: Future[None] = Future()
        self._lock = threading.Lock()

    def come(self) -> None:
        """End the waiting. From any thread."""
        with self._lock:
            if not self._future.done():
                self._future.set_result(None)

    async def wait(self, patience_seconds: float | None = None) -> None:
        """Wait for it.

        Parameters
        ----------
        patience_seconds
            After which it is not waited for any more; None for no end.

        Raises
        ------
        RuntimeError
            In a cell, if the page's word is handed on only when the cell has ended, and there is no
            other end to the waiting.
        """
        # Who gives up must not end the waiting of others, as awaiting the future itself would.
        report = asyncio.shield(asyncio.wrap_future(self._future))
        if patience_seconds is not None:
            await asyncio.wait({report}, timeout=patience_seconds)
        elif in_cell():
            await self._wait_in_cell(report)
        else:
            await report

    async def _wait_in_cell(self, report: asyncio.Future[None]) -> None:
        kernel = self._runtime.kernel
        if under_voila():
            message = f"{_NONE_CAN}: Voilà runs all cells before the page; {_ONLOAD}"
            raise RuntimeError(message)
        if not hears_beside_cells(kernel):
            patience = PATIENCE_SECONDS if _knows_subshells(kernel) else 0
            while not (await asyncio.wait({report}, timeout=patience))[0]:
                if not _has_subshell(kernel):
                    raise RuntimeError(_why_endless())
        await report


def _knows_subshells(kernel: Any) -> bool:
    return bool(getattr(kernel, "_supports_kernel_subshells", False))


def _has_subshell(kernel: Any) -> bool:
    if not _knows_subshells(kernel):
        return False
    return bool(kernel.shell_channel_thread.manager.list_subshell())


def _why_endless() -> str:
    from importlib.metadata import version

    return (
        f"{_NONE_CAN}: ipykernel {version('ipykernel')} hands on what a page says when the cell "
        f"has ended; {_ONLOAD}, await location.ready() in a cell that you run later, or install "
        "ipykernel 7.4 or newer"
    )
