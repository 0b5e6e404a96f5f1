"""From due occurrences to runs, and from ended runs to their rows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from nbsession.core.errors import StoreError
from nbsession.core.schedule.instant import SECOND_US

from .attempts import Attempts
from .code_triggers import Answer, Questions
from .events import News, RunWaiters
from .occurrences import claim_due, decide, due_after, moved_due
from .registry import TaskBook
from .store_writer import Ledger
from .timer import LOOK_SECONDS, Alarm

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from nbsession.core.schedule.clock import Clock
    from nbsession.core.tasks.run import Run
    from nbsession.core.tasks.spec import TaskSpec
    from nbsession.scheduler.abc import Claim, Claimed, Executor, Store
    from nbsession.scheduler.records import TaskRecord

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
    """Claims what is due and has it run; writes what has ended, and begins what was queued."""

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
        """Wait for a task's next occurrence; ask for it if code has to say it."""
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
        """Do what is due."""
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


BEAT_SECONDS = 5.0
PRUNE_SECONDS = 3600.0
PRUNE_SOON_SECONDS = 60.0
"""After the start, as many a server lives no hour; and while there is more to forget."""


class Upkeep:
    """Notices a wall clock that was set and what other engines do; shows that this one lives."""

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


class EngineRoom:
    """What is behind an engine while it is open."""

    def __init__(
        self,
        store: Store,
        executor: Executor,
        clock: Clock,
        log: logging.Logger,
        can_run: Callable[[TaskSpec], bool],
    ) -> None:
        loop = asyncio.get_running_loop()
        self._store = store
        self._executor = executor
        self._clock = clock
        self.can_run = can_run
        self.book = TaskBook()
        self.parked: dict[int, int] = {}
        self.news = News(self.book, loop, log)
        self.dispatch = Dispatch(store, executor, clock, loop, log, self.news, can_run, self)
        self.waiters = RunWaiters(store, loop)
        self.upkeep = Upkeep(store, self, log, loop.time(), clock.now_us())

    def take_up(self, task: TaskRecord) -> None:
        """Take up a new task, or one that was kept."""
        self.book.add(task)
        self.dispatch.plan(task)
        self.news.task(task.spec.name)

    def heard(self, task: TaskRecord) -> None:
        """Take a task as another engine has made or changed it."""
        task = self.book.take_over(task)
        # Also if its occurrence looks the same: a store may have written it into this very record.
        self.dispatch.alarm.unset()
        self.dispatch.plan(task)
        self.news.task(task.spec.name)

    def gone(self, task: TaskRecord) -> None:
        """Forget a task that was removed, here or elsewhere, and cancel its runs."""
        if task in self.book:
            self.book.drop(task)
            self.parked.pop(task.id, None)
            task.due_us, task.asks = None, False  # which makes its entry in the alarm void
            self.dispatch.cancel(task)
            self._executor.forget(task)
            self.news.task(task.spec.name)

    async def close(self) -> None:
        """End everything that runs here."""
        dispatch = self.dispatch
        dispatch.alarm.close()
        dispatch.attempts.close()
        await dispatch.questions.close()
        await self._executor.close()
        dispatch.flush()
        dispatch.ledger.close()
        self.waiters.close()
        self.news.close()

    # -- what its parts tell it --------------------------------------------------------------------

    def wake(self, now: float, now_us: int) -> float:
        """Do what is due now; see `Alarm`."""
        if now >= self.upkeep.next_look:
            self.upkeep.look(now, now_us)
        return self.dispatch.work(now, now_us)

    def reread(self, task: TaskRecord) -> None:
        """Read a task again that another engine has changed."""
        self.dispatch.ledger.write(self._reread, task)

    def progressed(self, run: Run) -> None:
        """Note that an open run has something new to tell."""
        self.upkeep.progressed(run)
        self.news.run(run)

    def ended(self, run: Run) -> None:
        """Note a run whose end has been written."""
        self.waiters.ended(run)

    def end_if_over(self, task: TaskRecord) -> None:
        """Let a task go that was cancelled, and has no run before it any more."""
        if task.ending and task.due_us is None and not task.asks and not task.open_runs:
            self.dispatch.ledger.write(self._store.remove, task)
            self.gone(task)

    def give_another(self, task: TaskRecord, after_us: int) -> None:
        """Give an ending task the occurrence after one that was skipped; an order of the ledger."""
        due_us, asks = due_after(task.spec, after_us)
        self._store.pause(task, paused=False, due_us=due_us, asks=asks)
        self.dispatch.plan(task, after_us)
        self.end_if_over(task)

    def answered(self, task: TaskRecord, answer: Answer) -> None:
        """Take the next occurrence of a task as its code has answered."""
        if task.asks and task in self.book:
            self.dispatch.ledger.write(self._take_answer, task, task.spec, answer)

    def has(self, task: TaskRecord, spec: TaskSpec) -> bool:
        """Return whether a task is there and has not been replaced since it had this spec."""
        return task in self.book and task.spec is spec

    def _reread(self, task: TaskRecord) -> None:
        found = self._store.read(task.id)
        if found is None:
            self.gone(task)
        else:
            self.dispatch.plan(self.book.take_over(found))
            self.news.task(found.spec.name)

    def _take_answer(self, task: TaskRecord, spec: TaskSpec, answer: Answer) -> None:
        if task.paused or not self.has(task, spec):  # while the store could not be written
            return
        if answer.late:
            self._claim_late(task, answer)
        else:
            self._set_due(task, answer)

    def _set_due(self, task: TaskRecord, answer: Answer) -> None:
        if not self._store.set_due(task, answer.due_us, answer.error):
            self.reread(task)
            return
        self.dispatch.alarm.set(task)
        self.news.task(task.spec.name)
        self.end_if_over(task)

    def _claim_late(self, task: TaskRecord, answer: Answer) -> None:
        *missed, (_, last_us, _) = answer.late
        if not self._store.set_due(task, answer.late[0].first_us, None):
            self.reread(task)
            return
        now_us = self._clock.now_us()
        claim = decide(task, last_us, missed, now_us, answer.due_us, asks=False)
        self.dispatch.settle(claim, self._store.claim([claim])[0])
        self.dispatch.alarm.ring()  # this is no alarm's doing: what was claimed waits to begin
        if answer.error is not None:
            last = Answer(answer.due_us, (), answer.error)
            self.dispatch.ledger.write(self._take_answer, task, task.spec, last)
