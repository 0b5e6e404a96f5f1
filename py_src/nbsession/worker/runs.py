"""The runs of this worker: where each is called, and how it is ended."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import suppress
from contextvars import Context
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, NamedTuple

from .process_run import ProcessRun
from .run import WorkerRun

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Awaitable, Callable, Mapping

    from nbsession.scheduler.workers.flags import BegunFlags

    from .callables import Call, Targets
    from .channel import Channel
    from .directory import WorkingDirectory
    from .guard import Guard
    from .threads import ThreadPool


class Tools(NamedTuple):
    """What calling callables takes."""

    channel: Channel
    loop: AbstractEventLoop
    pool: ThreadPool
    own_pool: ThreadPool
    guard: Guard
    flags: BegunFlags | None
    directory: WorkingDirectory


class Runs:
    """Calls async callables on the loop, sync ones in threads, and some in their own processes.

    Those that are to keep off the main thread are awaited on a loop in a thread.
    """

    def __init__(self, tools: Tools, targets: Targets, home: Mapping[str, Any]) -> None:
        self._channel, self._loop, self._pool, self._own_pool, self._guard = tools[:5]
        self._flags, self._directory = tools.flags, tools.directory
        self._targets = targets
        self._home = home
        self._runs: dict[int, WorkerRun] = {}
        self._uncancellable: set[int] = set()  # those in a sync callable
        self._processes: dict[int, ProcessRun] = {}
        self._lock = threading.Lock()

    def start(self, order: Mapping[str, Any]) -> None:
        """Begin a run; on any thread, which is not held up."""
        run = WorkerRun(order, self._channel, self._loop)
        try:
            if order["process"]:
                self._start_process(run)
            else:
                self._start_here(run)
        except RuntimeError as error:  # no thread can be started
            with self._lock:
                self._processes.pop(run.job, None)
            self._fail(run, error)

    def cancel(self, job: int, reason: str) -> None:
        """End a run, if it is one that can be ended; on any thread."""
        with self._lock:
            process = self._processes.get(job)
        if process is not None:
            process.kill(reason)
        else:
            self._loop.call_soon_threadsafe(self._cancel_here, job, reason)

    def abandon(self, order: Mapping[str, Any]) -> None:
        """End a run that has been cancelled in vain, whatever its code does; on any thread."""
        job = order["job"]
        if job in self._uncancellable:
            self._channel.send({"op": "goes_on", "job": job})
            return
        with self._lock:
            process = self._processes.get(job)
            run = self._runs.get(job) if process is None else process.run
        if run is None:  # its end is on its way
            return
        run.cancel_reason = order["reason"]  # what has not been called yet will not be
        has_begun = process is not None or run.has_started
        run.fail_with(reason=order["begun" if has_begun else "reason"])

    async def end_all(self, reason: str) -> None:
        """End every run that can be ended, and see the async ones off; on the loop."""
        self.kill_processes(reason)
        ends: list[asyncio.Future[None]] = []
        for run in list(self._runs.values()):
            self._cancel_here(run.job, reason)
            if run.left is not None:
                ends.append(asyncio.wrap_future(run.left))
            elif run.task is not None:
                ends.append(run.task)
        if ends:
            await asyncio.wait(ends)

    def kill_processes(self, reason: str) -> None:
        """Kill the processes of runs' own; on any thread."""
        with self._lock:
            processes = list(self._processes.values())
        for process in processes:
            process.kill(reason)

    def _start_process(self, run: WorkerRun) -> None:
        process = ProcessRun(run, self._channel, self._own_pool, self._guard, self._home)
        with self._lock:
            self._processes[run.job] = process
        self._pool.submit(lambda: self._supervise(process))

    def _start_here(self, run: WorkerRun) -> None:
        with self._lock:
            self._runs[run.job] = run
        call, order = self._targets.known(run.order), run.order
        if call is None or not call.is_async or order["threaded"]:
            self._pool.submit(
                lambda: Context().run(self._call_here, run, call),
                order["of"],
                stays=order["again"],
                ended=_tell,
            )
        else:
            self._loop.call_soon_threadsafe(self._begin_async, run, call)

    def _leave(self, run: WorkerRun) -> None:
        """Note that no code of a run is going any more."""
        with self._lock:
            self._runs.pop(run.job, None)
            if not self._runs:
                self._directory.restore()

    def _note_begun(self, run: WorkerRun) -> None:
        """Note that code of a run may be running from now on."""
        if self._flags is not None:
            self._flags.set(run.order["flag"])

    def _supervise(self, process: ProcessRun) -> None:
        self._note_begun(process.run)
        try:
            process.supervise()
        except Exception as error:  # noqa: BLE001 - a child may say anything
            process.run.fail(error)
        finally:
            with self._lock:
                self._processes.pop(process.run.job, None)

    def _call_here(self, run: WorkerRun, call: Call | None) -> Callable[[], None] | None:
        """Call a sync callable in this thread; have an async one awaited where it is to be.

        Return what tells the end, for when the thread is free.
        """
        run.enter()
        try:
            if call is None:  # what is imported is the run's code too
                self._note_begun(run)
            rest = self._call(run, self._targets.load(run.order) if call is None else call)
            if rest is not None:
                self._begin_where_due(run, rest)
                return None
        except BaseException as error:  # noqa: BLE001 - SystemExit too ends the run, not us
            self._leave(run)
            return partial(run.fail, error)
        self._leave(run)
        return run.succeed

    def _call(self, run: WorkerRun, call: Call) -> Callable[[], Awaitable[Any]] | None:
        """Call a sync callable; return what gives the coroutine that is to be awaited, if any."""
        if call.is_async:
            return partial(call.function, *call.args, **call.kwargs)
        _check_wanted(run)
        self._note_begun(run)
        run.started()
        self._uncancellable.add(run.job)
        try:
            result = call.function(*call.args, **call.kwargs)
        finally:
            self._uncancellable.discard(run.job)
        return (lambda: result) if result is not None and isawaitable(result) else None

    def _fail(self, run: WorkerRun, error: BaseException) -> None:
        self._leave(run)
        run.fail(error)

    def _begin_where_due(self, run: WorkerRun, call: Callable[[], Awaitable[Any]]) -> None:
        if not run.order["threaded"]:
            self._loop.call_soon_threadsafe(self._begin, run, call)
            return
        left = run.left = Future()
        try:
            with asyncio.Runner() as runner:
                run.loop = runner.get_loop()
                try:
                    runner.run(self._await(run, call), context=Context())
                except BaseException as error:  # noqa: BLE001 - SystemExit of a task beside it
                    # Now: at the loop's end the run is only cancelled, which tells no cause.
                    self._fail(run, error)
        finally:
            left.set_result(None)

    def _begin_async(self, run: WorkerRun, call: Call) -> None:
        self._begin(run, lambda: call.function(*call.args, **call.kwargs))

    def _begin(self, run: WorkerRun, call: Callable[[], Awaitable[Any]]) -> None:
        run.task = self._loop.create_task(self._await(run, call), context=Context())

    async def _await(self, run: WorkerRun, call: Callable[[], Awaitable[Any]]) -> None:
        run.enter()
        run.task = asyncio.current_task()
        run.is_awaited = True
        try:
            _check_wanted(run)
            self._note_begun(run)
            run.started()
            await call()
        except BaseException as error:  # noqa: BLE001 - SystemExit too ends the run, not the loop
            self._fail(run, error)
        else:
            self._leave(run)
            run.succeed()
        finally:
            run.task = None  # which would refer to itself through this frame

    def _cancel_here(self, job: int, reason: str) -> None:
        run = self._runs.get(job)
        if run is None:
            return
        run.cancel_reason = reason
        task = run.task
        if task is None or not run.is_awaited:  # it will see the reason by itself
            return
        if run.loop is self._loop:
            task.cancel()
        else:
            with suppress(RuntimeError):  # that loop is closed: the run has ended
                run.loop.call_soon_threadsafe(task.cancel)


def _tell(end: Callable[[], None] | None) -> None:
    if end is not None:
        end()


def _check_wanted(run: WorkerRun) -> None:
    """Raise what ends a run that was cancelled before its callable could be called."""
    if run.cancel_reason is not None:
        raise asyncio.CancelledError
