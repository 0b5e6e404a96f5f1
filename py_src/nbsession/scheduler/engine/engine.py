"""The engine: runs tasks when they are due."""

from __future__ import annotations

import contextlib
from dataclasses import replace as copy_with
from typing import TYPE_CHECKING

from nbsession.core.errors import NoSuchTaskError, NotRunnableError, StoreBusyError, TaskExistsError
from nbsession.core.schedule.triggers import OnceTrigger

from .dispatch import Dispatcher
from .occurrences import due_after, first_due

if TYPE_CHECKING:
    import asyncio
    import logging
    from collections.abc import Callable, Collection

    from nbsession.core.schedule.clock import Clock
    from nbsession.core.tasks.run import Run
    from nbsession.core.tasks.schema import Declared
    from nbsession.core.tasks.spec import TaskSpec
    from nbsession.scheduler.abc import Executor, Store
    from nbsession.scheduler.records import TaskRecord

    from .events import Changes


class Engine:
    """Runs tasks when they are due, by the rules that they were declared with.

    Every method is called on one event loop. Records are the engine's own, and change.
    """

    def __init__(
        self,
        store: Store,
        executor: Executor,
        clock: Clock,
        log: logging.Logger,
        *,
        can_run: Callable[[TaskSpec], bool] = lambda _spec: True,
    ) -> None:
        self._store = store
        self._executor = executor
        self._clock = clock
        self._log = log
        self.can_run = can_run

    def open(self) -> None:
        """Begin, on the running loop."""
        self._store.open()
        try:
            dispatcher = self._dispatcher = Dispatcher(
                self._store, self._executor, self._clock, self._log, self.can_run
            )
            self._registry = dispatcher.registry
            for task in self._store.tasks.load():
                dispatcher.add(task)
        except BaseException:
            self._store.close()
            raise
        dispatcher.start()

    async def close(self) -> None:
        """End everything that runs here; the tasks stay in their store."""
        try:
            await self._dispatcher.close()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """End without the loop, which is closed: open runs are lost, their ends are not noted."""
        self._dispatcher.attempts.abandon()
        self._store.close()

    # -- reading -----------------------------------------------------------------------------------

    def tasks(self) -> list[TaskRecord]:
        """Return every task that holds its name, in the order of names."""
        return self._registry.named()

    def find(self, name: str) -> TaskRecord | None:
        """Return the task that holds a name."""
        self._follow_others()
        return self._registry.find(name)

    def get(self, name: str, task_id: int | None = None) -> TaskRecord:
        """Return the task that holds a name; by an id also one that lost it not long ago."""
        self._follow_others()
        task = self._registry.find(name) if task_id is None else self._registry.get_any(task_id)
        if task is None:
            raise NoSuchTaskError(name)
        return task

    def open_run(self, task: TaskRecord) -> Run | None:
        """Return the newest run of a task that is open here."""
        if not task.open_runs:
            return None
        runs = self._dispatcher.attempts.open_runs(task)
        return max(runs, key=lambda run: run.id, default=None)

    def begun(self) -> list[int]:
        """Return the ids of the runs that go on here and have not been told to end."""
        return self._dispatcher.attempts.begun()

    def gap(self, task: TaskRecord) -> Run | None:
        """Return the row of what was missed or skipped of a task since a run began or ended."""
        return None if task.gap_id is None else self._store.runs.get(task.gap_id)

    def history(self, name: str, limit: int, task_id: int | None = None) -> list[Run]:
        """Return copies of a task's newest runs, the newest first; see `get`."""
        self._dispatcher.flush()
        rows = self._store.runs.history(self.get(name, task_id), limit)
        return [copy_with(self._dispatcher.attempts.open_run(run.id) or run) for run in rows]

    def run(self, run_id: int) -> Run | None:
        """Return a copy of a run."""
        self._dispatcher.flush()
        run = self._dispatcher.attempts.open_run(run_id) or self._store.runs.get(run_id)
        return None if run is None else copy_with(run)

    def finished(self, run_id: int) -> asyncio.Future[Run | None]:
        """Return a future of a copy of a run once it is final; of None if it is unknown."""
        return self._dispatcher.waiters.wait(run_id)

    def wait_no_more(self, run_id: int, finished: asyncio.Future[Run | None]) -> None:
        """Forget a future of `finished` for which nobody waits any more."""
        self._dispatcher.waiters.forget(run_id, finished)

    def subscribe(self, on_changes: Callable[[Changes], object]) -> Callable[[], None]:
        """Call with changes, once per turn of the loop; return a function that ends it."""
        return self._dispatcher.changes.subscribe(on_changes)

    def _follow_others(self) -> None:
        # While another process holds the database, nothing newer can be read.
        with contextlib.suppress(StoreBusyError):
            self._dispatcher.follow_others()

    # -- changing ----------------------------------------------------------------------------------

    def schedule(self, spec: TaskSpec, replace: bool = False) -> tuple[TaskRecord, Declared]:
        """Declare a task; idempotent by name."""
        self._dispatcher.follow_others()
        known = self._registry.find(spec.name)
        if known is None:
            return self._add(spec, replace)
        is_own = spec.owner is not None and spec.owner == known.spec.owner
        is_finished = known.state == "finished"
        if known.spec.is_same(spec) and (not is_finished or (is_own and _is_past(spec))):
            return known, "same"
        if not (replace or is_own or is_finished):
            return known, "exists"
        goes_on = is_own and known.spec.schedule == spec.schedule
        if self._replace(known, spec, goes_on=goes_on):
            return known, "replaced"
        self._dispatcher.remove(known)  # another engine has removed it just now
        return self._add(spec, replace)

    def _add(self, spec: TaskSpec, replace: bool) -> tuple[TaskRecord, Declared]:
        due_us, asks = first_due(spec, self._clock.now_us())
        outcome: Declared = "made"
        try:
            task = self._store.tasks.add(spec, due_us, asks=asks)
        except TaskExistsError:
            self._dispatcher.follow_others()
            if self._registry.find(spec.name) is not None:  # another engine was quicker
                return self.schedule(spec, replace)
            if not replace:
                raise TaskExistsError(
                    f"a task named {spec.name!r} is there, but cannot be read here (see the "
                    "server's log); replace=True replaces it"
                ) from None
            self._store.tasks.remove_named(spec.name)
            task, outcome = self._store.tasks.add(spec, due_us, asks=asks), "replaced"
        self._dispatcher.add(task)
        return task, outcome

    def _replace(self, task: TaskRecord, spec: TaskSpec, *, goes_on: bool) -> bool:
        due_us, asks = first_due(spec, self._clock.now_us())
        if goes_on and task.state != "finished":  # on the grid of the first declaration
            spec = copy_with(spec, trigger=task.spec.trigger)
            due_us, asks = task.due_us, task.asks
        if task.paused:
            due_us, asks = None, False
        if not self._store.tasks.replace(task, spec, due_us, asks=asks):
            return False
        self._registry.paused_due_us.pop(task.id, None)
        self._dispatcher.reschedule(task)
        return True

    def cancel(self, name: str, wait: bool = False) -> None:
        """Cancel a task, with `wait` after one more run; its name is free at once."""
        task = self.find(name)
        if task is None:
            if not self._store.tasks.remove_named(name):  # one that cannot be read here
                raise NoSuchTaskError(name)
        elif wait:
            self._store.tasks.end(task)
            self._registry.free_name(task)
            self._dispatcher.changes.task(name)
            self._dispatcher.remove_if_ended(task)
        else:
            self._store.tasks.remove(task)
            self._dispatcher.remove(task)

    def pause(self, name: str) -> TaskRecord:
        """Let nothing be due until `resume`; an open run goes on."""
        task = self.get(name)
        if not task.paused:
            due_us = task.due_us
            self._store.tasks.pause(task, paused=True, due_us=None, asks=False)
            if due_us is not None:
                self._registry.paused_due_us[task.id] = due_us
            self._dispatcher.reschedule(task)
        return task

    def resume(self, name: str) -> TaskRecord:
        """Go on: the next occurrence is the first one after now."""
        task = self.get(name)
        if task.paused:
            now_us, paused_due_us = self._clock.now_us(), self._registry.paused_due_us
            due_us, asks = due_after(task.spec, now_us)
            if asks and paused_due_us.get(task.id, 0) > now_us:
                due_us, asks = paused_due_us[task.id], False
            self._store.tasks.pause(task, paused=False, due_us=due_us, asks=asks)
            paused_due_us.pop(task.id, None)
            self._dispatcher.reschedule(task)
        return task

    def start(self, name: str) -> Run:
        """Run a task at once, by its overlap policy; return a copy of its row as it is now."""
        task = self.get(name)
        if not self.can_run(task.spec):
            raise NotRunnableError(name)
        self._dispatcher.flush()
        run = self._store.runs.start_by_hand(task, self._clock.now_us())
        self._dispatcher.begin(task, run)
        return copy_with(run)

    def run_now(self, name: str) -> asyncio.Future[Run | None]:
        """Run a task as `start` does; return a future of the run once it is final."""
        return self.finished(self.start(name).id)

    def retain(self, owner: str, names: Collection[str]) -> None:
        """Cancel the tasks that a setup script does not declare any more."""
        for task in self._registry.named():
            if task.spec.owner == owner and task.spec.name not in names:
                self.cancel(task.spec.name)


def _is_past(spec: TaskSpec) -> bool:
    """Return whether a task of this kind that has finished has nothing to do any more."""
    return isinstance(spec.trigger, OnceTrigger) and not spec.trigger.is_now
