"""Waiting for runs to be final."""

from __future__ import annotations

from dataclasses import replace as copy_with
from typing import TYPE_CHECKING

from nbsession.core.run import OPEN_STATES

if TYPE_CHECKING:
    import asyncio

    from nbsession.core.run import Run

    from .abc import Store


class RunWaiters:
    """Keeps who waits for which run.

    Parameters
    ----------
    store
        Knows the runs, those of other engines included.
    loop
        Of the futures.
    """

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop) -> None:
        self._store = store
        self._loop = loop
        self._futures: dict[int, list[asyncio.Future[Run | None]]] = {}

    def wait(self, run_id: int) -> asyncio.Future[Run | None]:
        """Return what becomes a copy of a run when it is final; None if it is unknown."""
        future: asyncio.Future[Run | None] = self._loop.create_future()
        run = self._store.run(run_id)
        if run is not None and run.state in OPEN_STATES:
            self._futures.setdefault(run_id, []).append(future)
        else:
            future.set_result(None if run is None else copy_with(run))
        return future

    def forget(self, run_id: int, future: asyncio.Future[Run | None]) -> None:
        """Let one wait no more."""
        futures = self._futures.get(run_id, [])
        if future in futures:
            futures.remove(future)
        if not futures:
            self._futures.pop(run_id, None)

    def ended(self, run: Run) -> None:
        """Tell who waits for a run that is final now."""
        if self._futures:
            self._tell(run.id, run)

    def look(self) -> None:
        """Look whether runs have ended that go elsewhere."""
        for run_id in list(self._futures):
            run = self._store.run(run_id)
            if run is None or run.state not in OPEN_STATES:
                self._tell(run_id, run)

    def close(self) -> None:
        """Let nobody wait any more."""
        for futures in self._futures.values():
            for future in futures:
                future.cancel()
        self._futures.clear()

    def _tell(self, run_id: int, run: Run | None) -> None:
        for future in self._futures.pop(run_id, ()):
            if not future.done():
                future.set_result(None if run is None else copy_with(run))
