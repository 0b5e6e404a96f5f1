"""Calling the tasks' own callables in this process, on the engine's loop."""

from __future__ import annotations

import asyncio
import contextvars
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from nbsession.core.callables import is_async
from nbsession.core.schedule.instant import from_instant
from nbsession.core.schedule.triggers import CodeTrigger
from nbsession.core.tasks.run import CurrentRun, current_run
from nbsession.scheduler.abc import Outcome, abandoned, failed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from nbsession.core.schedule.clock import Clock
    from nbsession.core.tasks.run import Run
    from nbsession.core.tasks.spec import Target, TaskSpec
    from nbsession.scheduler.abc import RunListener
    from nbsession.scheduler.records import TaskRecord

MAX_THREADS = 64


class InlineExecutor:
    """An `Executor` for local callables: sync ones are called at once, async ones are tasks.

    With the policy `threaded` sync ones run in a thread. What they print is not captured.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._awaited: dict[int, asyncio.Task[object]] = {}
        self._listeners: dict[int, RunListener] = {}
        self._reasons: dict[int, str] = {}
        self._threads: ThreadPoolExecutor | None = None

    def start(self, run: Run, task: TaskRecord, attempt: int, listener: RunListener) -> None:
        """Call the task's target; the listener is told of its end, perhaps before this returns."""
        spec = task.spec
        function = _callable(spec.target)
        loop = asyncio.get_running_loop()

        def report(fraction: float, text: str) -> None:
            loop.call_soon_threadsafe(listener.progressed, run.id, fraction, text)

        current = CurrentRun(run.id, run.task, run.due_us, attempt, report)
        context = contextvars.copy_context()
        started_us = self._clock.now_us()
        if spec.policies.threaded and not is_async(function):
            if self._threads is None:
                self._threads = ThreadPoolExecutor(MAX_THREADS, "nbsession-task")
            end = partial(self._end_in_thread, loop, listener, run.id, started_us)
            done = self._threads.submit(context.run, _call, current, function, spec)
            done.add_done_callback(end)
            return
        try:
            result = context.run(_call, current, function, spec)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - told of the run
            frames = _frames(error, 2)
            listener.ended(run.id, failed(error, self._clock.now_us(), started_us, frames=frames))
            return
        if result is None or not isawaitable(result):
            listener.ended(run.id, Outcome("succeeded", started_us, self._clock.now_us()))
            return
        self._listeners[run.id] = listener
        awaited = self._awaited[run.id] = loop.create_task(_wait(result), context=context)
        awaited.add_done_callback(partial(self._end_awaited, listener, run.id, started_us))

    def cancel(self, run_id: int, reason: str) -> None:
        """Cancel a run that is async; a sync one in a thread goes on to its own end."""
        if future := self._awaited.get(run_id):
            self._reasons[run_id] = reason
            future.cancel()

    def abandon(self, run_id: int, reason: str) -> None:
        """Tell the end of a run whose coroutine has not ended."""
        if listener := self._listeners.get(run_id):
            listener.ended(run_id, Outcome("failed", reason=abandoned(reason)))

    async def next_instant(self, task: TaskRecord, now_us: int) -> int | None:
        """Ask the code of a trigger for its next instant; raise what it raises."""
        spec = task.spec
        if spec.at_target is None or not isinstance(spec.trigger, CodeTrigger):
            message = f"the task {spec.name!r} has no trigger that is code"
            raise TypeError(message)
        code: Any = _callable(spec.at_target)
        if spec.trigger.kind == "iterator":
            return spec.trigger.read_answer(next(code, None))
        return spec.trigger.read_answer(code(from_instant(now_us)))

    def forget(self, task: TaskRecord) -> None:
        """Do nothing: nothing is kept of a task."""

    async def close(self) -> None:
        """Cancel what is async and wait for its end."""
        for run_id in list(self._awaited):
            self.cancel(run_id, "cancelled")
        await asyncio.gather(*self._awaited.values(), return_exceptions=True)
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _end_in_thread(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: RunListener,
        run_id: int,
        started_us: int,
        done: Future[object],
    ) -> None:
        outcome = self._outcome(done, started_us, None, skip=2)
        with suppress(RuntimeError):  # the loop is closed: nobody listens
            loop.call_soon_threadsafe(listener.ended, run_id, outcome)

    def _end_awaited(
        self, listener: RunListener, run_id: int, started_us: int, done: asyncio.Task[object]
    ) -> None:
        del self._awaited[run_id], self._listeners[run_id]
        reason = self._reasons.pop(run_id, None)
        listener.ended(run_id, self._outcome(done, started_us, reason, skip=1))

    def _outcome(
        self,
        done: Future[object] | asyncio.Task[object],
        started_us: int,
        reason: str | None,
        skip: int,
    ) -> Outcome:
        ended_us = self._clock.now_us()
        if done.cancelled():
            return Outcome("failed", started_us, ended_us, reason=reason or "cancelled")
        error = done.exception()
        if error is not None:
            return failed(error, ended_us, started_us, reason, _frames(error, skip))
        return Outcome("succeeded", started_us, ended_us)


def _frames(error: BaseException, skip: int) -> TracebackType | None:
    """Return a traceback's frames without our own, which are the first ones."""
    frames = error.__traceback__
    for _ in range(skip):
        frames = frames and frames.tb_next
    return frames


async def _wait(result: Awaitable[object]) -> object:
    return await result


def _call(current: CurrentRun, function: Callable[..., object], spec: TaskSpec) -> object:
    current_run.set(current)  # in a context of its own
    return function(*spec.args, **spec.kwargs)


def _callable(target: Target) -> Callable[..., Any]:
    if target.callable is None:
        message = f"{target.label} is a reference; only local callables can be called here"
        raise TypeError(message)
    return target.callable
