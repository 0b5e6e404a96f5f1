"""The worker of one home: started when it is needed, and again when it dies or is out of date."""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import Context
from typing import TYPE_CHECKING, Any

from .worker_backoff import WorkerBackoff
from .worker_edits import WorkerEdits
from .worker_jobs import RunJob
from .worker_messages import STOPPED
from .worker_plans import WorkerPlans
from .worker_quarantine import Quarantine
from .worker_retired import RetiredWorkers

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger

    from nbsession.core.target import Home
    from nbsession.scheduler.task_record import TaskRecord

    from .worker_jobs import Job
    from .worker_messages import Message
    from .worker_process import WorkerProcess


class WorkerSlot:
    """Gives jobs to the worker of a home.

    An edited source file has a fresh worker take over: new jobs go to it once it is ready and its
    setup script has run through, what the old one has begun it finishes.

    Parameters
    ----------
    home
        The worker's.
    launch
        Starts a worker that tells this slot.
    answer
        Deals with what a worker asks.
    settled
        Told when a setup script has run through, with the tasks that it has declared; with None if
        it has raised.
    log
        The server's.
    """

    def __init__(
        self,
        home: Home,
        launch: Callable[[Home, WorkerSlot], WorkerProcess],
        answer: Callable[[WorkerProcess, Message], object],
        settled: Callable[[WorkerProcess, list[str] | None], object],
        log: Logger,
    ) -> None:
        self.home = home
        self.settled = asyncio.Event()  # its first script has run, or has failed
        self._launch = launch
        self._answer = answer
        self._on_settled = settled
        self._log = log
        self._current: WorkerProcess | None = None
        self._coming: WorkerProcess | None = None
        self._latest: WorkerProcess | None = None
        self._retired = RetiredWorkers()
        self._waiting: deque[Job] = deque()
        self._problem: str | None = None
        self._is_broken = False
        self._backoff = WorkerBackoff()
        self._edits = WorkerEdits()
        self._plans = WorkerPlans()
        self._quarantine = Quarantine(home)
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    def forget(self, task: TaskRecord) -> None:
        """Drop what is kept of a task that has gone."""
        self._plans.forget(task)
        self._quarantine.forget(task.id)
        for worker in self._workers():
            worker.declared.discard(task.id)
            worker.send({"op": "forget", "of": task.id})

    def give(self, job: Job, task: TaskRecord | None = None) -> None:
        """Have a job done, a task's or one of no task, now or when there is a worker for it."""
        self._plans.used(task)
        self._take_up_edits()
        worker = self._worker_for(job)
        if worker is not None and worker.is_ready:
            self._hand_over(job, worker)
        elif self._coming is None and self._cannot_start():
            self._refuse(job)
        else:
            self._waiting.append(job)
            self._start_soon()

    def cancel(self, job: RunJob, reason: str) -> bool:
        """End a job that was begun; False if it has not been, and now never will be."""
        if job in self._waiting:
            self._waiting.remove(job)
            return False
        if worker := self._worker_of(job):
            worker.cancel(job, reason)
        return True

    def abandon(self, job: RunJob, reason: str) -> None:
        """End a run that was cancelled some time ago, whatever its code does."""
        if worker := self._worker_of(job):
            worker.abandon(job, reason)

    def status(self) -> dict[str, Any]:
        """Return what the owner may want to know."""
        return {"pid": self._current and self._current.pid, "problem": self._problem}

    def start(self) -> None:
        """Start the worker, if there is none."""
        if self._current is None and self._coming is None:
            self._launch_now()

    def look(self) -> None:
        """Do what is due: take up edits, end what has retired or is idle."""
        self._take_up_edits()
        self._retired.look()
        current = self._current
        is_needed = self.home.setup is not None or self._waiting or (current and current.jobs)
        if current is not None and not is_needed and self._plans.is_idle:
            self._current = self._latest = None
            self._retired.stop(current)

    def give_up(self) -> None:
        """Drop the news of sessions that no worker will take soon."""
        if self._current or self._coming or not (self._is_broken or self._backoff.wait_seconds > 1):
            return
        for job in [job for job in self._waiting if job.task is None]:
            self._waiting.remove(job)
            job.lost(self._problem or STOPPED)

    async def close(self, seconds: float) -> None:
        """End every worker; what they have not done by then is lost."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        stops = [worker.stop(seconds) for worker in (self._current, self._coming) if worker]
        await asyncio.gather(*stops, self._retired.close(seconds))
        waiting, self._waiting = list(self._waiting), deque()
        for job in waiting:
            job.lost(STOPPED)

    def worker_ready(self, worker: WorkerProcess, tasks: list[str]) -> None:
        """Let a worker that has started take over."""
        if worker is not self._coming:
            return
        self._on_settled(worker, tasks)
        self._settle(None)
        self._retired.add(self._current)
        self._current, self._coming = worker, None
        self._backoff.ready()
        self._flush()

    def worker_broken(self, worker: WorkerProcess, error: str, trace: str) -> None:
        """Let everything stay as it was: the setup script has raised."""
        setup = self.home.setup
        self._log.error("nbsession: the setup script %s has raised\n%s", setup, trace)
        if worker is not self._coming:
            return
        self._on_settled(worker, None)
        self._coming = None
        self._is_broken = True
        self._retired.stop(worker)
        self._settle(f"the setup script {setup} has raised {error}; it is tried again when edited")
        self._flush()

    def worker_ended(self, worker: WorkerProcess, problem: str) -> None:
        """Tell what it has not done; start another one in a while."""
        jobs = worker.take_back_all()
        self._retired.ended(worker)
        was_needed = worker in (self._current, self._coming)
        self._note_death(worker, jobs)
        if worker is self._coming:
            self._coming = None
            self._settle(problem)
            if not self._is_closed:
                self._on_settled(worker, None)
        if worker is self._current:
            self._current = None
        if was_needed:
            self._backoff.ended()
        again = [job for job in jobs if job.lost(problem)]
        if not was_needed:
            for job in again:  # to the one that has taken over, which may have nothing to wait for
                self.give(job)
            return
        self._waiting.extendleft(reversed(again))
        if self._is_closed:
            return
        if worker.is_ready:
            self._log.warning("nbsession: %s: %s; it is started again", worker.name, problem)
        else:
            self._log.error("nbsession: %s: %s", worker.name, problem)
            self._flush()
        if self.home.setup is not None or worker.is_ready or self._waiting:
            self._start_soon()

    def worker_abandoned(self, worker: WorkerProcess) -> None:
        """Give it no more work, as if its source had been edited: code goes on there."""
        self._log.warning("nbsession: %s: code goes on whose run has ended", worker.name)
        worker.is_abandoned = True
        if worker is self._current and not self._is_closed:
            self._current = self._latest = None
            self._retired.add(worker)
            if self._coming is None:
                self._launch_in(self._edits.pause_seconds())

    def worker_run_ended(self, job: RunJob, *, crashed: bool) -> None:
        """Let a task out of its quarantine if its own process has not crashed."""
        if job.is_isolated:
            self._quarantine.ended(job, crashed=crashed)

    def worker_asked(self, worker: WorkerProcess, message: Message) -> None:
        """Do what it wants of the server's tasks or log."""
        self._answer(worker, message)

    def _workers(self) -> list[WorkerProcess]:
        return [worker for worker in (self._current, self._coming, *self._retired) if worker]

    def _worker_of(self, job: Job) -> WorkerProcess | None:
        """Return who has been given a job and has not done it."""
        return next((worker for worker in self._workers() if job.number in worker.jobs), None)

    def _hand_over(self, job: Job, worker: WorkerProcess) -> None:
        if isinstance(job, RunJob):
            job.isolate(self._quarantine.isolates(job))
        worker.give(job)

    def _note_death(self, worker: WorkerProcess, jobs: list[Job]) -> None:
        if worker is not self._current or self._is_closed:  # nobody's fault
            return
        running = [job for job in jobs if isinstance(job, RunJob) and job.is_begun]
        for name in self._quarantine.worker_died(running, worker.sources):
            self._log.warning(
                "nbsession: %s: task %r was running in two workers that died one after the other: "
                "its runs get processes of their own until one ends well or the source is edited",
                worker.name,
                name,
            )

    def _worker_for(self, job: Job) -> WorkerProcess | None:
        """Return who has the job's callable: the one that is coming, if it has declared it."""
        coming = self._coming
        if coming is not None and (self._current is None or job.task in coming.declared):
            return coming
        return self._current

    def _take_up_edits(self) -> None:
        latest = self._latest
        if latest is None or self._is_closed or not latest.sources.changed:
            return
        self._log.info("nbsession: a source file has changed: a new %s", latest.name)
        self._quarantine.clear()
        coming, self._coming = self._coming, None
        self._retired.add(coming)
        if self.home.setup is None:  # nothing has to work out first
            self._retired.add(self._current)
            self._current = None
        self._latest = None  # what else is edited meanwhile, the fresh one will read
        self._launch_in(self._edits.pause_seconds())

    def _launch_now(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_closed or self._coming is not None:
            return
        self._is_broken = False
        self._coming = self._latest = self._launch(self.home, self)

    def _start_soon(self) -> None:
        """Start a worker when the last one's end is long enough ago, if one is wanted then."""
        if self._timer or self._coming or self._current or self._is_broken or self._is_closed:
            return
        self._launch_in(self._backoff.wait_seconds)

    def _launch_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds <= 0:
            self._launch_now()
        else:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(seconds, self._launch_now, context=Context())

    def _cannot_start(self) -> bool:
        """Return whether there is a known problem, and it is too early to try again."""
        if self._current is not None or self._problem is None:
            return False
        return self._is_broken or self._backoff.wait_seconds > 0

    def _settle(self, problem: str | None) -> None:
        self._problem = problem
        self._edits.settled()
        self.settled.set()

    def _flush(self) -> None:
        """Give out what has waited, or say why it cannot be done."""
        waiting, self._waiting = self._waiting, deque()
        for job in waiting:
            worker = self._worker_for(job)
            if worker is not None and worker.is_ready:
                self._hand_over(job, worker)
            else:
                self._refuse(job)

    def _refuse(self, job: Job) -> None:
        if job.refused(self._problem or "there is no worker"):
            self._waiting.append(job)
            self._start_soon()
