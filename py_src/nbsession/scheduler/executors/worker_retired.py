"""Workers that get no more work, until they have ended."""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import TYPE_CHECKING

ABANDONED = "code went on there whose run had ended, so it was killed"

LOOP_SECONDS = 30.0
"""How long the loop of a worker with abandoned code may not answer before it is killed."""

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .worker_process import WorkerProcess


class RetiredWorkers:
    """Lets workers finish what they have begun, and ends them."""

    def __init__(self) -> None:
        self._busy: set[WorkerProcess] = set()
        self._stops: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[WorkerProcess]:
        """Iterate over those that are still at work."""
        return iter(tuple(self._busy))

    def add(self, worker: WorkerProcess | None) -> None:
        """Give a worker no more work."""
        if worker is None:
            return
        if worker.jobs:
            self._busy.add(worker)
        else:
            self.stop(worker)

    def look(self) -> None:
        """End those that have done all, and those whose abandoned code lets nothing else run."""
        for worker in self:
            if not worker.jobs:
                self.ended(worker)
                self.stop(worker)
            elif worker.is_abandoned and worker.ping() > LOOP_SECONDS:
                worker.kill(
                    f"its event loop has not answered for {LOOP_SECONDS:g} s, and code goes on "
                    "there whose run has ended, so it was killed"
                )

    def stop(self, worker: WorkerProcess) -> None:
        """End a worker that has nothing to do; at once if abandoned code goes on there."""
        if worker.is_abandoned:
            worker.kill(ABANDONED)
        task = asyncio.get_running_loop().create_task(worker.stop(), context=Context())
        self._stops.add(task)
        task.add_done_callback(self._stops.discard)

    def ended(self, worker: WorkerProcess) -> None:
        """Take note that a worker has ended."""
        self._busy.discard(worker)

    async def close(self, seconds: float) -> None:
        """End all; what has not ended after so long is killed."""
        await asyncio.gather(*(worker.stop(seconds) for worker in self), *self._stops)
