"""What runs without a page counts as activity of the server, or a hub would end it meanwhile."""

from __future__ import annotations

import asyncio
import contextvars
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable
    from logging import Logger

LONG_RUN_SECONDS = 60.0
"""A run that has gone on for so long counts; a short one may come every minute for ever."""

LOOK_SECONDS = 5.0


class ServerActivity:
    """Looks every few seconds whether something goes on that the server must not be ended for."""

    def __init__(
        self,
        is_blocked: Callable[[], bool],
        running: Callable[[], Collection[Hashable]],
        note: Callable[[], object],
        log: Logger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._is_blocked = is_blocked
        self._running = running
        self._note = note
        self._log = log
        self._clock = clock
        self._seen: dict[Hashable, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, on the running loop."""
        try:
            self.look()
        except Exception:  # noqa: BLE001 - logged; the next look may do better
            self._log.exception("nbsession: the server's activity is not known")
        self._timer = asyncio.get_running_loop().call_later(
            LOOK_SECONDS, self.start, context=contextvars.Context()
        )

    def look(self) -> None:
        """Note activity if there is any now."""
        now = self._clock()
        self._seen = {run: self._seen.get(run, now) for run in self._running()}
        is_long = any(now - since >= LONG_RUN_SECONDS for since in self._seen.values())
        if is_long or self._is_blocked():
            self._note()

    def close(self) -> None:
        """End it."""
        if self._timer is not None:
            self._timer.cancel()
