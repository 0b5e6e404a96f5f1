"""The requests that a worker answers, and what happens to each if that worker fails."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from nbsession.scheduler.abc import Outcome, TriggerCodeError, abandoned

from .messages import STOPPED

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable
    from logging import Logger

    import psutil

    from nbsession.core.tasks.run import Run
    from nbsession.core.tasks.spec import Home
    from nbsession.scheduler.abc import RunListener
    from nbsession.scheduler.records import TaskRecord

    from .messages import Message
    from .sources import WorkerSources

ISOLATED = (
    "ran in a process of its own, since this task was running in two workers that died one after "
    "the other"
)
"""The reason of a run whose task is in quarantine."""


class Job(ABC):
    """A request that a worker will answer, of a task given by its id or of none."""

    answer = "answered"
    """The kind of message that answers it."""

    def __init__(self, number: int, task: int | None, message: Message) -> None:
        self.number = number
        self.task = task
        self.message: Message = {**message, "job": number}

    @abstractmethod
    def answered(self, message: Message) -> None:
        """Take the answer."""

    @abstractmethod
    def invalid(self, why: str) -> None:
        """End it: the worker has sent an invalid answer."""

    @abstractmethod
    def lost(self, why: str) -> bool:
        """Deal with the death of its worker; return whether another one is to do it."""

    @abstractmethod
    def refused(self, why: str) -> bool:
        """Deal with the lack of a worker; return whether it waits for one."""


class RunJob(Job):
    """A try of a run."""

    answer = "ended"

    def __init__(  # noqa: PLR0913, PLR0917 - those of `Executor.start`
        self,
        number: int,
        run: Run,
        task: TaskRecord,
        attempt: int,
        listener: RunListener,
        on_end: Callable[[RunJob], object],
    ) -> None:
        spec = task.spec
        message = {
            "op": "run",
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
        super().__init__(number, task.id, message)
        self.run_id = run.id
        self.child: psutil.Process | None = None
        self.flag: int | None = None  # of `BegunFlags`
        self.is_begun = True
        self.is_isolated = False
        self.goes_on = False
        self.cancel_reason: str | None = None
        self._listener = listener
        self._on_end = on_end

    @property
    def has_process(self) -> bool:
        """Return whether it runs in a process of its own."""
        return bool(self.message["process"])

    def isolate(self, isolated: bool) -> None:
        """Have it run in a process of its own, or not, if its task does not say so itself."""
        if isolated or self.is_isolated:
            self.is_isolated = self.message["process"] = isolated

    def is_abandoned(self, message: Message) -> bool:
        """Return whether this is the end of a run whose code goes on."""
        reason = self.cancel_reason
        return reason is not None and message.get("reason") == abandoned(reason)

    def abandon(self) -> None:
        """End it for a worker that does not answer."""
        reason = self.cancel_reason or "cancelled"
        self.end(Outcome("failed", reason=abandoned(reason) if self.is_begun else reason))

    def progressed(self, message: Message) -> None:
        """Report its progress."""
        self._listener.progressed(self.run_id, message["fraction"], message["text"])

    def answered(self, message: Message) -> None:
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

    def invalid(self, why: str) -> None:
        self.end(Outcome("failed", error=why))

    def lost(self, why: str) -> bool:
        if self.is_begun or why == STOPPED:
            self.end(Outcome("lost", reason=why))
            return False
        if self.cancel_reason is not None:
            self.end(Outcome("failed", reason=self.cancel_reason))
            return False
        return True

    def refused(self, why: str) -> bool:
        self.invalid(why)
        return False

    def end(self, outcome: Outcome) -> None:
        """Report the end."""
        if self.is_isolated:
            reasons = (outcome.reason, ISOLATED)
            outcome.reason = "; ".join(reason for reason in reasons if reason)
        self._on_end(self)
        self._listener.ended(self.run_id, outcome)


class TriggerJob(Job):
    """A request for the next instant of a trigger's code; waits for a worker that can answer."""

    def __init__(
        self, number: int, task: TaskRecord, now_us: int, future: asyncio.Future[int | None]
    ) -> None:
        spec = task.spec
        message = {
            "op": "next",
            "of": task.id,
            "task": spec.name,
            "target": spec.target.to_json(),
            "at": None if spec.at_target is None else spec.at_target.to_json(),
            "trigger": spec.trigger.to_json(),
            "now": now_us,
            "after": task.last_run_us,
        }
        super().__init__(number, task.id, message)
        self._future = future

    def answered(self, message: Message) -> None:
        if "error" in message:
            self._fail(message["error"], message.get("traceback", ""))
        elif not self._future.done():
            self._future.set_result(message.get("value"))

    def invalid(self, why: str) -> None:
        self._fail(why, "")  # its worker would answer the same again

    def lost(self, why: str) -> bool:  # noqa: ARG002 - a crash is no answer
        return not self._future.done()

    def refused(self, why: str) -> bool:  # noqa: ARG002 - its task outlives a broken environment
        return not self._future.done()

    def _fail(self, error: str, traceback: str) -> None:
        if not self._future.done():
            self._future.set_exception(TriggerCodeError(error, traceback))


class SessionJob(Job):
    """An event of a session, for a setup script's callbacks."""

    def __init__(
        self,
        number: int,
        event: str,
        context: dict[str, Any],
        log: Logger,
        on_end: Callable[[SessionJob], object],
    ) -> None:
        super().__init__(number, None, {"op": "session", "event": event, "context": context})
        self._log = log
        self._on_end = on_end

    def answered(self, message: Message) -> None:  # noqa: ARG002 - all callbacks have run
        self._on_end(self)

    def lost(self, why: str) -> bool:
        self.invalid(why)
        return False  # some callbacks may have run, and are not to be called twice

    def invalid(self, why: str) -> None:
        session, event = self.message["context"]["id"], self.message["event"]
        self._log.error("nbsession: callbacks for session %s (%s): %s", session, event, why)
        self._on_end(self)

    def refused(self, why: str) -> bool:  # noqa: ARG002 - it waits for a setup script that works
        return True


class Quarantine:
    """Gives tasks processes of their own that were running in two workers that died in a row.

    Each stays there until a run of it has returned or raised, or until a source file of those
    workers is edited.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._suspects: set[int] = set()
        self._isolated: set[int] = set()
        self._sources: list[WorkerSources] = []

    def worker_died(self, jobs: Iterable[RunJob], sources: WorkerSources) -> list[str]:
        """Note the runs that were running in a worker; return the names of newly isolated tasks."""
        running = {job.task: job for job in jobs if not job.has_process and self._can_isolate(job)}
        repeated = self._suspects & set(running) - self._isolated
        self._suspects = {task for task in running if task is not None}
        self._sources = [*self._sources[-1:], sources]
        self._isolated |= repeated
        return sorted(running[task].message["task"] for task in repeated)

    def isolates(self, job: RunJob) -> bool:
        """Return whether a run is to have a process of its own."""
        if job.task not in self._isolated:
            return False
        if any(sources.changed for sources in self._sources):
            self.clear()
            return False
        return True

    def forget(self, task_id: int) -> None:
        """Forget a task that is removed, or has proved harmless."""
        self._isolated.discard(task_id)
        self._suspects.discard(task_id)

    def clear(self) -> None:
        """Forget all: a source file was edited."""
        self._suspects.clear()
        self._isolated.clear()
        self._sources.clear()

    def _can_isolate(self, job: RunJob) -> bool:
        """Return whether another process could find the callable, unlike a closure."""
        setup, target = self._home.setup, job.message["target"]
        is_closure = target["kind"] == "setup" and "<" in target["qualname"]
        is_of_setup = setup is not None and target["module"] == PurePath(setup).stem
        return not is_closure or setup is None or is_of_setup
