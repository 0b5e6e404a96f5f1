"""Calling the callables of this kernel's own tasks."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from contextlib import suppress
from contextvars import Context
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
        """Call the callable."""
        return self.code(*args, **kwargs)

    @classmethod
    def target(cls, code: Any, context: Context) -> Target:
        """Return the target of a task that calls it."""
        module, qualname = name_of(code)
        return Target("local", module, qualname, cls(code, context))

    def is_same(self, other: TaskCode) -> bool:
        """Return whether another one may take its place without a word."""
        return is_same(self.code, other.code)

    def become(self, other: TaskCode) -> None:
        """Be another one from now on."""
        self.code, self.context = other.code, other.context
        self._errors.restart()

    def show(self, error: BaseException) -> None:
        """Show an error in its cell, unless it is the one just shown; in the context of the run."""
        self._errors.show(error)


def code_of(target: Target | None) -> TaskCode | None:
    """Return the code of a target of this process."""
    code = None if target is None else target.callable
    return code if isinstance(code, TaskCode) else None


_NOBODYS = Context()

_CLOSE_SECONDS = 1.0
_LOOK_SECONDS = 0.01


class CallbackExecutor:
    """Runs tasks as this session's callbacks: sync and async ones on the main loop, or in threads.

    What a run prints goes to the cell that scheduled the task, at once; it is not kept in its row.
    """

    def __init__(self, runner: CallbackRunner, clock: Clock) -> None:
        self._runner = runner
        self._clock = clock
        self._loop = runner.main_loop.loop  # the engine's; outside a kernel another may take over
        self._calls: dict[int, _Call] = {}

    def start(self, run: Run, task: TaskRecord, attempt: int, listener: RunListener) -> None:
        """Call the task's target, now or in a thread."""
        code = code_of(task.spec.target)
        if code is None:
            message = f"{task.spec.target.label} is not of this process"
            listener.ended(run.id, Outcome("failed", error=f"RuntimeError: {message}"))
            return
        call = self._calls[run.id] = _Call(self, code, run, task.spec, attempt, listener)
        if not task.spec.policies.threaded:
            code.context.copy().run(call.run_on_loop)
            return
        try:
            self._runner.run_in_thread(call, context=code.context, done=call.end_in_thread)
        except RuntimeError as error:  # no more threads
            call.end(None, error)

    def cancel(self, run_id: int, reason: str) -> None:
        """Cancel an async callable; a sync one goes on to its end."""
        call = self._calls.get(run_id)
        if call is not None:
            call.cancel(reason)

    def abandon(self, run_id: int, reason: str) -> None:
        """End the run of an async callable whose code goes on; a sync one comes to its own end."""
        call = self._calls.get(run_id)
        if call is not None and call.is_awaited:
            del self._calls[run_id]
            call.abandon(reason)

    async def next_instant(self, task: TaskRecord, now_us: int) -> int | None:
        """Ask the code of a trigger for its next instant; raise what it raises."""
        trigger, code = task.spec.trigger, code_of(task.spec.at_target)
        assert isinstance(trigger, CodeTrigger)  # noqa: S101 - only such a trigger is asked
        assert code is not None  # noqa: S101 - it came with one
        with self._runner.busy:
            try:
                return trigger.read_answer(code.context.copy().run(_ask, code.code, now_us))
            except Exception as error:
                code.context.copy().run(code.show, error)
                raise

    def forget(self, task: TaskRecord) -> None:
        """Do nothing: the code goes with the task."""

    async def close(self) -> None:
        """Cancel what can be, and wait for the ends of what is async on the loop."""
        for call in tuple(self._calls.values()):
            call.cancel("cancelled")
        deadline = self._runner.main_loop.time() + _CLOSE_SECONDS
        while any(call.is_awaited for call in self._calls.values()):
            if self._runner.main_loop.time() > deadline:  # it does not let itself be cancelled
                return
            await asyncio.sleep(_LOOK_SECONDS)

    def now_us(self) -> int:
        """Return the clock's time: an instant in µs since the epoch, UTC."""
        return self._clock.now_us()

    def run_on_loop(self, call: _Call) -> None:
        """Run a call now."""
        self._runner.run(call, context=call.code.context, done=call.end)

    def call_soon(self, call: _Call, result: Any, error: BaseException | None) -> None:
        """Have a call that was made in a thread ended on the loop."""
        self._loop.call_soon_threadsafe(call.end, result, error, context=_NOBODYS.copy())

    def report(self, listener: RunListener, run_id: int, fraction: float, text: str) -> None:
        """Tell a listener how far a run has come; from any thread."""
        if self._loop.is_closed():
            return
        if self._runner.main_loop.is_here():
            listener.progressed(run_id, fraction, text)
            return
        with suppress(RuntimeError):  # it has closed meanwhile
            self._loop.call_soon_threadsafe(
                listener.progressed, run_id, fraction, text, context=_NOBODYS.copy()
            )

    def drop(self, run_id: int) -> None:
        """Forget a call that has ended."""
        self._calls.pop(run_id, None)


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

    def run_on_loop(self) -> None:
        """Begin; on the loop, in the context of the cell."""
        self._executor.run_on_loop(self)

    def __call__(self) -> Any:
        self._started_us = self._executor.now_us()
        current_run.set(self._current)  # the context is this call's own copy
        result = self._function(*self._spec.args, **self._spec.kwargs)
        return self._awaiting.run(result) if inspect.isawaitable(result) else result

    def cancel(self, reason: str) -> None:
        """End it if that can be done; on the main loop's thread."""
        self._reason = reason
        self._awaiting.cancel()

    def abandon(self, reason: str) -> None:
        """Tell the listener that it has not ended in time; on the loop."""
        self._is_abandoned = True
        times = (self._started_us, self._executor.now_us())
        self._listener.ended(self._run_id, Outcome("failed", *times, reason=abandoned(reason)))

    def end_in_thread(self, result: Any, error: BaseException | None) -> None:
        """Tell the loop how it has ended, from its thread."""
        if error is not None and not isinstance(error, asyncio.CancelledError):
            self.code.show(error)
        try:
            self._executor.call_soon(self, result, error)
        except RuntimeError:  # the loop is closed
            return

    def end(self, _result: Any, error: BaseException | None) -> None:
        """Tell the listener how it has ended; on the loop."""
        self._executor.drop(self._run_id)
        outcome = self._outcome(error)
        if error is not None and not isinstance(error, asyncio.CancelledError):
            self.code.show(error)
        if not self._is_abandoned:
            self._listener.ended(self._run_id, outcome)

    def _outcome(self, error: BaseException | None) -> Outcome:
        times = (self._started_us, self._executor.now_us())
        if error is None:
            return Outcome("succeeded", *times)
        if isinstance(error, asyncio.CancelledError):
            return Outcome("failed", *times, reason=self._reason or "cancelled")
        return failed(error, times[1], times[0], frames=traceback_from_user_code(error))

    def _report(self, fraction: float, text: str) -> None:
        self._executor.report(self._listener, self._run_id, fraction, text)
