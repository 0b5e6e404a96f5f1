"""The parts of an engine, and what they tell each other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .dispatch import Dispatch
from .news import News
from .occurrences import decide, due_after
from .questions import Answer
from .run_waiters import RunWaiters
from .task_book import TaskBook
from .upkeep import Upkeep

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from nbsession.core.clock import Clock
    from nbsession.core.run import Run
    from nbsession.core.task_spec import TaskSpec

    from .abc import Executor, Store
    from .task_record import TaskRecord


class EngineRoom:
    """What is behind an engine while it is open.

    Parameters
    ----------
    store, executor, clock, log
        The engine's.
    can_run
        Whether the engine may run a task, or ask its code.

    Attributes
    ----------
    book
        The tasks that are known.
    parked
        By task, the next occurrence that its code had said when it was paused.
    news, dispatch, waiters, upkeep
        What works on them.
    """

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
