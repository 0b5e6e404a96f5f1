"""The runs of this worker: where each is called, and how it is ended."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any

from nbsession.scheduler.workers.messages import BegunFlags
from nbsession.worker.output.capture import current_output

from .process_run import ProcessRun
from .run import WorkerRun

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Mapping

    from nbsession.worker.output.capture import RunOutput

    from .callables import Call, Targets
    from .channel import Channel
    from .guard import Guard
    from .run import Pending
    from .threads import ThreadPool

_WARNING = (
    "nbsession: this run has changed the working directory of its worker, which other tasks share; "
    "it is changed back when no run is going. Use process=True, which gives each run a process of "
    "its own, or absolute paths.\n"
)


class WorkingDirectory:
    """The directory that all runs share: warns of runs that change it, and changes it back."""

    def __init__(self) -> None:
        self._path: str | None = None
        self._warned: set[RunOutput] = set()
        self._chdir: Callable[[Any], None] = os.chdir

    def watch(self) -> None:
        """Warn of changes from now on; each run once, in its own output."""
        self._path = _current_directory()
        for name in ("chdir", "fchdir"):
            change = getattr(os, name, None)
            if change is not None:
                setattr(os, name, self._warning(change))

    def restore(self) -> None:
        """Change back to it; no run may be going."""
        self._warned.clear()
        if self._path is not None and _current_directory() != self._path:
            with suppress(OSError):  # it has been removed
                self._chdir(self._path)

    def _warning(self, change: Callable[[Any], None]) -> Callable[[Any], None]:
        def chdir(path: Any) -> None:
            change(path)
            output = current_output.get()  # which threads of a run have too
            if output is None or output in self._warned or _current_directory() == self._path:
                return
            self._warned = {each for each in self._warned if not each.is_closed} | {output}
            sys.stderr.write(_WARNING)

        chdir.__name__ = chdir.__qualname__ = change.__name__
        chdir.__doc__ = change.__doc__
        return chdir


def _current_directory() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - at the end of every run
    except OSError:  # it has been removed
        return None


class Runs:
    """Calls async callables on the loop, sync ones in threads, and some in their own processes.

    Those that are to keep off the main thread are awaited on a loop in a thread.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - all that calling callables takes
        self,
        channel: Channel,
        loop: AbstractEventLoop,
        pool: ThreadPool,
        own_pool: ThreadPool,
        guard: Guard,
        targets: Targets,
        home: Mapping[str, Any],
    ) -> None:
        self._channel = channel
        self._loop = loop
        self._pool = pool
        self._own_pool = own_pool
        self._guard = guard
        self._targets = targets
        self._home = home
        self._flags = None if home["flags"] is None else BegunFlags(home["flags"])
        if self._flags is not None:
            self._flags.close_file()
        self.directory = WorkingDirectory()
        self._runs: dict[int, WorkerRun] = {}
        self._processes: dict[int, ProcessRun] = {}
        self._lock = threading.Lock()

    def start(self, request: Mapping[str, Any]) -> None:
        """Begin a run; on any thread, which is not held up."""
        run = WorkerRun(request, self._channel, self._loop, self._note_begun, self._leave)
        try:
            if request["process"]:
                self._start_process(run)
            else:
                self._start_here(run)
        except RuntimeError as error:  # no thread can be started
            with self._lock:
                self._processes.pop(run.job, None)
            self._leave(run)
            run.fail(error)

    def cancel(self, job: int, reason: str) -> None:
        """End a run, if it is one that can be ended; on any thread."""
        with self._lock:
            process, run = self._processes.get(job), self._runs.get(job)
        if process is not None:
            process.kill(reason)
        elif run is not None:
            run.cancel(reason)

    def abandon(self, message: Mapping[str, Any]) -> None:
        """End a run that has been cancelled in vain, whatever its code does; on any thread."""
        job = message["job"]
        with self._lock:
            process = self._processes.get(job)
            run = self._runs.get(job) if process is None else process.run
        if run is None:  # its end is on its way
            return
        if run.is_blocking:
            self._channel.send({"op": "goes_on", "job": job})
            return
        run.cancel_reason = message["reason"]  # what has not been called yet will not be
        has_begun = process is not None or run.has_started
        run.fail_with(reason=message["begun" if has_begun else "reason"])

    async def end_all(self, reason: str) -> None:
        """End every run that can be ended, and wait for the async ones; on the loop."""
        self.kill_processes(reason)
        ends: list[asyncio.Future[None]] = []
        for run in list(self._runs.values()):
            task, thread_end = run.task, run.thread_end
            run.cancel(reason)
            if thread_end is not None:
                ends.append(asyncio.wrap_future(thread_end))
            elif task is not None:
                ends.append(task)
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

    def _supervise(self, process: ProcessRun) -> None:
        process.run.begin()
        try:
            process.supervise()
        except Exception as error:  # noqa: BLE001 - a child may say anything
            process.run.fail(error)
        finally:
            with self._lock:
                self._processes.pop(process.run.job, None)

    def _start_here(self, run: WorkerRun) -> None:
        with self._lock:
            self._runs[run.job] = run
        call, request = self._targets.known(run.request), run.request
        if call is None or not call.is_async or request["threaded"]:
            self._pool.submit(
                lambda: Context().run(self._call_in_thread, run, call),
                request["of"],
                stays=request["again"],
                ended=_report,
            )
        else:
            pending = partial(call.function, *call.args, **call.kwargs)
            self._loop.call_soon_threadsafe(self._wait_on_loop, run, pending)

    def _call_in_thread(self, run: WorkerRun, call: Call | None) -> Callable[[], None] | None:
        def find() -> Call:
            if call is not None:
                return call
            run.begin()  # what is imported is the run's code too
            return self._targets.load(run.request)

        def wait(pending: Pending) -> None:
            if run.request["threaded"]:
                run.wait_here(pending)
            else:
                self._loop.call_soon_threadsafe(self._wait_on_loop, run, pending)

        return run.call(find, wait)

    def _wait_on_loop(self, run: WorkerRun, pending: Pending) -> None:
        run.task = self._loop.create_task(run.wait(pending), context=Context())

    def _note_begun(self, run: WorkerRun) -> None:
        if self._flags is not None:
            self._flags.set(run.request["flag"])

    def _leave(self, run: WorkerRun) -> None:
        with self._lock:
            self._runs.pop(run.job, None)
            if not self._runs:
                self.directory.restore()


def _report(end: Callable[[], None] | None) -> None:
    if end is not None:
        end()
