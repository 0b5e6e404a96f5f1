"""Asking the pages which of them are still there: a page may go without a word."""

from __future__ import annotations

import contextvars
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from .runtime import Runtime

ANSWER_SECONDS = 3.0
"""How long a page may take to answer."""

_LATE_SECONDS = 1.0
"""A loop that is later than this was held up by a cell, and the answers with it."""


class RollCall:
    """Pings the pages and waits for their answers, one call at a time.

    Parameters
    ----------
    runtime
        Of this process.
    ping
        Asks all pages to say hello again.
    prune
        Called on the main loop with the time of the ping (of `time.monotonic`): a page that has
        said nothing since is not there.
    """

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
        """Ask, unless answers are being waited for. From any thread."""
        with self._lock:
            if self._pinged_at is not None:
                return
            self._pinged_at = time.monotonic()
        self._ping()
        self._runtime.main_loop.call_soon(self._wait, context=contextvars.Context())

    def end(self) -> None:
        """Wait no more."""
        if self._timer is not None:
            self._runtime.main_loop.call_soon(self._timer.cancel, context=contextvars.Context())

    def _wait(self) -> None:
        loop = self._runtime.main_loop
        when = loop.time() + ANSWER_SECONDS
        self._timer = loop.call_at(when, self._finish, when, context=contextvars.Context())

    def _finish(self, when: float) -> None:
        is_late = self._runtime.main_loop.time() - when > _LATE_SECONDS
        if is_late or not self._runtime.hears_pages:
            self._wait()
            return
        with self._lock:
            pinged_at, self._pinged_at = self._pinged_at, None
        if pinged_at is not None:
            self._prune(pinged_at)
