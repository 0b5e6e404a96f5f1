"""From due occurrences to runs and to their rows, as long as an engine is open."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from nbsession.core.errors import StoreError
from nbsession.core.schedule.instant import SECOND_US

from .attempts import Attempts
from .code_triggers import CodeAnswer, CodeTriggers
from .events import ChangeNotifier, RunWaiters
from .occurrences import claim_due, decide, due_after, moved_due
from .registry import TaskRegistry
from .store_writer import StoreWriter
from .timer import LOOK_SECONDS, DueTimer

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

BEAT_SECONDS = 5.0
PRUNE_SECONDS = 3600.0
PRUNE_SOON_SECONDS = 60.0
"""After the start, as many a server lives no hour; and while there is more to forget."""

_BLOCKED_SECONDS = 1.0
_MAX_IDLE_SECONDS = 0.05
_TURN_SECONDS = 1e-6


class Dispatcher:
    """Claims what is due and has it run; stores what has ended; follows what other engines do."""

    def __init__(
        self,
        store: Store,
        executor: Executor,
        clock: Clock,
        log: logging.Logger,
        can_run: Callable[[TaskSpec], bool],
    ) -> None:
        loop = self._loop = asyncio.get_running_loop()
        self._store = store
        self._executor = executor
        self._clock = clock
        self._log = log
        self._can_run = can_run
        self.registry = TaskRegistry()
        self.changes = ChangeNotifier(self.registry.find, loop, log)
        self.waiters = RunWaiters(store, loop)
        self.attempts = Attempts(executor, clock, loop, self._run_ended, self._run_changed)
        self._timer = DueTimer(clock, loop, self._wake, always=store.shared)
        self._writer = StoreWriter(loop, log, self._timer.wake_soon)
        self._code_triggers = CodeTriggers(executor, clock, loop, self._answered)
        self._ended: list[tuple[TaskRecord, Run]] = []
        self._queued: dict[int, tuple[TaskRecord, Run]] = {}
        self._not_runnable: dict[int, TaskRecord] = {}
        self._progressed: dict[int, Run] = {}
        self._working = False
        self._took_seconds = 0.0  # since the loop had time for other things
        now = loop.time()
        self._offset_us = clock.now_us() - round(now * SECOND_US)
        self._next_look = now + LOOK_SECONDS
        self._next_beat = now + BEAT_SECONDS
        self._next_prune = now + PRUNE_SOON_SECONDS

    def start(self) -> None:
        """Begin with what is due, once all tasks are known."""
        self._fix_grids(self._clock.now_us())
        self._timer.wake_soon()

    async def close(self) -> None:
        """End everything that runs here."""
        self._timer.close()
        self.attempts.close()
        await self._code_triggers.close()
        await self._executor.close()
        self.flush()
        self._writer.close()
        self.waiters.close()
        self.changes.close()

    # -- tasks -------------------------------------------------------------------------------------

    def add(self, task: TaskRecord) -> None:
        """Take up a new task, or one that was stored."""
        self.registry.add(task)
        self._plan(task)
        self.changes.task(task.spec.name)

    def reschedule(self, task: TaskRecord) -> None:
        """Wait for another occurrence of a task than before."""
        self._timer.note_void()
        self._plan(task)
        self.changes.task(task.spec.name)

    def remove(self, task: TaskRecord) -> None:
        """Forget a task that was removed, here or elsewhere, and cancel its runs."""
        if task not in self.registry:
            return
        self.registry.remove(task)
        task.due_us, task.asks = None, False
        self._timer.note_void()
        self._code_triggers.cancel(task)
        self._not_runnable.pop(task.id, None)
        self.attempts.cancel(task)
        _, run = self._queued.pop(task.id, (None, None))
        if run is not None:
            run.state, run.reason, run.ended_us = "failed", "cancelled", self._clock.now_us()
            self._run_ended(task, run)
        self._executor.forget(task)
        self.changes.task(task.spec.name)

    def remove_if_ended(self, task: TaskRecord) -> None:
        """Remove a task that was cancelled and has no run before it any more."""
        if task.ending and task.due_us is None and not task.asks and not task.open_runs:
            self._writer.write(self._store.tasks.remove, task)
            self.remove(task)

    def follow_others(self) -> None:
        """Take up what other engines have changed."""
        changes = self._store.tasks.changes() if self._store.shared else None
        if changes is None:
            return
        changed, removed = changes
        self._remove_ids(removed)  # first: in another database their ids may be those of others
        for task in changed:
            # Also if its occurrence looks the same: a store may have written it into this record.
            self.reschedule(self.registry.update(task))

    def _remove_ids(self, task_ids: list[int]) -> None:
        for task_id in task_ids:
            task = self.registry.get(task_id)
            if task is not None:
                self.remove(task)

    def _plan(self, task: TaskRecord, after_us: int | None = None) -> None:
        """Wait for a task's next occurrence, or ask its trigger's code for it."""
        self._code_triggers.cancel(task)
        self._not_runnable.pop(task.id, None)
        if not self._can_run(task.spec):
            self._not_runnable[task.id] = task
        elif task.asks:
            self._code_triggers.ask(task, after_us)
        else:
            self._timer.set(task)

    def _reread(self, task: TaskRecord) -> None:
        """Read a task again that another engine has changed."""
        found = self._store.tasks.get(task.id)
        if found is None:
            self.remove(task)
        else:
            self._plan(self.registry.update(found))
            self.changes.task(found.spec.name)

    def _has(self, task: TaskRecord, spec: TaskSpec) -> bool:
        """Return whether a task is there and has not been replaced since it had this spec."""
        return task in self.registry and task.spec is spec and not task.paused

    # -- what is due -------------------------------------------------------------------------------

    def _wake(self, began: float, now_us: int) -> float:
        """Do what is due; return the seconds until more is due, 0 for the next occurrence."""
        if began >= self._next_look:
            self._look(began, now_us)
        if not self._writer.is_clear:  # this is woken when it is
            return _BLOCKED_SECONDS
        deadline = began + BATCH_SECONDS
        self._working = True
        try:
            is_late = self.attempts.begin_until(deadline)
            are_all = False
            while not is_late and not are_all:
                tasks = self._timer.take(now_us, CLAIMS_AT_ONCE)
                are_all = len(tasks) < CLAIMS_AT_ONCE
                if tasks and not self._claim(tasks, now_us):
                    return _BLOCKED_SECONDS
                is_late = self.attempts.begin_until(deadline)
        finally:
            self._working = False
            self.flush()
        if not is_late and not self.attempts.waiting:
            self._took_seconds = 0.0
            return 0
        self._took_seconds += self._loop.time() - began
        if self._took_seconds < STRETCH_SECONDS:
            return _TURN_SECONDS
        took, self._took_seconds = self._took_seconds, 0.0
        return min(took * IDLE_PART, _MAX_IDLE_SECONDS)

    def _claim(self, tasks: list[TaskRecord], now_us: int) -> bool:
        claims = []
        for task in tasks:
            if not self._can_run(task.spec):
                self._not_runnable[task.id] = task  # another server may have what it needs
                continue
            try:
                claims.append(claim_due(task, now_us))
            except Exception as error:  # noqa: BLE001 - as of a time zone that was removed
                self._writer.write(self._store.tasks.set_due, task, None, repr(error))
                self.changes.task(task.spec.name)
        try:
            claimed = self._store.runs.claim(claims) if claims else []
        except Exception as error:
            for claim in claims:
                self._timer.set(claim.task)
            if not isinstance(error, StoreError):
                raise
            self._writer.failed(error)
            return False
        self._writer.succeeded()
        for claim, result in zip(claims, claimed, strict=True):
            self._settle(claim, result)
        return True

    def _settle(self, claim: Claim, claimed: Claimed) -> None:
        """Go on after a claim."""
        task, run = claim.task, claimed.run
        if not claimed.won:
            self._writer.write(self._reread, task)
            return
        if task.due_us is not None:
            self._timer.set(task)
        elif task.asks:
            self._code_triggers.ask(task, claim.run_due_us)
        for gap in claimed.gaps:
            self.changes.gap(gap)
        if run is None or run.state == "skipped":
            self.changes.task(task.spec.name)
        else:
            run.reason = claim.late
            self.begin(task, run)
        if task.ending:
            if run is not None and run.state == "skipped":
                self._writer.write(self._give_another, task, claim.run_due_us)
            else:
                self.remove_if_ended(task)

    def _give_another(self, task: TaskRecord, after_us: int) -> None:
        """Give an ending task the occurrence after one that was skipped."""
        due_us, asks = due_after(task.spec, after_us)
        self._store.tasks.pause(task, paused=False, due_us=due_us, asks=asks)
        self._plan(task, after_us)
        self.remove_if_ended(task)

    # -- triggers that are code --------------------------------------------------------------------

    def _answered(self, task: TaskRecord, answer: CodeAnswer) -> None:
        if task.asks and task in self.registry:
            self._writer.write(self._store_answer, task, task.spec, answer)

    def _store_answer(self, task: TaskRecord, spec: TaskSpec, answer: CodeAnswer) -> None:
        if not self._has(task, spec):  # changed while the store could not be written
            return
        due_us = answer.late[0].first_us if answer.late else answer.due_us
        if not self._store.tasks.set_due(task, due_us, None if answer.late else answer.error):
            self._writer.write(self._reread, task)
        elif answer.late:
            self._claim_late(task, answer)
        else:
            self._timer.set(task)
            self.changes.task(task.spec.name)
            self.remove_if_ended(task)

    def _claim_late(self, task: TaskRecord, answer: CodeAnswer) -> None:
        *missed, (_, last_us, _) = answer.late
        now_us = self._clock.now_us()
        claim = decide(task, last_us, missed, now_us, answer.due_us, asks=False)
        self._settle(claim, self._store.runs.claim([claim])[0])
        self._timer.wake_soon()  # it did not wake for this: what was claimed waits to begin
        if answer.error is not None:
            self._writer.write(self._store_answer, task, task.spec, answer._replace(late=()))

    # -- runs --------------------------------------------------------------------------------------

    def begin(self, task: TaskRecord, run: Run) -> None:
        """Begin or queue the run of a task's new row, by its state."""
        if run.state == "running":
            self.attempts.add(run, task)
            self._timer.wake_soon()
        elif run.state == "queued":
            self._queued[task.id] = task, run
        self.changes.run(run)

    def flush(self) -> None:
        """Store the runs that have ended, begin queued ones, and remove tasks that have ended."""
        if self._ended:
            ended, self._ended = self._ended, []
            self._writer.write(self._store.runs.finish, ended)
            if self._writer.is_clear:
                self._after(ended)
            else:
                self._writer.write(self._after, ended)

    def _run_changed(self, run: Run) -> None:
        self._progressed[run.id] = run  # stored with the next look
        self.changes.run(run)

    def _run_ended(self, task: TaskRecord, run: Run) -> None:
        if not self._ended and not self._working:
            self._loop.call_soon(self.flush)
        self._ended.append((task, run))

    def _after(self, ended: list[tuple[TaskRecord, Run]]) -> None:
        for task, run in ended:
            self.changes.run(run)
            self.waiters.ended(run)
            if task.id in self._queued:
                self._writer.write(self._begin_queued, task)
            if task.ending:
                self.remove_if_ended(task)

    def _begin_queued(self, task: TaskRecord) -> None:
        run = self._store.runs.start_queued(task, self._clock.now_us())
        if run is not None:
            self._queued.pop(task.id, None)
            self.begin(task, run)
        elif task.id in self._queued:
            row = self._store.runs.get(self._queued[task.id][1].id)
            if row is None or row.state != "queued":  # another engine took this one for dead
                del self._queued[task.id]

    # -- once a second -----------------------------------------------------------------------------

    def _look(self, now: float, now_us: int) -> None:
        self._next_look = now + LOOK_SECONDS
        offset_us = now_us - round(now * SECOND_US)
        was_set_back = offset_us < self._offset_us - SECOND_US
        self._offset_us = offset_us
        if was_set_back:
            self._try(lambda: self._fix_grids(now_us))
        if self._store.shared:
            self._try(self._follow_file)
        if self._writer.is_clear:
            self._try(lambda: self._maintain(now))

    def _try(self, part: Callable[[], object]) -> None:
        """Call a part of a look so that its error does not stop the next parts."""
        try:
            part()
        except StoreError as error:
            self._writer.failed(error)
        except Exception:  # noqa: BLE001 - the next look may do better
            self._log.exception("nbsession: the scheduler could not look after its tasks")

    def _fix_grids(self, now_us: int) -> None:
        """Bring occurrences nearer that a clock set back has moved away."""
        for task in list(self.registry):
            due_us = moved_due(task.spec, task.due_us, now_us, task.last_run_us)
            if due_us is not None and self._can_run(task.spec):
                self._writer.write(self._move, task, task.spec, due_us)

    def _move(self, task: TaskRecord, spec: TaskSpec, due_us: int) -> None:
        if self._has(task, spec):
            if self._store.tasks.set_due(task, due_us, None):
                self.reschedule(task)
            else:
                self._writer.write(self._reread, task)

    def _follow_file(self) -> None:
        """Look for the store's file, also while it cannot be written to: that may be why."""
        if self._store.follow_file():
            self.follow_others()

    def _maintain(self, now: float) -> None:
        self._store_progress()
        if self._store.shared:
            self._share(now)
        if now >= self._next_prune:
            removed, is_more = self._store.prune()
            self._next_prune = now + (PRUNE_SOON_SECONDS if is_more else PRUNE_SECONDS)
            self._remove_ids(removed)

    def _store_progress(self) -> None:
        progressed, self._progressed = self._progressed, {}
        try:
            if progressed:
                self._store.runs.update(progressed.values())
        except StoreError:
            self._progressed = progressed | self._progressed
            raise
        except Exception:  # noqa: BLE001 - the progress of a run must not stop the heartbeat
            self._log.exception("nbsession: the progress of runs could not be stored")

    def _share(self, now: float) -> None:
        if now >= self._next_beat:
            for run in self._store.beat():
                self.changes.run(run)
            for task in [task for task in self._not_runnable.values() if self._can_run(task.spec)]:
                self._plan(task)  # a disk may have come late
            self._next_beat = now + BEAT_SECONDS
        self.follow_others()
        for task, _ in list(self._queued.values()):
            self._writer.write(self._begin_queued, task)
        self.waiters.look()
