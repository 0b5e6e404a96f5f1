"""The worker of one home: started when it is needed, and again when it dies or is out of date."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextvars import Context
from typing import TYPE_CHECKING, Any

from .jobs import Quarantine, RunJob
from .messages import STOPPED
from .process import WorkerOwner

if TYPE_CHECKING:
    from collections.abc import Callable
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
        """The wait from now on; 0 or less if the next one may start."""
        return self._not_before - time.monotonic()

    def ready(self) -> None:
        """Note that a worker is up."""
        self._ready_at = time.monotonic()

    def ended(self) -> None:
        """Note that one has died, or could not start."""
        now = time.monotonic()
        self._double(now, is_healthy=self._ready_seconds(now) >= HEALTHY_SECONDS)

    def _ready_seconds(self, now: float) -> float:
        return 0.0 if self._ready_at is None else now - self._ready_at

    def _double(self, begin: float, *, is_healthy: bool) -> None:
        if is_healthy:
            self._delay = FIRST_SECONDS
        self._ready_at = None
        self._not_before = begin + self._delay
        self._delay = min(2 * self._delay, MAX_SECONDS)


CALM_SECONDS = 3.0


class WorkerEdits(WorkerBackoff):
    """Doubles the pause while every fresh worker is out of date at once: it edits its own source.

    Somebody who saves a file every few seconds does not wait. Here a worker is ready when its
    script has run through, or has failed.
    """

    def pause_seconds(self) -> float:
        """Note an edit; return how long its worker has to wait, perhaps 0 or less."""
        now, pause = time.monotonic(), self.wait_seconds
        is_calm = self._ready_seconds(now) > self._delay + CALM_SECONDS
        self._double(max(now, self._not_before), is_healthy=is_calm)
        return pause


IDLE_SECONDS = 600.0


ABANDONED = "code went on there whose run had ended, so it was killed"

LOOP_SECONDS = 30.0
"""A worker with abandoned code is killed if its loop does not answer for so long."""


class WorkerSlot(WorkerOwner):
    """Gives jobs to the worker of a home.

    An edited source file has a fresh worker take over: new jobs go to it once it is ready and its
    setup script has run through, what the old one has begun it finishes.
    """

    def __init__(
        self,
        home: Home,
        launch: Callable[[Home, WorkerSlot], WorkerProcess],
        on_request: Callable[[WorkerProcess, Message], object],
        on_settled: Callable[[WorkerProcess, list[str] | None], object],
        log: Logger,
    ) -> None:
        self.home = home
        self.settled = asyncio.Event()  # its first script has run, or has failed
        self._launch = launch
        self._on_request = on_request
        self._on_settled = on_settled
        self._log = log
        self._current: WorkerProcess | None = None
        self._starting: WorkerProcess | None = None
        self._latest: WorkerProcess | None = None
        self._retired: set[WorkerProcess] = set()  # that finish what they have begun
        self._stops: set[asyncio.Task[None]] = set()
        self._waiting: deque[Job] = deque()
        self._problem: str | None = None
        self._is_broken = False
        self._backoff = WorkerBackoff()
        self._edits = WorkerEdits()
        self._tasks: dict[int, TaskRecord] = {}  # that have run here
        self._used_at = time.monotonic()
        self._quarantine = Quarantine(home)
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    def forget(self, task: TaskRecord) -> None:
        """Forget a task that is removed."""
        self._tasks.pop(task.id, None)
        self._quarantine.forget(task.id)
        for worker in self._workers():
            worker.declared.discard(task.id)
            worker.send({"op": "forget", "of": task.id})

    def give(self, job: Job, task: TaskRecord | None = None) -> None:
        """Have a job done, of a task or of none, now or when there is a worker for it."""
        self._used_at = time.monotonic()
        if task is not None:
            self._tasks[task.id] = task
        self._take_up_edits()
        worker = self._worker_for(job)
        if worker is not None and worker.is_ready:
            self._give_to(worker, job)
        elif self._starting is None and self._cannot_start():
            self._refuse(job)
        else:
            self._waiting.append(job)
            self._start_soon()

    def cancel(self, job: RunJob, reason: str) -> bool:
        """End a job that was begun; return False if it has not been, and now never will be."""
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
        """Return its worker's process, and why it has none."""
        return {"pid": self._current and self._current.pid, "problem": self._problem}

    def start(self) -> None:
        """Start the worker, if there is none."""
        if self._current is None and self._starting is None:
            self._launch_in(0)

    def check(self) -> None:
        """Do what is due: take up edits, stop what has retired or is idle."""
        self._take_up_edits()
        for worker in tuple(self._retired):
            if not worker.jobs:
                self._retired.discard(worker)
                self._stop(worker)
            elif worker.is_abandoned and worker.ping() > LOOP_SECONDS:
                worker.kill(
                    f"its event loop has not answered for {LOOP_SECONDS:g} s, and code goes on "
                    "there whose run has ended, so it was killed"
                )
        current = self._current
        if current is not None and not current.jobs and self._is_idle():
            self._current = self._latest = None
            self._stop(current)

    def _is_idle(self) -> bool:
        """Return whether nothing has run for ten minutes, and nothing is to run again."""
        if self.home.setup is not None or self._waiting:
            return False
        if time.monotonic() - self._used_at < IDLE_SECONDS:
            return False
        tasks = self._tasks.values()
        return not any(task.due_us is not None or task.paused or task.asks for task in tasks)

    def give_up(self) -> None:
        """Drop the events of sessions that no worker will take soon."""
        is_late = self._is_broken or self._backoff.wait_seconds > 1
        if self._current or self._starting or not is_late:
            return
        for job in [job for job in self._waiting if job.task is None]:
            self._waiting.remove(job)
            job.lost(self._problem or STOPPED)

    async def close(self, seconds: float) -> None:
        """Stop every worker; what they have not done by then is lost."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        stops = [worker.stop(seconds) for worker in self._workers()]
        await asyncio.gather(*stops, *self._stops)
        waiting, self._waiting = list(self._waiting), deque()
        for job in waiting:
            job.lost(STOPPED)

    def worker_ready(self, worker: WorkerProcess, tasks: list[str]) -> None:
        if worker is not self._starting:
            return
        self._on_settled(worker, tasks)
        self._settle(None)
        self._retire(self._current)
        self._current, self._starting = worker, None
        self._backoff.ready()
        self._flush()

    def worker_broken(self, worker: WorkerProcess, error: str, trace: str) -> None:
        setup = self.home.setup
        self._log.error("nbsession: the setup script %s has raised\n%s", setup, trace)
        if worker is not self._starting:
            return
        self._on_settled(worker, None)
        self._starting = None
        self._is_broken = True
        self._stop(worker)
        self._settle(f"the setup script {setup} has raised {error}; it is tried again when edited")
        self._flush()

    def worker_ended(self, worker: WorkerProcess, problem: str) -> None:
        jobs = [job for number in tuple(worker.jobs) if (job := worker.take_back(number))]
        self._retired.discard(worker)
        was_needed = worker in (self._current, self._starting)
        self._note_death(worker, jobs)
        if worker is self._starting:
            self._starting = None
            self._settle(problem)
            if not self._is_closed:
                self._on_settled(worker, None)
        if worker is self._current:
            self._current = None
        if was_needed:
            self._backoff.ended()
        again = [job for job in jobs if job.lost(problem)]
        if not was_needed:
            for job in again:  # to the one that has taken over, which may already be ready
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
        self._log.warning("nbsession: %s: the code of an ended run goes on", worker.name)
        worker.is_abandoned = True
        if worker is self._current and not self._is_closed:
            self._current = self._latest = None
            self._retire(worker)
            if self._starting is None:
                self._launch_in(self._edits.pause_seconds())

    def task_is_harmless(self, task_id: int) -> None:
        self._quarantine.forget(task_id)

    def worker_requested(self, worker: WorkerProcess, message: Message) -> None:
        self._on_request(worker, message)

    def _retire(self, worker: WorkerProcess | None) -> None:
        """Give a worker no more work; stop it once it has done all that it has begun."""
        if worker is not None and worker.jobs:
            self._retired.add(worker)
        elif worker is not None:
            self._stop(worker)

    def _stop(self, worker: WorkerProcess) -> None:
        """Stop a worker that has nothing to do; at once if abandoned code goes on there."""
        if worker.is_abandoned:
            worker.kill(ABANDONED)
        task = asyncio.get_running_loop().create_task(worker.stop(), context=Context())
        self._stops.add(task)
        task.add_done_callback(self._stops.discard)

    def _workers(self) -> list[WorkerProcess]:
        return [worker for worker in (self._current, self._starting, *self._retired) if worker]

    def _worker_of(self, job: Job) -> WorkerProcess | None:
        """Return the worker that has been given a job and has not done it."""
        return next((worker for worker in self._workers() if job.number in worker.jobs), None)

    def _give_to(self, worker: WorkerProcess, job: Job) -> None:
        if isinstance(job, RunJob):
            job.isolate(self._quarantine.isolates(job))
        worker.give(job)

    def _note_death(self, worker: WorkerProcess, jobs: list[Job]) -> None:
        if worker is not self._current or self._is_closed:  # no run's fault
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
        """Return the worker with the job's callable: the starting one, if it has declared it."""
        starting = self._starting
        if starting is not None and (self._current is None or job.task in starting.declared):
            return starting
        return self._current

    def _take_up_edits(self) -> None:
        latest = self._latest
        if latest is None or self._is_closed or not latest.sources.changed:
            return
        self._log.info("nbsession: a source file has changed: starting a new %s", latest.name)
        self._quarantine.clear()
        starting, self._starting = self._starting, None
        self._retire(starting)
        if self.home.setup is None:  # no script has to succeed first
            self._retire(self._current)
            self._current = None
        self._latest = None  # the fresh one will read what else is edited meanwhile
        self._launch_in(self._edits.pause_seconds())

    def _start_soon(self) -> None:
        """Start a worker when the last one's end is long enough ago, if one is wanted then."""
        if self._timer or self._starting or self._current or self._is_broken or self._is_closed:
            return
        self._launch_in(self._backoff.wait_seconds)

    def _launch_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds > 0:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(seconds, self._launch_in, 0, context=Context())
        elif self._starting is None and not self._is_closed:
            self._is_broken = False
            self._starting = self._latest = self._launch(self.home, self)

    def _cannot_start(self) -> bool:
        """Return whether there is a known problem, and it is too early to try again."""
        if self._current is not None or self._problem is None:
            return False
        return self._is_broken or self._backoff.wait_seconds > 0

    def _settle(self, problem: str | None) -> None:
        self._problem = problem
        self._edits.ready()
        self.settled.set()

    def _flush(self) -> None:
        """Give out the jobs that have waited, or refuse them."""
        waiting, self._waiting = self._waiting, deque()
        for job in waiting:
            worker = self._worker_for(job)
            if worker is not None and worker.is_ready:
                self._give_to(worker, job)
            else:
                self._refuse(job)

    def _refuse(self, job: Job) -> None:
        if job.refused(self._problem or "there is no worker"):
            self._waiting.append(job)
            self._start_soon()
