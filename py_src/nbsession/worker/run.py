"""A run of a task in this process: calling its callable, cancelling it, and reporting its end."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from nbsession.core.tasks.run import CurrentRun, current_run
from nbsession.core.tracebacks import error_text, traceback_text
from nbsession.worker.output.capture import RunOutput, current_output, when_read

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Awaitable, Callable, Mapping

    from .callables import Call
    from .channel import Channel

    Pending = Callable[[], Awaitable[Any]]
    """A call whose result is to be awaited."""

_PROGRESS_SECONDS = 0.1


class Progress:
    """Sends the progress of one run, at most every 0.1 s."""

    def __init__(self, channel: Channel, loop: AbstractEventLoop | None, job: int) -> None:
        self._channel = channel
        self._loop = loop
        self._job = job
        self._latest: tuple[float, str] | None = None
        self._sent_at = 0.0
        self._is_scheduled = False
        self._lock = threading.Lock()

    def report(self, fraction: float, text: str) -> None:
        """Send the progress, now or soon; on any thread."""
        with self._lock:
            self._latest = fraction, text
            if self._is_scheduled:
                return
            wait = self._sent_at + _PROGRESS_SECONDS - time.monotonic()
            self._is_scheduled = wait > 0
        if wait <= 0 or not self._flush_in(wait):
            self.flush()

    def _flush_in(self, seconds: float) -> bool:
        """Schedule a flush; return False if there is nothing to schedule it on."""
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._loop.call_later, seconds, self.flush)
            else:
                timer = threading.Timer(seconds, self.flush)
                timer.daemon = True
                timer.start()
        except RuntimeError:  # the loop has been closed since, or no thread can be started
            return False
        return True

    def flush(self) -> None:
        """Send the latest progress, unless it has been sent."""
        with self._lock:
            latest, self._latest, self._is_scheduled = self._latest, None, False
            self._sent_at = time.monotonic()
        if latest is not None:
            message = {"op": "progress", "job": self._job}
            self._channel.send({**message, "fraction": latest[0], "text": latest[1]})


class WorkerRun:
    """One run. Only its first end is reported to the server.

    `on_begin` is called before any code of it may run, `on_leave` once no code of it runs any more.
    Without a loop, progress is sent by timer threads.
    """

    def __init__(
        self,
        request: Mapping[str, Any],
        channel: Channel,
        loop: AbstractEventLoop | None = None,
        on_begin: Callable[[WorkerRun], object] | None = None,
        on_leave: Callable[[WorkerRun], object] | None = None,
    ) -> None:
        self.request = request
        self.job: int = request["job"]
        self._channel = channel
        self._on_begin = on_begin
        self._on_leave = on_leave
        self.progress = Progress(channel, loop, self.job)
        self._current = CurrentRun(
            request["id"],
            request["task"],
            request["due"],
            request["attempt"],
            self.progress.report,
        )
        self._started_us: int | None = None
        self._is_reported = False
        self.output = RunOutput()
        self.cancel_reason: str | None = None
        self.is_blocking = False  # in a sync callable, which nothing can end
        self.task: asyncio.Task[None] | None = None
        self._is_awaited = False
        self.thread_end: Future[None] | None = None  # of the thread that awaits it, if one does

    @property
    def has_started(self) -> bool:
        """Return whether the callable has been called."""
        return self._started_us is not None

    def enter(self) -> None:
        """Make this the run of the calling context, which has to be its own."""
        current_run.set(self._current)
        current_output.set(self.output)

    def begin(self) -> None:
        """Note that code of the run may run from now on."""
        if self._on_begin is not None:
            self._on_begin(self)

    def leave(self) -> None:
        """Note that no code of the run runs any more."""
        if self._on_leave is not None:
            self._on_leave(self)

    def call(
        self, find: Callable[[], Call], wait: Callable[[Pending], object]
    ) -> Callable[[], None] | None:
        """Call the callable in this thread and context; `wait` takes what is to be awaited.

        Return what reports the end, for when the thread is free; None if `wait` takes over.
        """
        self.enter()
        try:
            pending = self._call(find())
            if pending is not None:
                wait(pending)
                return None
        except BaseException as error:  # noqa: BLE001 - SystemExit too ends the run, not the process
            self.leave()
            return partial(self.fail, error)
        self.leave()
        return self.succeed

    def _call(self, call: Call) -> Pending | None:
        if call.is_async:
            return partial(call.function, *call.args, **call.kwargs)
        self._start()
        self.is_blocking = True
        try:
            result = call.function(*call.args, **call.kwargs)
        finally:
            self.is_blocking = False
        return (lambda: result) if result is not None and isawaitable(result) else None

    async def wait(self, pending: Pending) -> None:
        """Await a call to its end, and report that; in a context of its own."""
        self.enter()
        self.task = asyncio.current_task()
        self._is_awaited = True
        try:
            self._start()
            await pending()
        except BaseException as error:  # noqa: BLE001 - SystemExit too ends the run, not the loop
            self.leave()
            self.fail(error)
        else:
            self.leave()
            self.succeed()
        finally:
            self.task = None  # which would refer to itself through this frame

    def wait_here(self, pending: Pending) -> None:
        """Await a call on a loop of this thread's own."""
        thread_end = self.thread_end = Future()
        try:
            with asyncio.Runner() as runner:
                try:
                    runner.run(self.wait(pending), context=copy_context())
                except BaseException as error:  # noqa: BLE001 - SystemExit of a task beside it
                    # Now: at the loop's end the run is only cancelled, without the cause.
                    self.leave()
                    self.fail(error)
        finally:
            thread_end.set_result(None)

    def cancel(self, reason: str) -> None:
        """Cancel an async callable; a sync one runs to its own end, unless it has not started."""
        self.cancel_reason = reason
        task = self.task
        if task is not None and self._is_awaited:  # else `_start` will see the reason
            with suppress(RuntimeError):  # a thread's loop, which is closed: the run has ended
                task.get_loop().call_soon_threadsafe(task.cancel)

    def _start(self) -> None:
        """Note that the callable is called now, unless the run has been cancelled."""
        if self.cancel_reason is not None:
            raise asyncio.CancelledError
        if self._started_us is None:
            self.begin()
            self._started_us = time.time_ns() // 1000

    def succeed(self) -> None:
        """Report that the callable has returned."""
        self._end("succeeded")

    def fail(self, error: BaseException) -> None:
        """Report that the callable has raised, or could not be called."""
        cancelled = self.cancel_reason is not None and isinstance(error, asyncio.CancelledError)
        self._end(
            "failed",
            reason=self.cancel_reason,
            error=None if cancelled else error_text(error),
            traceback=traceback_text(error),
        )

    def fail_with(self, *, reason: str | None = None, error: str | None = None) -> None:
        """Report that the run has failed without an exception of its own."""
        self._end("failed", reason=reason, error=error)

    def _end(self, state: str, **details: str | None) -> None:
        message: dict[str, Any] = {"op": "ended", "job": self.job, "state": state}
        message |= {key: value for key, value in details.items() if value is not None}
        message["started"] = self._started_us
        message["ended"] = time.time_ns() // 1000
        self.report_end(message)

    def report_end(self, message: dict[str, Any]) -> None:
        """Report the end, unless one has been reported: once its subprocesses have been read."""
        if self._is_reported:
            return
        self._is_reported = True
        when_read(self.output, lambda: self._send_end(message))

    def _send_end(self, message: dict[str, Any]) -> None:
        output = self.output.close()
        if output:
            message["output"] = output
        self.progress.flush()
        self._channel.send(message)
