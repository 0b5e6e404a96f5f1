"""Which kernels are busy, as their server sees it; what lasts a moment only is left out."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TOLD_AFTER_SECONDS = 0.25


class BusyMarks:
    """Notes when kernels become busy and idle, and tells what has lasted a while.

    Lives on the server's event loop, and is touched by nothing else.

    Parameters
    ----------
    changed
        Called with the kernel's id when its mark has changed.
    """

    def __init__(self, changed: Callable[[str], object]) -> None:
        self._changed = changed
        self._marks: dict[str, bool] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def find(self, kernel_id: str) -> bool | None:
        """Return whether a kernel is busy; None if nothing is known of it."""
        return self._marks.get(kernel_id)

    def note(self, kernel_id: str, *, busy: bool) -> None:
        """Note what a kernel is now."""
        if self._marks.setdefault(kernel_id, False) == busy:
            self._stop(kernel_id)
        elif kernel_id not in self._timers:
            self._timers[kernel_id] = asyncio.get_running_loop().call_later(
                TOLD_AFTER_SECONDS, self._turn, kernel_id, context=contextvars.Context()
            )

    def forget(self, kernel_id: str) -> None:
        """Drop a kernel that has ended."""
        self._stop(kernel_id)
        self._marks.pop(kernel_id, None)

    def _stop(self, kernel_id: str) -> None:
        timer = self._timers.pop(kernel_id, None)
        if timer is not None:
            timer.cancel()

    def _turn(self, kernel_id: str) -> None:
        del self._timers[kernel_id]
        self._marks[kernel_id] = not self._marks[kernel_id]
        self._changed(kernel_id)
