"""The worker of one home: started when it is needed, and again when it dies or is out of date."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextvars import Context
from typing import TYPE_CHECKING, Any

from .jobs import RunJob
from .messages import STOPPED
from .quarantine import Quarantine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from logging import Logger

    from nbsession.core.tasks.spec import Home
    from nbsession.scheduler.records import TaskRecord

    from .jobs import Job
    from .messages import Message
    from .process import WorkerProcess

FIRST_SECONDS = 0.1
MAX_SECONDS = 30.0
HEALTHY_SECONDS = 60.0


class WorkerBackoff:
    """Doubles the wait with every failure; one that has lived for a minute begins anew."""

    def __init__(self) -> None:
        self._delay = FIRST_SECONDS
        self._not_before = 0.0
        self._ready_at: float | None = None

    @property
    def wait_seconds(self) -> float:
        """How long from now; 0 or less if the next one may start."""
        return self._not_before - time.monotonic()

    def ready(self) -> None:
        """Take note that a worker is up."""
        self._ready_at = time.monotonic()

    def ended(self) -> None:
        """Take note that one has died, or could not start."""
        now = time.monotonic()
        if self._ready_at is not None and now - self._ready_at >= HEALTHY_SECONDS:
            self._delay = FIRST_SECONDS
        self._ready_at = None
        self._not_before = now + self._delay
        self._delay = min(2 * self._delay, MAX_SECONDS)


CALM_SECONDS = 3.0


class WorkerEdits:
    """Doubles the pause while every fresh worker is out of date at once: it edits its own source.

    Somebody who saves a file every few seconds does not wait.
    """

    def __init__(self) -> None:
        self._delay = FIRST_SECONDS
        self._not_before = 0.0
        self._settled_at: float | None = None

    def settled(self) -> None:
        """Take note that a worker's script has run through, or has failed."""
        self._settled_at = time.monotonic()

    def pause_seconds(self) -> float:
        """Take note of an edit; return how long its worker has to wait, perhaps 0 or less."""
        now = time.monotonic()
        calm = self._settled_at is not None and now - self._settled_at > self._delay + CALM_SECONDS
        if calm:
            self._delay = FIRST_SECONDS
        pause = self._not_before - now
        self._settled_at = None
        self._not_before = max(now, self._not_before) + self._delay
        self._delay = min(2 * self._delay, MAX_SECONDS)
        return pause


IDLE_SECONDS = 600.0


class WorkerPlans:
    """The tasks that have run in a home, and when one did last."""

    def __init__(self) -> None:
        self._tasks: dict[int, TaskRecord] = {}
        self._used_at = time.monotonic()

    @property
    def is_idle(self) -> bool:
        """Return whether nothing has run for ten minutes, and nothing is to run again."""
        if time.monotonic() - self._used_at < IDLE_SECONDS:
            return False
        tasks = self._tasks.values()
        return not any(task.due_us is not None or task.paused or task.asks for task in tasks)

    def used(self, task: TaskRecord | None) -> None:
        """Take note that something is to run now, perhaps for a task."""
        self._used_at = time.monotonic()
        if task is not None:
            self._tasks[task.id] = task

    def forget(self, task: TaskRecord) -> None:
        """Forget a task that has gone."""
        self._tasks.pop(task.id, None)


ABANDONED = "code went on there whose run had ended, so it was killed"

LOOP_SECONDS = 30.0
"""How long the loop of a worker with abandoned code may not answer before it is killed."""


class RetiredWorkers:
    """Lets workers finish what they have begun, and ends them."""

    def __init__(self) -> None:
        self._busy: set[WorkerProcess] = set()
        self._stops: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[WorkerProcess]:
        """Iterate over those that are still at work."""
        return iter(tuple(self._busy))

    def add(self, worker: WorkerProcess | None) -> None:
        """Give a worker no more work."""
        if worker is None:
            return
        if worker.jobs:
            self._busy.add(worker)
        else:
            self.stop(worker)

    def look(self) -> None:
        """End those that have done all, and those whose abandoned code lets nothing else run."""
        for worker in self:
            if not worker.jobs:
                self.ended(worker)
                self.stop(worker)
            elif worker.is_abandoned and worker.ping() > LOOP_SECONDS:
                worker.kill(
                    f"its event loop has not answered for {LOOP_SECONDS:g} s, and code goes on "
                    "there whose run has ended, so it was killed"
                )

    def stop(self, worker: WorkerProcess) -> None:
        """End a worker that has nothing to do; at once if abandoned code goes on there."""
        if worker.is_abandoned:
            worker.kill(ABANDONED)
        task = asyncio.get_running_loop().create_task(worker.stop(), context=Context())
        self._stops.add(task)
        task.add_done_callback(self._stops.discard)

    def ended(self, worker: WorkerProcess) -> None:
        """Take note that a worker has ended."""
        self._busy.discard(worker)

    async def close(self, seconds: float) -> None:
        """End all; what has not ended after so long is killed."""
        await asyncio.gather(*(worker.stop(seconds) for worker in self), *self._stops)


class WorkerSlot:
    """Gives jobs to the worker of a home.

    An edited source file has a fresh worker take over: new jobs go to it once it is ready and its
    setup script has run through, what the old one has begun it finishes.
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
