"""What a worker is asked to do, and what becomes of it if that worker fails."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Protocol

from nbsession.scheduler.abc import Outcome, TriggerCodeError, abandoned

from .messages import STOPPED

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from logging import Logger

    import psutil

    from nbsession.core.tasks.run import Run
    from nbsession.scheduler.abc import RunListener
    from nbsession.scheduler.records import TaskRecord

    from .messages import Message


ISOLATED = (
    "ran in a process of its own, since this task was running in two workers that died one after "
    "the other"
)
"""The reason of a run whose task is in quarantine."""


class Job(Protocol):
    """An order that a worker will answer."""

    number: int
    task: int | None
    message: Message
    answer: str

    def answered(self, message: Message) -> None:
        """Take the answer."""

    def invalid(self, why: str) -> None:
        """Take note that the worker has answered what no worker answers."""

    def lost(self, why: str) -> bool:
        """Take note that its worker has died; return whether another one is to do it."""

    def refused(self, why: str) -> bool:
        """Take note that no worker can be had for now; return whether it waits for one."""


class RunJob:
    """A try of a run."""

    answer = "ended"

    def __init__(  # noqa: PLR0913, PLR0917 - those of `Executor.start`
        self,
        number: int,
        run: Run,
        task: TaskRecord,
        attempt: int,
        listener: RunListener,
        ended: Callable[[RunJob], object],
    ) -> None:
        spec = task.spec
        self.number = number
        self.run_id = run.id
        self.task: int | None = task.id
        self.name = spec.name
        self.child: psutil.Process | None = None
        self.is_begun = True
        self.is_isolated = False
        self.goes_on = False
        self._cancelled: str | None = None
        self._listener = listener
        self._ended = ended
        self.message: Message = {
            "op": "run",
            "job": number,
            "id": run.id,
            "of": task.id,
            "task": spec.name,
            "target": spec.target.to_json(),
            "args": spec.args,
            "kwargs": spec.kwargs,
            "attempt": attempt,
            "due": run.due_us,
            "process": spec.policies.process,
            "threaded": spec.policies.threaded,
            "again": task.due_us is not None or task.paused or task.asks,
        }

    @property
    def has_process(self) -> bool:
        """Return whether it runs in a process of its own."""
        return bool(self.message["process"])

    def is_of_setup(self, setup: str) -> bool:
        """Return whether its callable is the setup script's own."""
        return bool(self.message["target"]["module"] == PurePath(setup).stem)

    def isolate(self, isolated: bool) -> None:
        """Have it run in a process of its own, or not, if its task does not say so itself."""
        if isolated or self.is_isolated:
            self.is_isolated = self.message["process"] = isolated

    def has_crashed(self, message: Message) -> bool:
        """Return whether its own process has ended before its code has."""
        return message["state"] == "failed" and message.get("traceback") is None

    def cancel(self, reason: str) -> None:
        """Note that it is to end."""
        self._cancelled = reason

    def is_abandoned(self, message: Message) -> bool:
        """Return whether this is the end of a run whose code goes on."""
        return self._cancelled is not None and message.get("reason") == abandoned(self._cancelled)

    def abandon(self) -> None:
        """Tell the end for a worker that does not answer."""
        reason = self._cancelled or "cancelled"
        self.end(Outcome("failed", reason=abandoned(reason) if self.is_begun else reason))

    def answered(self, message: Message) -> None:
        """Take the news of its end."""
        self.end(
            Outcome(
                "lost" if message.get("reason") == STOPPED else message["state"],
                message["started"],
                message["ended"],
                message.get("reason"),
                message.get("error"),
                message.get("traceback"),
                message.get("output", ""),
            )
        )

    def progressed(self, message: Message) -> None:
        """Take the news of its progress."""
        self._listener.progressed(self.run_id, message["fraction"], message["text"])

    def invalid(self, why: str) -> None:
        """Tell that nothing is known of it any more."""
        self.end(Outcome("failed", error=why))

    def lost(self, why: str) -> bool:
        """Tell that it has died with its worker; the next one takes it if it had not begun."""
        if self.is_begun or why == STOPPED:
            self.end(Outcome("lost", reason=why))
            return False
        if self._cancelled is not None:
            self.end(Outcome("failed", reason=self._cancelled))
            return False
        return True

    def refused(self, why: str) -> bool:
        """Tell that it cannot be run."""
        self.end(Outcome("failed", error=why))
        return False

    def end(self, outcome: Outcome) -> None:
        """Tell the end."""
        if self.is_isolated:
            reasons = (outcome.reason, ISOLATED)
            outcome.reason = "; ".join(reason for reason in reasons if reason)
        self._ended(self)
        self._listener.ended(self.run_id, outcome)


class QuestionJob:
    """A question to a trigger's code; waits for a worker that can answer."""

    answer = "answered"

    def __init__(
        self, number: int, task: TaskRecord, now_us: int, future: asyncio.Future[int | None]
    ) -> None:
        spec = task.spec
        self.number = number
        self.task: int | None = task.id
        self._future = future
        self.message: Message = {
            "op": "next",
            "job": number,
            "of": task.id,
            "task": spec.name,
            "target": spec.target.to_json(),
            "at": None if spec.at_target is None else spec.at_target.to_json(),
            "trigger": spec.trigger.to_json(),
            "now": now_us,
            "after": task.last_run_us,
        }

    def answered(self, message: Message) -> None:
        """Take the answer."""
        if self._future.done():
            return
        if "error" in message:
            error = TriggerCodeError(message["error"], message.get("traceback", ""))
            self._future.set_exception(error)
        else:
            self._future.set_result(message.get("value"))

    def invalid(self, why: str) -> None:
        """End the task: its worker would say the same again."""
        if not self._future.done():
            self._future.set_exception(TriggerCodeError(why, ""))

    def lost(self, why: str) -> bool:  # noqa: ARG002 - as every job
        """Ask the next worker: a crash is no answer."""
        return not self._future.done()

    def refused(self, why: str) -> bool:  # noqa: ARG002 - as every job
        """Wait: the task is not to end because its environment is being mended."""
        return not self._future.done()


class SessionJob:
    """The news of a session for a setup script's callbacks."""

    answer = "answered"

    def __init__(
        self,
        number: int,
        event: str,
        context: dict[str, Any],
        log: Logger,
        done: Callable[[SessionJob], object],
    ) -> None:
        self.number = number
        self.task: int | None = None
        self._id = context["id"]
        self._log = log
        self._done = done
        self.message: Message = {
            "op": "session",
            "job": number,
            "event": event,
            "context": context,
        }

    def answered(self, message: Message) -> None:  # noqa: ARG002 - as every job
        """Take note that all callbacks have run."""
        self._done(self)

    def lost(self, why: str) -> bool:
        """Do not call twice: some callbacks may have run."""
        self.invalid(why)
        return False

    def invalid(self, why: str) -> None:
        """Log that it is not known what has become of the callbacks."""
        event = self.message["event"]
        self._log.error("nbsession: callbacks for session %s (%s): %s", self._id, event, why)
        self._done(self)

    def refused(self, why: str) -> bool:  # noqa: ARG002 - as every job
        """Wait for a setup script that works."""
        return True
