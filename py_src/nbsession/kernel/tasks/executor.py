"""Calls the callables of this kernel's own tasks."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any

from nbsession.core.callables import is_same, name_of
from nbsession.core.schedule.instant import from_instant
from nbsession.core.schedule.triggers import CodeTrigger
from nbsession.core.tasks.run import CurrentRun, current_run
from nbsession.core.tasks.spec import Target
from nbsession.core.tracebacks import traceback_from_user_code
from nbsession.kernel.runtime.runner import Awaiting, ErrorDisplay
from nbsession.scheduler.abc import Outcome, abandoned, failed

if TYPE_CHECKING:
    from nbsession.core.schedule.clock import Clock
    from nbsession.core.tasks.run import Run
    from nbsession.core.tasks.spec import TaskSpec
    from nbsession.kernel.runtime.runner import CallbackRunner
    from nbsession.scheduler.abc import RunListener
    from nbsession.scheduler.records import TaskRecord


class TaskCode:
    """A callable, or an iterator of times; the code of a cell that runs again takes its place."""

    __slots__ = ("_errors", "code", "context")

    def __init__(self, code: Any, context: Context) -> None:
        self.code = code
        self.context = context
        self._errors = ErrorDisplay()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.code(*args, **kwargs)

    @classmethod
    def target(cls, code: Any, context: Context) -> Target:
        """Return the target of a task that calls it."""
        module, qualname = name_of(code)
        return Target("local", module, qualname, cls(code, context))

    def is_same(self, other: TaskCode) -> bool:
        """Return whether another one may take its place silently."""
        return is_same(self.code, other.code)

    def become(self, other: TaskCode) -> None:
        """Take another one's place."""
        self.code, self.context = other.code, other.context
        self._errors.restart()

    def show(self, error: BaseException) -> None:
        """Show an error in its cell, unless it is the one just shown; in the context of the run."""
        self._errors.show(error)


def code_of(target: Target | None) -> TaskCode | None:
    """Return the code of a target of this process."""
    code = None if target is None else target.callable
    return code if isinstance(code, TaskCode) else None


_EMPTY = Context()

_CLOSE_SECONDS = 1.0
_LOOK_SECONDS = 0.01


class CallbackExecutor:
    """Runs tasks as this session's callbacks: sync and async ones on the main loop, or in threads.

    What a run prints goes to the cell that scheduled the task, at once; it is not kept in its row.
    """

    def __init__(self, runner: CallbackRunner, clock: Clock) -> None:
        self.runner = runner
        self.clock = clock
        self.loop = runner.main_loop.loop  # the engine's; outside a kernel another may take over
        self.calls: dict[int, _Call] = {}

    def start(self, run: Run, task: TaskRecord, attempt: int, listener: RunListener) -> None:
        code = code_of(task.spec.target)
        if code is None:
            message = f"{task.spec.target.label} is not of this process"
            listener.ended(run.id, Outcome("failed", error=f"RuntimeError: {message}"))
            return
        call = self.calls[run.id] = _Call(self, code, run, task.spec, attempt, listener)
        if not task.spec.policies.threaded:
            run_on_loop = partial(self.runner.run, call, context=code.context, done=call.end)
            code.context.copy().run(run_on_loop)
            return
        try:
            self.runner.run_in_thread(call, context=code.context, done=call.end_in_thread)
        except RuntimeError as error:  # no more threads
            call.end(None, error)

    def cancel(self, run_id: int, reason: str) -> None:
        call = self.calls.get(run_id)
        if call is not None:
            call.cancel(reason)

    def abandon(self, run_id: int, reason: str) -> None:
        call = self.calls.get(run_id)
        if call is not None and call.is_awaited:
            del self.calls[run_id]
            call.abandon(reason)

    async def next_instant(self, task: TaskRecord, now_us: int) -> int | None:
        trigger, code = task.spec.trigger, code_of(task.spec.at_target)
        assert isinstance(trigger, CodeTrigger)  # noqa: S101 - only such a trigger is asked
        assert code is not None  # noqa: S101 - it came with one
        with self.runner.busy:
            try:
                return trigger.read_answer(code.context.copy().run(_ask, code.code, now_us))
            except Exception as error:
                code.context.copy().run(code.show, error)
                raise

    def forget(self, task: TaskRecord) -> None:
        pass  # the code ends with the task

    async def close(self) -> None:
        """Cancel what can be, and wait for the ends of what is async on the loop."""
        for call in tuple(self.calls.values()):
            call.cancel("cancelled")
        deadline = self.runner.main_loop.time() + _CLOSE_SECONDS
        while any(call.is_awaited for call in self.calls.values()):
            if self.runner.main_loop.time() > deadline:  # it does not let itself be cancelled
                return
            await asyncio.sleep(_LOOK_SECONDS)


def _ask(code: Any, now_us: int) -> object:
    return next(code, None) if isinstance(code, Iterator) else code(from_instant(now_us))


class _Call:
    """One try of a run."""

    def __init__(  # noqa: PLR0913, PLR0917 - all of them come from `start`
        self,
        executor: CallbackExecutor,
        code: TaskCode,
        run: Run,
        spec: TaskSpec,
        attempt: int,
        listener: RunListener,
    ) -> None:
        self.code = code
        self._executor = executor
        self._function = code.code  # the one of now, should the cell run again meanwhile
        self._spec = spec
        self._run_id = run.id
        self._listener = listener
        self._current = CurrentRun(run.id, spec.name, run.due_us, attempt, self._report)
        self._started_us: int | None = None
        self._reason: str | None = None
        self._awaiting = Awaiting()
        self._is_abandoned = False

    @property
    def is_awaited(self) -> bool:
        """Return whether it is async and has not ended."""
        return self._awaiting.task is not None

    def __call__(self) -> Any:
        self._started_us = self._executor.clock.now_us()
        current_run.set(self._current)  # the context is this call's own copy
        result = self._function(*self._spec.args, **self._spec.kwargs)
        return self._awaiting.run(result) if inspect.isawaitable(result) else result

    def cancel(self, reason: str) -> None:
        """End it if that can be done; on the main loop's thread."""
        self._reason = reason
        self._awaiting.cancel()

    def abandon(self, reason: str) -> None:
        """Notify the listener that it has not ended in time; on the loop."""
        self._is_abandoned = True
        times = (self._started_us, self._executor.clock.now_us())
        self._listener.ended(self._run_id, Outcome("failed", *times, reason=abandoned(reason)))

    def end_in_thread(self, result: Any, error: BaseException | None) -> None:
        """Hand its end to the loop, from its thread."""
        if error is not None and not isinstance(error, asyncio.CancelledError):
            self.code.show(error)
        with suppress(RuntimeError):  # the loop is closed
            loop = self._executor.loop
            loop.call_soon_threadsafe(self.end, result, error, context=_EMPTY.copy())

    def end(self, _result: Any, error: BaseException | None) -> None:
        """Notify the listener of its end; on the loop."""
        self._executor.calls.pop(self._run_id, None)
        outcome = self._outcome(error)
        if error is not None and not isinstance(error, asyncio.CancelledError):
            self.code.show(error)
        if not self._is_abandoned:
            self._listener.ended(self._run_id, outcome)

    def _outcome(self, error: BaseException | None) -> Outcome:
        times = (self._started_us, self._executor.clock.now_us())
        if error is None:
            return Outcome("succeeded", *times)
        if isinstance(error, asyncio.CancelledError):
            return Outcome("failed", *times, reason=self._reason or "cancelled")
        return failed(error, times[1], times[0], frames=traceback_from_user_code(error))

    def _report(self, fraction: float, text: str) -> None:
        """Notify the listener of progress; from any thread."""
        loop = self._executor.loop
        if loop.is_closed():
            return
        if self._executor.runner.main_loop.is_here():
            self._listener.progressed(self._run_id, fraction, text)
            return
        with suppress(RuntimeError):  # it has closed meanwhile
            loop.call_soon_threadsafe(
                self._listener.progressed, self._run_id, fraction, text, context=_EMPTY.copy()
            )
