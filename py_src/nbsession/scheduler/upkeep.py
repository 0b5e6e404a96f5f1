"""What an engine looks after every second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbsession.core.errors import StoreError
from nbsession.core.instant import SECOND_US

from .alarm import LOOK_SECONDS
from .occurrences import moved_due

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from nbsession.core.run import Run
    from nbsession.core.task_spec import TaskSpec

    from .abc import Store
    from .engine_room import EngineRoom
    from .task_record import TaskRecord

BEAT_SECONDS = 5.0
PRUNE_SECONDS = 3600.0
PRUNE_SOON_SECONDS = 60.0
"""After the start, as many a server lives no hour; and while there is more to forget."""


class Upkeep:
    """Notices a wall clock that was set and what other engines do; shows that this one lives.

    Parameters
    ----------
    store
        The engine's.
    room
        Told what others have done.
    log
        Of the engine.
    now, now_us
        The loop's time in seconds, and the clock's, an instant.

    Attributes
    ----------
    next_look
        When to look next, in seconds of the loop.
    """

    def __init__(
        self, store: Store, room: EngineRoom, log: logging.Logger, now: float, now_us: int
    ) -> None:
        self._store = store
        self._log = log
        self._room = room
        self._progressed: dict[int, Run] = {}
        self._offset_us = now_us - round(now * SECOND_US)
        self.next_look = now + LOOK_SECONDS
        self._next_beat = now + BEAT_SECONDS
        self._next_prune = now + PRUNE_SOON_SECONDS

    def look(self, now: float, now_us: int) -> None:
        """Look after everything whose time has come."""
        self.next_look = now + LOOK_SECONDS
        offset_us = now_us - round(now * SECOND_US)
        was_set_back = offset_us < self._offset_us - SECOND_US
        self._offset_us = offset_us
        if was_set_back:
            self._do(lambda: self.mend_grids(now_us))
        if self._store.shared:
            self._do(self._follow_file)
        self._do(lambda: self._keep(now))

    def _do(self, part: Callable[[], object]) -> None:
        """Do a part of a look; what it raises is not to keep the next ones from being done."""
        try:
            part()
        except StoreError as error:
            self._room.dispatch.ledger.failed(error)
        except Exception:  # noqa: BLE001 - the next look may do better
            self._log.exception("nbsession: the scheduler could not look after its tasks")

    def progressed(self, run: Run) -> None:
        """Keep what an open run has to tell, with the next look."""
        self._progressed[run.id] = run

    def mend_grids(self, now_us: int) -> None:
        """Bring occurrences nearer that a clock set back has moved away."""
        for task in list(self._room.book):
            due_us = moved_due(task.spec, task.due_us, now_us, task.last_run_us)
            if due_us is not None and self._room.can_run(task.spec):
                self._room.dispatch.ledger.write(self._move, task, task.spec, due_us)

    def hear_others(self) -> None:
        """Take up what other engines have changed."""
        changes = self._store.changes() if self._store.shared else None
        if changes is None:
            return
        changed, removed = changes
        for task_id in removed:  # first: in another database their ids may be those of others
            gone = self._room.book.get(task_id)
            if gone is not None:
                self._room.gone(gone)
        for task in changed:
            self._room.heard(task)

    def _follow_file(self) -> None:
        """Look for the store's file, also while it cannot be written to: that may be why."""
        if self._store.follow_file():
            self.hear_others()

    def _keep(self, now: float) -> None:
        if not self._room.dispatch.ledger.is_clear:
            return
        self._store_progress()
        if self._store.shared:
            self._share(now)
        if now >= self._next_prune:
            gone_ids, is_more = self._store.prune()
            self._next_prune = now + (PRUNE_SOON_SECONDS if is_more else PRUNE_SECONDS)
            for task_id in gone_ids:
                gone = self._room.book.get(task_id)
                if gone is not None:
                    self._room.gone(gone)

    def _store_progress(self) -> None:
        progressed, self._progressed = self._progressed, {}
        try:
            if progressed:
                self._store.update(progressed.values())
        except StoreError:
            self._progressed = progressed | self._progressed
            raise
        except Exception:  # noqa: BLE001 - what a run says of itself is not to stop the heartbeat
            self._log.exception("nbsession: the progress of runs could not be stored")

    def _share(self, now: float) -> None:
        if now >= self._next_beat:
            for run in self._store.beat():
                self._room.news.run(run)
            self._room.dispatch.look_for_lacking()
            self._next_beat = now + BEAT_SECONDS
        self.hear_others()
        self._room.dispatch.begin_queued()
        self._room.waiters.look()

    def _move(self, task: TaskRecord, spec: TaskSpec, due_us: int) -> None:
        if task.paused or not self._room.has(task, spec):
            return
        if not self._store.set_due(task, due_us, None):
            self._room.reread(task)
            return
        self._room.dispatch.alarm.unset()
        self._room.dispatch.plan(task)
        self._room.news.task(task.spec.name)
