"""Notifications of changes, once per turn of the loop, and of the ends of runs."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace as copy_with
from typing import TYPE_CHECKING

from nbsession.core.tasks.run import OPEN_STATES

if TYPE_CHECKING:
    import asyncio
    import logging
    from collections.abc import Callable, Sequence

    from nbsession.core.tasks.run import Run
    from nbsession.scheduler.abc import Store
    from nbsession.scheduler.records import TaskRecord

GAP_SECONDS = 1.0
"""A row that grows is published once in so long."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of one turn of the loop: the engine's own records, not to be kept."""

    tasks: Sequence[TaskRecord]
    removed: Sequence[str]
    runs: Sequence[Run]


class ChangeNotifier:
    """Notifies subscribers of an engine, and costs nothing where there are none."""

    def __init__(
        self,
        find: Callable[[str], TaskRecord | None],
        loop: asyncio.AbstractEventLoop,
        log: logging.Logger,
    ) -> None:
        self._find = find
        self._loop = loop
        self._log = log
        self._subscribers: list[Callable[[Changes], object]] = []
        self._names: dict[str, None] = {}
        self._runs: dict[int, Run] = {}
        self._gaps: dict[int, Run | None] = {}  # notified not long ago; grown since, or None
        self._timers: dict[int, asyncio.TimerHandle] = {}

    def subscribe(self, on_changes: Callable[[Changes], object]) -> Callable[[], None]:
        """Call on the loop with changes; return a function that ends it."""
        self._subscribers.append(on_changes)

        def unsubscribe() -> None:
            if on_changes in self._subscribers:
                self._subscribers.remove(on_changes)

        return unsubscribe

    def task(self, name: str) -> None:
        """Note that the task of a name has changed, is new, or was removed."""
        if self._subscribers:
            self._plan()
            self._names[name] = None

    def run(self, run: Run) -> None:
        """Note that a run has changed or is new, and so has its task."""
        if self._subscribers:
            self._plan()
            self._names[run.task] = None
            self._runs[run.id] = run

    def gap(self, row: Run) -> None:
        """Note a row of what was missed or skipped, new or grown; a row at most once a second."""
        if not self._subscribers:
            return
        if row.id in self._gaps:
            self._gaps[row.id] = row
        else:
            self._notify_gap(row)

    def close(self) -> None:
        """Notify no more of rows that have grown."""
        for timer in self._timers.values():
            timer.cancel()

    def _notify_gap(self, row: Run) -> None:
        self.run(row)
        self._gaps[row.id] = None
        self._timers[row.id] = self._loop.call_later(GAP_SECONDS, self._look_at_gap, row.id)

    def _look_at_gap(self, row_id: int) -> None:
        del self._timers[row_id]
        grown = self._gaps.pop(row_id)
        if grown is not None:
            self._notify_gap(grown)

    def _plan(self) -> None:
        if not self._names:
            self._loop.call_soon(self._notify)

    def _notify(self) -> None:
        names, self._names = self._names, {}
        runs, self._runs = self._runs, {}
        held = {name: task for name in names if (task := self._find(name))}
        removed = [name for name in names if name not in held]
        changes = Changes(list(held.values()), removed, list(runs.values()))
        for subscriber in list(self._subscribers):
            try:
                subscriber(changes)
            except Exception:  # noqa: BLE001 - the others are notified all the same
                self._log.exception("A subscriber of the tasks' changes has failed")


class RunWaiters:
    """Futures of the runs that somebody waits for."""

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop) -> None:
        self._store = store
        self._loop = loop
        self._futures: dict[int, list[asyncio.Future[Run | None]]] = {}

    def wait(self, run_id: int) -> asyncio.Future[Run | None]:
        """Return a future of a copy of a run once it is final; of None if it is unknown."""
        future: asyncio.Future[Run | None] = self._loop.create_future()
        run = self._store.runs.get(run_id)
        if run is not None and run.state in OPEN_STATES:
            self._futures.setdefault(run_id, []).append(future)
        else:
            future.set_result(None if run is None else copy_with(run))
        return future

    def forget(self, run_id: int, future: asyncio.Future[Run | None]) -> None:
        """Forget a future for which nobody waits any more."""
        futures = self._futures.get(run_id, [])
        if future in futures:
            futures.remove(future)
        if not futures:
            self._futures.pop(run_id, None)

    def ended(self, run: Run) -> None:
        """Note a run that is final now."""
        if self._futures:
            self._set_result(run.id, run)

    def look(self) -> None:
        """Look for runs of other engines that have ended."""
        for run_id in list(self._futures):
            run = self._store.runs.get(run_id)
            if run is None or run.state not in OPEN_STATES:
                self._set_result(run_id, run)

    def close(self) -> None:
        """Cancel every future."""
        for futures in self._futures.values():
            for future in futures:
                future.cancel()
        self._futures.clear()

    def _set_result(self, run_id: int, run: Run | None) -> None:
        for future in self._futures.pop(run_id, ()):
            if not future.done():
                future.set_result(None if run is None else copy_with(run))
