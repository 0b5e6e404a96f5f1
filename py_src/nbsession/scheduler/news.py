"""What has changed, told once per turn of the loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    import logging
    from collections.abc import Callable, Sequence

    from nbsession.core.run import Run

    from .task_book import TaskBook
    from .task_record import TaskRecord

GAP_SECONDS = 1.0
"""A row that grows is published once in so long."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed at one turn of the loop: the engine's own records, not to be kept.

    Attributes
    ----------
    tasks
        That hold their names, and have changed or are new.
    removed
        Names that no task holds any more.
    runs
        New ones, and those that have changed.
    """

    tasks: Sequence[TaskRecord]
    removed: Sequence[str]
    runs: Sequence[Run]


class News:
    """Tells subscribers of an engine, and costs nothing where there are none.

    Parameters
    ----------
    book
        In which a changed task is looked up when the news are told.
    loop
        Whose turns are meant.
    log
        Told of subscribers that raise.
    """

    def __init__(
        self, book: TaskBook, loop: asyncio.AbstractEventLoop, log: logging.Logger
    ) -> None:
        self._book = book
        self._loop = loop
        self._log = log
        self._subscribers: list[Callable[[Changes], object]] = []
        self._names: dict[str, None] = {}
        self._runs: dict[int, Run] = {}
        self._gaps: dict[int, Run | None] = {}  # told not long ago, with what has become of them
        self._timers: dict[int, asyncio.TimerHandle] = {}

    def subscribe(self, on_changes: Callable[[Changes], object]) -> Callable[[], None]:
        """Call on the loop with what has changed; return a function that ends it."""
        self._subscribers.append(on_changes)

        def unsubscribe() -> None:
            if on_changes in self._subscribers:
                self._subscribers.remove(on_changes)

        return unsubscribe

    def task(self, name: str) -> None:
        """Note that the task of a name has changed, is new, or has gone."""
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
        """Tell nothing any more of rows that have grown."""
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
            self._loop.call_soon(self._tell)

    def _tell(self) -> None:
        names, self._names = self._names, {}
        runs, self._runs = self._runs, {}
        held = {name: task for name in names if (task := self._book.find(name))}
        removed = [name for name in names if name not in held]
        changes = Changes(list(held.values()), removed, list(runs.values()))
        for subscriber in list(self._subscribers):
            try:
                subscriber(changes)
            except Exception:  # noqa: BLE001 - the others are told all the same
                self._log.exception("A subscriber of the tasks' changes has failed")
