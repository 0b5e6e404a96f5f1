"""Running tasks in workers: processes beside the server, one per environment and folder."""

from __future__ import annotations

import asyncio
import itertools
import sys
from contextvars import Context
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from nbsession.core.tasks.spec import Home
from nbsession.scheduler.abc import Outcome

from .jobs import QuestionJob, RunJob, SessionJob
from .messages import STOPPED
from .process import WorkerProcess
from .requests import WorkerRequests
from .supervisor import WorkerSlot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from logging import Logger

    from nbsession.core.tasks.run import Run
    from nbsession.scheduler.abc import RunListener
    from nbsession.scheduler.api.service import EngineTaskService
    from nbsession.scheduler.records import TaskRecord

MAX_WAITING = 10_000


class WorkerSessions:
    """Counts what the hooks have still to hear."""

    def __init__(self, numbers: Iterator[int], log: Logger) -> None:
        self._numbers = numbers
        self._log = log
        self._open: set[SessionJob] = set()
        self._done = asyncio.Event()

    def tell(self, slots: Sequence[WorkerSlot], event: str, context: dict[str, Any]) -> None:
        """Tell setup scripts of a session."""
        if len(self._open) >= MAX_WAITING:  # a script that has hung for a very long time
            self._log.warning("nbsession: no callback will hear of session %s", context["id"])
            return
        for slot in slots:
            job = SessionJob(next(self._numbers), event, context, self._log, self._heard)
            self._open.add(job)
            slot.give(job)

    async def drain(self) -> None:
        """Wait until the hooks have run for everything that was told."""
        while self._open:
            self._done.clear()
            await self._done.wait()

    async def drain_for(self, seconds: float) -> None:
        """Wait as `drain`, but not longer than so many seconds."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self.drain()
        except TimeoutError:
            self._log.warning("nbsession: callbacks for %d sessions were cut off", len(self._open))

    def _heard(self, job: SessionJob) -> None:
        self._open.discard(job)
        if not self._open:
            self._done.set()


CLOSE_SECONDS = 5.0
SETUP_SECONDS = 30.0
LOOK_SECONDS = 1.0


class WorkerExecutor:
    """An `Executor` whose callables run in other processes; on the server's loop.

    A worker is started when something of its home is first due, and those of setup scripts by
    `start_setups`. One that dies is started again, after 0.1 s, then 0.2 s … 30 s; its runs are
    lost. An edited source file has a fresh one take over.
    """

    def __init__(
        self,
        log: Logger,
        *,
        python: str | None = None,
        setups: Sequence[str] = (),
        base_url: str | None = None,
        root_dir: str | None = None,
    ) -> None:
        self._log = log
        self._python = python
        self._base_url = base_url
        self._root_dir = root_dir
        self._setups = [
            Home(python or sys.executable, str(PurePath(setup).parent), setup) for setup in setups
        ]
        self._requests = WorkerRequests(log)
        self._slots: dict[Home, WorkerSlot] = {}
        self._runs: dict[int, RunJob] = {}
        self._numbers = itertools.count(1)
        self._sessions = WorkerSessions(self._numbers, log)
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    @property
    def service(self) -> EngineTaskService | None:
        """The tasks that workers ask about; to be set before the first worker starts."""
        return self._requests.service

    @service.setter
    def service(self, service: EngineTaskService) -> None:
        self._requests.service = service

    async def start_setups(self) -> None:
        """Start the workers of the setup scripts; return when each script has run, or failed.

        A script that takes longer than 30 s goes on without being waited for.
        """
        slots = [self._slot(home) for home in self._setups]
        for slot in slots:
            slot.start()
        waits = [asyncio.ensure_future(slot.settled.wait()) for slot in slots]
        if not waits:
            return
        _, late = await asyncio.wait(waits, timeout=SETUP_SECONDS)
        for wait in late:
            wait.cancel()
        if late:
            self._log.warning(
                "nbsession: %d setup scripts have not run through after %g s; their tasks wait",
                len(late),
                SETUP_SECONDS,
            )

    def session_created(self, context: dict[str, Any]) -> None:
        """Call the hooks of the setup scripts for a session that has begun.

        After a restart of a worker they are not called again for the sessions that live.
        """
        self._tell_session("created", context)

    def session_destroyed(self, context: dict[str, Any]) -> None:
        """Call the hooks of the setup scripts for a session that has ended."""
        self._tell_session("destroyed", context)

    async def hook_drain(self) -> None:
        """Wait until the hooks have run for everything that has been told of sessions."""
        await self._sessions.drain()

    def status(self) -> list[dict[str, Any]]:
        """Return what the owner may want to know of each home's worker."""
        return [
            {**home.to_json(), "python": self._python or home.python, **slot.status()}
            for home, slot in self._slots.items()
        ]

    # -- what an engine orders ---------------------------------------------------------------------

    def start(self, run: Run, task: TaskRecord, attempt: int, listener: RunListener) -> None:
        """Call the task's target; the listener is told of its end, perhaps before this returns."""
        home = task.spec.home
        if home is None or self._is_closed:
            why = STOPPED if self._is_closed else "the task has no home where it could run"
            listener.ended(run.id, Outcome("lost" if self._is_closed else "failed", reason=why))
            return
        job = RunJob(next(self._numbers), run, task, attempt, listener, self._run_ended)
        self._runs[run.id] = job
        self._slot(home).give(job, task)

    def cancel(self, run_id: int, reason: str) -> None:
        """End a run if that can be done: an async callable is cancelled, a process killed.

        The listener is told of the end when it has come. A sync callable in a thread goes on to
        its own end.
        """
        job = self._runs.get(run_id)
        if job is None:
            return
        for slot in self._slots.values():
            if not slot.cancel(job, reason):
                job.end(Outcome("failed", reason=reason))
                return

    def abandon(self, run_id: int, reason: str) -> None:
        """Give a run up that was cancelled some time ago and has not ended; see `Executor`."""
        job = self._runs.get(run_id)
        if job is not None:
            for slot in self._slots.values():
                slot.abandon(job, reason)

    async def next_instant(self, task: TaskRecord, now_us: int) -> int | None:
        """Ask the code of a trigger for its next instant."""
        home = task.spec.home
        if home is None:
            message = f"the task {task.spec.name!r} has no home where its code could be asked"
            raise TypeError(message)
        future: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._slot(home).give(QuestionJob(next(self._numbers), task, now_us, future), task)
        return await future

    def forget(self, task: TaskRecord) -> None:
        """Drop what is kept of a task that has gone."""
        slot = None if task.spec.home is None else self._slots.get(task.spec.home)
        if slot is not None:
            slot.forget(task)

    async def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Let hooks that wait run, then end the workers; what still runs is lost."""
        if self._is_closed:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        for slot in self._slots.values():
            slot.give_up()
        await self._sessions.drain_for(seconds - 1)
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        left_seconds = max(0.5, deadline - loop.time())
        await asyncio.gather(*(slot.close(left_seconds) for slot in self._slots.values()))
        self._requests.close()

    # -- what slots tell ---------------------------------------------------------------------------

    def _slot(self, home: Home) -> WorkerSlot:
        slot = self._slots.get(home)
        if slot is None:
            requests = self._requests
            slot = WorkerSlot(home, self._launch, requests.take, requests.settled, self._log)
            self._slots[home] = slot
            self._look_later()
        return slot

    def _launch(self, home: Home, slot: WorkerSlot) -> WorkerProcess:
        python = self._python or home.python
        # A declaration may come in a visitor's request, which is none of a worker's business.
        return Context().run(
            WorkerProcess, home, python, self._base_url, self._root_dir, slot, self._log
        )

    def _look_later(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(LOOK_SECONDS, self._look, context=Context())

    def _look(self) -> None:
        self._timer = None
        self._look_later()  # first: one slot that raises is not to end the looking at all
        for slot in tuple(self._slots.values()):
            try:
                slot.look()
            except Exception:  # noqa: BLE001 - the others are looked after all the same
                self._log.exception("nbsession: the worker of %s was not looked after", slot.home)

    def _tell_session(self, event: str, context: dict[str, Any]) -> None:
        if not self._is_closed:
            slots = [self._slot(home) for home in self._setups]
            self._sessions.tell(slots, event, context)

    def _run_ended(self, job: RunJob) -> None:
        if self._runs.get(job.run_id) is job:
            del self._runs[job.run_id]
