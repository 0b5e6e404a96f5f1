"""One run of a task in this worker, from the server's order to the news of its end."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from nbsession.core.tasks.run import CurrentRun, current_run
from nbsession.core.tracebacks import clean, error_text
from nbsession.core.tracebacks import user_traceback_text as traceback_text
from nbsession.worker.output.capture import Progress, RunOutput, current_output, when_read

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Mapping
    from concurrent.futures import Future

    from .channel import Channel


class WorkerRun:
    """What a run needs while it is going. Its end is told once: the first one."""

    __slots__ = (
        "_channel",
        "_current",
        "_has_ended",
        "_progress",
        "_started_us",
        "cancel_reason",
        "is_awaited",
        "job",
        "left",
        "loop",
        "order",
        "output",
        "task",
    )

    def __init__(self, order: Mapping[str, Any], channel: Channel, loop: AbstractEventLoop) -> None:
        self.order = order
        self.job: int = order["job"]
        self._channel = channel
        self._progress = Progress(channel, loop, self.job)
        self._current = CurrentRun(
            order["id"], order["task"], order["due"], order["attempt"], self._progress.report
        )
        self._started_us: int | None = None
        self._has_ended = False
        self.output = RunOutput()
        self.loop = loop
        self.left: Future[None] | None = None
        self.task: asyncio.Task[None] | None = None
        self.is_awaited = False
        self.cancel_reason: str | None = None

    @property
    def has_started(self) -> bool:
        """Return whether the callable has been called."""
        return self._started_us is not None

    def enter(self) -> None:
        """Make this the run of the calling context, which has to be its own."""
        current_run.set(self._current)
        current_output.set(self.output)

    def started(self) -> None:
        """Note that the callable is called now, if it has not been called yet."""
        if self._started_us is None:
            self._started_us = time.time_ns() // 1000

    def succeed(self) -> None:
        """Tell that the callable has returned."""
        self._end("succeeded")

    def fail(self, error: BaseException) -> None:
        """Tell that the callable has raised, or could not be called."""
        cancelled = self.cancel_reason is not None and isinstance(error, asyncio.CancelledError)
        trace = traceback_text(error)
        if cancelled:
            self._end("failed", reason=self.cancel_reason, traceback=trace)
        else:
            self._end("failed", reason=self.cancel_reason, error=error_text(error), traceback=trace)

    def fail_with(self, *, reason: str | None = None, error: str | None = None) -> None:
        """Tell that the run has failed without an exception of its own."""
        self._end("failed", reason=reason, error=None if error is None else clean(error, 2_000))

    def progressed(self, fraction: float, text: str) -> None:
        """Pass on what a process of the run's own says."""
        self._progress.report(fraction, text)

    def pass_on(self, ended: Mapping[str, Any]) -> None:
        """Tell the end as a process of the run's own has told it."""
        self._finish({**ended, "job": self.job})

    def _end(self, state: str, **more: str | None) -> None:
        message: dict[str, Any] = {"op": "ended", "job": self.job, "state": state}
        message |= {key: value for key, value in more.items() if value is not None}
        message["started"] = self._started_us
        message["ended"] = time.time_ns() // 1000
        self._finish(message)

    def _finish(self, message: dict[str, Any]) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        when_read(self.output, lambda: self._send_end(message))

    def _send_end(self, message: dict[str, Any]) -> None:
        output = self.output.close()
        if output:
            message["output"] = output
        self._progress.flush()
        self._channel.send(message)
