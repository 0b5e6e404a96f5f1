"""Running tasks in workers: processes beside the server, one per environment and folder."""

from __future__ import annotations

import asyncio
import itertools
import sys
from contextvars import Context
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from nbsession.core.tasks.spec import Home
from nbsession.scheduler.abc import Executor, Outcome

from .jobs import RunJob, SessionJob, TriggerJob
from .messages import STOPPED
from .process import WorkerProcess
from .requests import WorkerRequests
from .supervisor import WorkerSlot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from logging import Logger

    from nbsession.core.tasks.run import Run
    from nbsession.scheduler.abc import RunListener
    from nbsession.scheduler.api.service import EngineTaskService
    from nbsession.scheduler.records import TaskRecord


MAX_SESSION_EVENTS = 10_000
"""That wait for setup scripts."""
CLOSE_SECONDS = 5.0
SETUP_SECONDS = 30.0
CHECK_SECONDS = 1.0


class WorkerExecutor(Executor):
    """Calls tasks in worker processes; on the server's loop.

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
        self._server = {"base_url": base_url, "root_dir": root_dir}
        self._setups = [
            Home(python or sys.executable, str(PurePath(setup).parent), setup) for setup in setups
        ]
        self._requests = WorkerRequests(log)
        self._slots: dict[Home, WorkerSlot] = {}
        self._runs: dict[int, tuple[RunJob, WorkerSlot]] = {}
        self._numbers = itertools.count(1)
        self._session_jobs: set[SessionJob] = set()
        self._no_session_jobs = asyncio.Event()
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
                "nbsession: %d setup scripts have not finished after %g s; their tasks wait",
                len(late),
                SETUP_SECONDS,
            )

    def session_created(self, context: dict[str, Any]) -> None:
        """Call the hooks of the setup scripts for a session that has begun.

        After a restart of a worker they are not called again for the sessions that live.
        """
        self._send_event("created", context)

    def session_destroyed(self, context: dict[str, Any]) -> None:
        """Call the hooks of the setup scripts for a session that has ended."""
        self._send_event("destroyed", context)

    async def hook_drain(self, seconds: float | None = None) -> None:
        """Wait until the hooks have run for every event of a session, at most so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while self._session_jobs:
                    self._no_session_jobs.clear()
                    await self._no_session_jobs.wait()
        except TimeoutError:
            count = len(self._session_jobs)
            self._log.warning(
                "nbsession: the callbacks for %d session events have not ended", count
            )

    def status(self) -> list[dict[str, Any]]:
        """Return the process and the problem of each home's worker."""
        return [
            {**home.to_json(), "python": self._python or home.python, **slot.status()}
            for home, slot in self._slots.items()
        ]

    def start(self, run: Run, task: TaskRecord, attempt: int, listener: RunListener) -> None:
        home = task.spec.home
        if home is None or self._is_closed:
            why = STOPPED if self._is_closed else "the task has no home where it could run"
            listener.ended(run.id, Outcome("lost" if self._is_closed else "failed", reason=why))
            return
        job = RunJob(next(self._numbers), run, task, attempt, listener, self._run_ended)
        slot = self._slot(home)
        self._runs[run.id] = job, slot
        slot.give(job, task)

    def cancel(self, run_id: int, reason: str) -> None:
        if run_id in self._runs:
            job, slot = self._runs[run_id]
            if not slot.cancel(job, reason):
                job.end(Outcome("failed", reason=reason))

    def abandon(self, run_id: int, reason: str) -> None:
        if run_id in self._runs:
            job, slot = self._runs[run_id]
            slot.abandon(job, reason)

    async def next_instant(self, task: TaskRecord, now_us: int) -> int | None:
        home = task.spec.home
        if home is None:
            message = f"the task {task.spec.name!r} has no home where its code could be asked"
            raise TypeError(message)
        future: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._slot(home).give(TriggerJob(next(self._numbers), task, now_us, future), task)
        return await future

    def forget(self, task: TaskRecord) -> None:
        slot = None if task.spec.home is None else self._slots.get(task.spec.home)
        if slot is not None:
            slot.forget(task)

    async def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Let hooks that wait run, then stop the workers; what still runs is lost."""
        if self._is_closed:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        for slot in self._slots.values():
            slot.give_up()
        await self.hook_drain(max(0.0, seconds - 1))
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        left_seconds = max(0.5, deadline - loop.time())
        await asyncio.gather(*(slot.close(left_seconds) for slot in self._slots.values()))
        self._requests.close()

    def _slot(self, home: Home) -> WorkerSlot:
        slot = self._slots.get(home)
        if slot is None:
            requests = self._requests
            slot = WorkerSlot(home, self._launch, requests.take, requests.settled, self._log)
            self._slots[home] = slot
            self._check_later()
        return slot

    def _launch(self, home: Home, slot: WorkerSlot) -> WorkerProcess:
        python = self._python or home.python
        # A declaration may come in a visitor's request, which is none of a worker's business.
        return Context().run(WorkerProcess, home, python, self._server, slot, self._log)

    def _check_later(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(CHECK_SECONDS, self._check, context=Context())

    def _check(self) -> None:
        self._timer = None
        self._check_later()  # first: a slot that raises must not end the checks
        for slot in tuple(self._slots.values()):
            try:
                slot.check()
            except Exception:  # noqa: BLE001 - the others are checked all the same
                self._log.exception("nbsession: the worker of %s could not be checked", slot.home)

    def _send_event(self, event: str, context: dict[str, Any]) -> None:
        if self._is_closed:
            return
        if len(self._session_jobs) >= MAX_SESSION_EVENTS:  # a script has hung for a very long time
            self._log.warning("nbsession: no callback is called for session %s", context["id"])
            return
        for home in self._setups:
            slot, number = self._slot(home), next(self._numbers)
            job = SessionJob(number, event, context, self._log, self._session_job_ended)
            self._session_jobs.add(job)
            slot.give(job)

    def _session_job_ended(self, job: SessionJob) -> None:
        self._session_jobs.discard(job)
        if not self._session_jobs:
            self._no_session_jobs.set()

    def _run_ended(self, job: RunJob) -> None:
        if job.run_id in self._runs and self._runs[job.run_id][0] is job:
            del self._runs[job.run_id]
