"""Open runs of an engine: tries, retries, time limits, their ends."""

from __future__ import annotations

from collections import deque
from contextvars import Context
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbsession.core.tasks.run import current_run
from nbsession.scheduler.abc import failed

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from nbsession.core.schedule.clock import Clock
    from nbsession.core.tasks.run import Run
    from nbsession.scheduler.abc import Executor, Outcome
    from nbsession.scheduler.records import TaskRecord

MAX_RETRY_SECONDS = 60

ABANDON_SECONDS = 5.0
"""The longest that a callback may take to end once it was cancelled."""


@dataclass(slots=True, eq=False)
class Attempt:
    """An open run of this engine, and its tries."""

    run: Run
    task: TaskRecord
    late: str | None
    is_begun: bool = False
    cancelled_for: str | None = None
    abandon: asyncio.TimerHandle | None = None
    deadline: asyncio.TimerHandle | None = None
    retry: asyncio.TimerHandle | None = None

    def cancel_timers(self) -> None:
        """Fire no timer any more."""
        for timer in (self.abandon, self.deadline, self.retry):
            if timer is not None:
                timer.cancel()


class Attempts:
    """Gives claimed runs to an executor, and sees them through to their ends: a `RunListener`."""

    def __init__(
        self,
        executor: Executor,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        finished: Callable[[TaskRecord, Run], None],
        changed: Callable[[Run], None],
    ) -> None:
        self._executor = executor
        self._clock = clock
        self._loop = loop
        self._finished = finished
        self._changed = changed
        self._open: dict[int, Attempt] = {}
        self._by_task: dict[int, dict[int, Attempt]] = {}
        self._closed = False
        self.waiting: deque[Attempt] = deque()

    def open_runs(self, task: TaskRecord) -> list[Run]:
        """Return a task's runs that are open here."""
        return [attempt.run for attempt in self._by_task.get(task.id, {}).values()]

    def begun(self) -> list[int]:
        """Return the ids of the runs whose callables are being called and are to go on."""
        # The code of one that was told to end may go on for ever, in a thread.
        return [
            run_id
            for run_id, attempt in self._open.items()
            if attempt.is_begun and attempt.cancelled_for is None
        ]

    def open_run(self, run_id: int) -> Run | None:
        """Return a run that is open here, with progress that its row may not have yet."""
        attempt = self._open.get(run_id)
        return None if attempt is None else attempt.run

    def add(self, run: Run, task: TaskRecord) -> None:
        """Take up a run that its store says is running; it begins with `begin_until`."""
        attempt = self._open[run.id] = Attempt(run, task, run.reason)
        self._by_task.setdefault(task.id, {})[run.id] = attempt
        timeout_us = task.spec.policies.timeout_us
        if timeout_us is not None:
            attempt.deadline = self._loop.call_later(
                timeout_us / 1_000_000, self._cancel, attempt, "timeout"
            )
        self.waiting.append(attempt)

    def begin_until(self, deadline: float) -> bool:
        """Begin what waits for its turn, at least one; return whether it is past the deadline."""
        while self.waiting:
            attempt = self.waiting.popleft()
            if attempt.run.id in self._open:
                self._try(attempt)
                if self._loop.time() > deadline:
                    return True
        return False

    def cancel(self, task: TaskRecord) -> None:
        """Cancel a task's runs, but not the one whose code cancels the task."""
        current = current_run.get()
        for attempt in list(self._by_task.get(task.id, {}).values()):
            if current is None or current.id != attempt.run.id:
                self._cancel(attempt, "cancelled")

    def close(self) -> None:
        """Begin nothing any more; runs that the executor has may still come to their ends."""
        self._closed = True
        self.waiting.clear()
        for attempt in self._open.values():
            attempt.cancel_timers()

    def abandon(self) -> None:
        """Begin nothing any more, and note no end: the loop is closed."""
        self.close()
        self._open.clear()
        self._by_task.clear()

    def progressed(self, run_id: int, fraction: float, text: str) -> None:
        """Note how far a task says it has come."""
        if attempt := self._open.get(run_id):
            attempt.run.progress, attempt.run.progress_text = fraction, text
            self._changed(attempt.run)

    def ended(self, run_id: int, outcome: Outcome) -> None:
        """Note that a try has ended; begin the next one later, or finish the run."""
        attempt = self._open.get(run_id)
        if attempt is None:
            return
        run = attempt.run
        attempt.is_begun = False
        run.reason = outcome.reason or attempt.late
        run.error, run.traceback = outcome.error, outcome.traceback
        run.output = outcome.output
        if run.tries == 1 and outcome.started_us is not None:
            run.started_us = outcome.started_us
        if outcome.state == "failed":
            is_final = attempt.cancelled_for or self._closed
            if not is_final and run.tries <= attempt.task.spec.policies.retries:
                self._try_later(attempt)
                return
            if attempt.cancelled_for and not (outcome.reason or "").startswith(
                attempt.cancelled_for
            ):
                run.reason = attempt.cancelled_for
        elif attempt.cancelled_for == "timeout" and outcome.state == "succeeded":
            run.state, run.reason = "failed", "timeout"
            self._finish(attempt, outcome.ended_us)
            return
        run.state = outcome.state
        self._finish(attempt, outcome.ended_us)

    def _try(self, attempt: Attempt) -> None:
        attempt.is_begun, attempt.retry = True, None
        run = attempt.run
        try:
            self._executor.start(run, attempt.task, run.tries, self)
        except Exception as error:  # noqa: BLE001 - an executor that fails is a run that fails
            self.ended(run.id, failed(error, self._clock.now_us()))

    def _try_later(self, attempt: Attempt) -> None:
        delay = min(2.0 ** min(attempt.run.tries - 1, 10), MAX_RETRY_SECONDS)
        attempt.retry = self._loop.call_later(delay, self._try_again, attempt)
        self._changed(attempt.run)

    def _try_again(self, attempt: Attempt) -> None:
        attempt.run.tries += 1
        self._changed(attempt.run)
        self._try(attempt)

    def _cancel(self, attempt: Attempt, reason: str) -> None:
        if attempt.cancelled_for is not None:
            return
        attempt.cancelled_for = reason
        if attempt.is_begun:
            attempt.abandon = self._loop.call_later(
                ABANDON_SECONDS, self._executor.abandon, attempt.run.id, reason, context=Context()
            )
            self._executor.cancel(attempt.run.id, reason)
        else:
            attempt.run.state, attempt.run.reason = "failed", reason
            self._finish(attempt, None)

    def _finish(self, attempt: Attempt, ended_us: int | None) -> None:
        run = attempt.run
        run.ended_us = self._clock.now_us() if ended_us is None else ended_us
        del self._open[run.id]
        siblings = self._by_task[attempt.task.id]
        del siblings[run.id]
        if not siblings:
            del self._by_task[attempt.task.id]
        attempt.cancel_timers()
        self._finished(attempt.task, run)
