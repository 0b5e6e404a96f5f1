"""The news of sessions, on its way to the hooks of setup scripts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .worker_jobs import SessionJob

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from logging import Logger

    from .worker_slot import WorkerSlot

MAX_WAITING = 10_000


class WorkerSessions:
    """Counts what the hooks have still to hear.

    Parameters
    ----------
    numbers
        For orders.
    log
        The server's.
    """

    def __init__(self, numbers: Iterator[int], log: Logger) -> None:
        self._numbers = numbers
        self._log = log
        self._open: set[SessionJob] = set()
        self._done = asyncio.Event()

    def tell(self, slots: Sequence[WorkerSlot], event: str, context: dict[str, Any]) -> None:
        """Tell setup scripts of a session.

        Parameters
        ----------
        slots
            Of the scripts.
        event
            ``"created"`` or ``"destroyed"``.
        context
            `SessionContext.to_json`.
        """
        if len(self._open) >= MAX_WAITING:  # a script that has hung for a very long time
            self._log.warning("nbsession: no callback will hear of session %s", context["id"])
            return
        for slot in slots:
            job = SessionJob(next(self._numbers), event, context, self._log, self._heard)
            self._open.add(job)
            slot.give(job)

    async def drain(self) -> None:
        """Wait until the hooks have run for everything that was told."""
        while self._open:
            self._done.clear()
            await self._done.wait()

    async def drain_for(self, seconds: float) -> None:
        """Wait as `drain`, but not longer than so many seconds."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self.drain()
        except TimeoutError:
            self._log.warning("nbsession: callbacks for %d sessions were cut off", len(self._open))

    def _heard(self, job: SessionJob) -> None:
        self._open.discard(job)
        if not self._open:
            self._done.set()
