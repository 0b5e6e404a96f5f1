"""From due occurrences to runs, and from ended runs to their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbsession.core.errors import StoreError

from .alarm import Alarm
from .attempts import Attempts
from .ledger import Ledger
from .occurrences import claim_due
from .questions import Questions

if TYPE_CHECKING:
    import asyncio
    import logging
    from collections.abc import Callable

    from nbsession.core.clock import Clock
    from nbsession.core.run import Run
    from nbsession.core.task_spec import TaskSpec

    from .abc import Claim, Claimed, Executor, Store
    from .engine_room import EngineRoom
    from .news import News
    from .task_record import TaskRecord

BATCH_SECONDS = 0.01
"""After so long at a stretch, what is due as well waits for the loop's next turn."""

STRETCH_SECONDS = 0.05
"""After so long with single turns between, it waits for more of the loop's other work."""

IDLE_PART = 0.1
"""How much of the time that occurrences took the loop then has."""

CLAIMS_AT_ONCE = 200

_HELD_SECONDS = 1.0
_MAX_IDLE_SECONDS = 0.05
_TURN_SECONDS = 1e-6


class Dispatch:
    """Claims what is due and has it run; writes what has ended, and begins what was queued.

    Parameters
    ----------
    store, executor, clock, loop, log, news
        The engine's.
    can_run
        Whether a task's occurrences are any business of this room.
    room
        Which it belongs to.

    Attributes
    ----------
    alarm, attempts, questions, ledger
        With which it does so.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - it stands between all of these
        self,
        store: Store,
        executor: Executor,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        log: logging.Logger,
        news: News,
        can_run: Callable[[TaskSpec], bool],
        room: EngineRoom,
    ) -> None:
        self._store = store
        self._clock = clock
        self._loop = loop
        self._news = news
        self._can_run = can_run
        self._room = room
        self._ended: list[tuple[TaskRecord, Run]] = []
        self._queued: dict[int, tuple[TaskRecord, Run]] = {}
        self._lacking: dict[int, TaskRecord] = {}
        self._working = False
        self._took_seconds = 0.0  # since the loop had time for other things
        self.alarm = Alarm(clock, loop, room.wake, always=store.shared)
        self.attempts = Attempts(executor, clock, loop, self._finished, room.progressed)
        self.questions = Questions(executor, clock, loop, room.answered)
        self.ledger = Ledger(loop, log, self.alarm.ring)

    def plan(self, task: TaskRecord, after_us: int | None = None) -> None:
        """Wait for a task's next occurrence; ask for it if code has to say it.

        Parameters
        ----------
        task
            Whatever was planned for it before is void.
        after_us
            Its last occurrence, an instant; None if it has had none.
        """
        self.questions.withdraw(task)
        self._lacking.pop(task.id, None)
        if not self._can_run(task.spec):
            self._lacking[task.id] = task
        elif task.asks:
            self.questions.ask(task, after_us)
        else:
            self.alarm.set(task)

    def look_for_lacking(self) -> None:
        """Plan the tasks for which this room has everything now: a disk may have come late."""
        for task in [task for task in self._lacking.values() if self._can_run(task.spec)]:
            self.plan(task)

    def work(self, began: float, now_us: int) -> float:
        """Do what is due.

        Parameters
        ----------
        began
            The loop's time, in seconds.
        now_us
            The clock's time, an instant; what is due later waits for the next call.

        Returns
        -------
        float
            0, or how long the loop is to have for other things before the next call, in seconds.
        """
        if not self.ledger.is_clear:  # it rings when it is
            return _HELD_SECONDS
        deadline = began + BATCH_SECONDS
        self._working = True
        try:
            is_over = self.attempts.begin_until(deadline)
            are_all = False
            while not is_over and not are_all:
                tasks = self.alarm.take(now_us, CLAIMS_AT_ONCE)
                are_all = len(tasks) < CLAIMS_AT_ONCE
                if tasks and not self._claim(tasks, now_us):
                    return _HELD_SECONDS
                is_over = self.attempts.begin_until(deadline)
        finally:
            self._working = False
            if self._ended:
                self.flush()
        if not is_over and not self.attempts.waiting:
            self._took_seconds = 0.0
            return 0
        self._took_seconds += self._loop.time() - began
        if self._took_seconds < STRETCH_SECONDS:
            return _TURN_SECONDS
        took, self._took_seconds = self._took_seconds, 0.0
        return min(took * IDLE_PART, _MAX_IDLE_SECONDS)

    def begin(self, task: TaskRecord, run: Run) -> None:
        """Take up a new row of a task, by what its store has made of it."""
        if run.state == "running":
            self.attempts.add(run, task)
            self.alarm.ring()
        elif run.state == "queued":
            self._queued[task.id] = task, run
        self._news.run(run)

    def flush(self) -> None:
        """Write the runs that have ended, begin queued ones, and end tasks that are over."""
        if self._ended:
            ended, self._ended = self._ended, []
            self.ledger.write(self._store.finish, ended)
            if self.ledger.is_clear:
                self._after(ended)
            else:
                self.ledger.write(self._after, ended)

    def begin_queued(self) -> None:
        """Begin the queued runs that wait for nothing any more."""
        for task, _ in list(self._queued.values()):
            self.ledger.write(self._begin_queued, task)

    def cancel(self, task: TaskRecord) -> None:
        """End the runs of a task that has gone; those that can be ended."""
        self.questions.withdraw(task)
        self._lacking.pop(task.id, None)
        self.alarm.unset()
        self.attempts.cancel(task)
        _, run = self._queued.pop(task.id, (None, None))
        if run is not None:
            run.state, run.reason, run.ended_us = "failed", "cancelled", self._clock.now_us()
            self._finished(task, run)

    def settle(self, claim: Claim, claimed: Claimed) -> None:
        """Go on with what became of a claim."""
        task, run = claim.task, claimed.run
        if not claimed.won:
            self._room.reread(task)
            return
        if task.due_us is not None:
            self.alarm.set(task)
        elif task.asks:
            self.questions.ask(task, claim.run_due_us)
        for gap in claimed.gaps:
            self._news.gap(gap)
        if run is None or run.state == "skipped":
            self._news.task(task.spec.name)
        else:
            run.reason = claim.late
            self.begin(task, run)
        if task.ending:
            if run is not None and run.state == "skipped":
                self.ledger.write(self._room.give_another, task, claim.run_due_us)
            else:
                self._room.end_if_over(task)

    def _claim(self, tasks: list[TaskRecord], now_us: int) -> bool:
        claims = []
        for task in tasks:
            if not self._can_run(task.spec):
                self._lacking[task.id] = task  # another server may have what it needs
                continue
            try:
                claims.append(claim_due(task, now_us))
            except Exception as error:  # noqa: BLE001 - as of a time zone that has gone
                self.ledger.write(self._store.set_due, task, None, repr(error))
                self._news.task(task.spec.name)
        try:
            claimed = self._store.claim(claims) if claims else []
        except Exception as error:
            for claim in claims:
                self.alarm.set(claim.task)
            if not isinstance(error, StoreError):
                raise
            self.ledger.failed(error)
            return False
        self.ledger.went_well()
        for claim, result in zip(claims, claimed, strict=True):
            self.settle(claim, result)
        return True

    def _finished(self, task: TaskRecord, run: Run) -> None:
        if not self._ended and not self._working:
            self._loop.call_soon(self.flush)
        self._ended.append((task, run))

    def _after(self, ended: list[tuple[TaskRecord, Run]]) -> None:
        for task, run in ended:
            self._news.run(run)
            self._room.ended(run)
            if task.id in self._queued:
                self.ledger.write(self._begin_queued, task)
            if task.ending:
                self._room.end_if_over(task)

    def _begin_queued(self, task: TaskRecord) -> None:
        run = self._store.start_queued(task, self._clock.now_us())
        if run is not None:
            self._queued.pop(task.id, None)
            self.begin(task, run)
        elif task.id in self._queued:
            row = self._store.run(self._queued[task.id][1].id)
            if row is None or row.state != "queued":  # another engine took this one for dead
                del self._queued[task.id]
