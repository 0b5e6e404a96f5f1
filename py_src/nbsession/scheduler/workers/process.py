"""One worker, seen from its server: a process, the connection to it, and its jobs."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import ExitStack, suppress
from contextvars import Context
from typing import TYPE_CHECKING, Protocol

from nbsession.core.environment import __version__
from nbsession.core.link_http import PROTOCOL
from nbsession.core.process import kill_group
from nbsession.core.tracebacks import clean
from nbsession.scheduler.abc import abandoned

from .jobs import RunJob
from .messages import STOPPED, BegunFlags, Lines, Message, to_line
from .output import WorkerOutput
from .sources import WorkerSources
from .validation import InvalidMessageError, checked_message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from logging import Logger

    import psutil

    from nbsession.core.tasks.spec import Home

    from .jobs import Job


async def launch_worker(
    python: str, home: Home, descriptors: list[int], output: int
) -> asyncio.subprocess.Process:
    """Start a worker."""
    return await asyncio.create_subprocess_exec(
        python,
        "-P",
        "-m",
        "nbsession.worker",
        str(descriptors[0]),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=descriptors,
        cwd=home.directory,
        start_new_session=True,  # Ctrl-C at the server is not for it
    )


def start_problem(python: str, home: Home, error: Exception) -> str:
    """Return why a worker could not be started."""
    for folder in (home.folder, home.directory):
        if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises for what cannot be reached
            return f"the folder {folder} is not there (any more)"
    return (
        f"no worker can be started with {python}: {error}; it is the interpreter of the "
        "kernel that has scheduled the task, unless NBSession.worker_python sets another one"
    )


def end_problem(python: str, code: int, output: str, *, was_ready: bool) -> str:
    """Return how a worker has ended."""
    if not was_ready and "No module named" in output and "nbsession" in output:
        return (
            f"{python} has no nbsession that could run tasks; install this server's version there: "
            f"{python} -m pip install nbsession=={__version__}"
        )
    how = f"the worker ended with exit code {code}"
    if code < 0:
        with suppress(ValueError):
            how = f"the worker was ended by {signal.Signals(-code).name}"
    return how if was_ready else f"{how} at its start: {output}"


_STOP_SECONDS = 5.0
_LAST_MESSAGES_SECONDS = 1.0
_SHOWN_CHARACTERS = 500
_OF_JOBS = ("ended", "answered", "child")
ABANDON_SECONDS = 1.0
"""The time that a worker may take to confirm that it gives a run up."""


class WorkerOwner(Protocol):
    """Hears from a worker, on the loop."""

    def worker_ready(self, worker: WorkerProcess, tasks: list[str]) -> None:
        """Give it work from now on; its setup script has declared these tasks."""

    def worker_broken(self, worker: WorkerProcess, error: str, trace: str) -> None:
        """Leave everything as it was: its setup script has raised."""

    def worker_ended(self, worker: WorkerProcess, problem: str) -> None:
        """Deal with the jobs that it has not done, and start another one in a while."""

    def worker_abandoned(self, worker: WorkerProcess) -> None:
        """Give it no more work, as if its source had been edited: code of an ended run goes on."""

    def task_is_harmless(self, task_id: int) -> None:
        """End a task's quarantine: it has run in a process of its own that did not crash."""

    def worker_requested(self, worker: WorkerProcess, message: Message) -> None:
        """Do what it asks of the server's tasks or log."""


class WorkerProcess(asyncio.Protocol):
    """Starts a worker, and exchanges messages with it."""

    def __init__(
        self,
        home: Home,
        python: str,
        server: Mapping[str, str | None],
        owner: WorkerOwner,
        log: Logger,
    ) -> None:
        self.home = home
        self.jobs: dict[int, Job] = {}
        self.sources = WorkerSources()
        self.is_ready = False
        self.made: dict[str, int] = {}
        self.declared: set[int] = set()
        self._python = python
        self._server = server  # facts for its "home" message
        self._flags: BegunFlags | None = None
        self._pinged_at: float | None = None
        self.is_abandoned = False
        self._owner = owner
        self._log = log
        self._lines = Lines()
        self._transport: asyncio.WriteTransport | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._problem: str | None = None
        self._is_stopping = False
        loop = asyncio.get_running_loop()
        self._disconnected: asyncio.Future[None] = loop.create_future()
        self._life = loop.create_task(self._live())

    @property
    def name(self) -> str:
        """Its name in the log."""
        return f"worker of {self.home.setup or self.home.folder}"

    @property
    def pid(self) -> int | None:
        """Its process id; None before it has started."""
        return None if self._process is None else self._process.pid

    def send(self, message: Message) -> None:
        """Send a message, if the connection is open."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(to_line(message))

    def give(self, job: Job) -> None:
        """Have a job done; the worker has to be ready."""
        self.jobs[job.number] = job
        if isinstance(job, RunJob) and self._flags is not None:
            job.flag = self._flags.take()
            self.send({**job.message, "flag": job.flag})
        else:
            self.send(job.message)

    def take_back(self, number: int) -> Job | None:
        """Return a job that it has done, or is to do no longer."""
        job = self.jobs.pop(number, None)
        if isinstance(job, RunJob) and self._flags is not None:
            job.is_begun = self._flags.is_set(job.flag)
            self._flags.release(job.flag)
        return job

    def cancel(self, job: RunJob, reason: str) -> None:
        """Have a run end, if it is one that can be ended."""
        job.cancel_reason = reason
        self.send({"op": "cancel", "job": job.number, "reason": reason})

    def abandon(self, job: RunJob, reason: str) -> None:
        """Have a run given up that has not ended, if need be without the worker's answer."""
        job.cancel_reason = reason
        message = {"op": "abandon", "job": job.number, "reason": reason}
        self.send({**message, "begun": abandoned(reason)})
        loop = asyncio.get_running_loop()
        loop.call_later(ABANDON_SECONDS, self._give_up, job, context=Context())

    def _give_up(self, job: RunJob) -> None:
        if job.number not in self.jobs or job.goes_on:
            return
        self.take_back(job.number)
        _kill_child(job)
        self._owner.worker_abandoned(self)
        job.abandon()

    def ping(self) -> float:
        """Ask its loop for an answer; return for how many seconds it has not given one."""
        now = asyncio.get_running_loop().time()
        if self._pinged_at is None:
            self._pinged_at = now
            self.send({"op": "ping"})
        return now - self._pinged_at

    def kill(self, problem: str | None = None) -> None:
        """End it at once, with all that it has started; for a problem if one is given."""
        self._problem = self._problem or problem
        if self._process is not None and self._process.returncode is None:
            kill_group(self._process.pid)
        for job in self.jobs.values():
            if isinstance(job, RunJob):
                _kill_child(job)

    async def stop(self, seconds: float = _STOP_SECONDS) -> None:
        """End it: async callables are cancelled; what has not ended after so long is killed."""
        self._is_stopping = True
        self.send({"op": "stop"})
        done, _ = await asyncio.wait([self._life], timeout=seconds if self.is_ready else 0)
        if not done:
            self.kill()
            if self._process is None:
                self._life.cancel()
            await asyncio.wait([self._life])

    async def _live(self) -> None:
        """Start it, wait for its end, and report that, whatever happens: jobs wait for it."""
        try:
            problem = await self._run()
        except Exception as error:  # noqa: BLE001 - no thread or descriptor left, no such program
            self.kill()
            problem = start_problem(self._python, self.home, error)
        try:
            self._owner.worker_ended(self, problem)
        finally:
            if self._flags is not None:
                self._flags.close()
                self._flags = None

    async def _run(self) -> str:
        """Start it, wait for its end, and return why it has ended."""
        with ExitStack() as stack:
            output = WorkerOutput(self._log, self.name)
            stack.callback(output.close)
            ours, theirs = socket.socketpair()
            stack.callback(self._disconnect, ours)
            flags = self._flags = BegunFlags()
            with theirs:
                descriptors = [theirs.fileno(), flags.descriptor]
                self._process = await launch_worker(
                    self._python, self.home, descriptors, output.writes
                )
            flags.close_file()
            output.started()
            await asyncio.get_running_loop().create_connection(lambda: self, sock=ours)
            code = await self._process.wait()
            kill_group(self._process.pid)  # what it has left behind
            self.kill()
            await asyncio.wait([self._disconnected], timeout=_LAST_MESSAGES_SECONDS)
            output.close()
            problem = self._problem or (
                STOPPED
                if self._is_stopping
                else end_problem(self._python, code, output.tail, was_ready=self.is_ready)
            )
            if self.is_ready and output.tail and not self._is_stopping:
                self._log.error("nbsession: %s: %s\n%s", self.name, problem, output.tail)
            return problem

    def _disconnect(self, ours: socket.socket) -> None:
        if self._transport is None:
            ours.close()
        else:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            self._transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        if not self._disconnected.done():
            self._disconnected.set_result(None)
        self.kill()  # without a connection it is of no use

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._lines.feed(data):
                self._check_and_take(message)
        except ValueError as error:  # so nothing that it sends can be trusted
            self._problem = clean(f"it sent an invalid message: {error}", _SHOWN_CHARACTERS)
            self._log.error("nbsession: %s: %s; it is killed", self.name, self._problem)
            self.kill()
            if self._transport is not None:
                self._transport.abort()  # what is still to be read is not trusted either

    def _check_and_take(self, data: object) -> None:
        """Take a message; an invalid one of a job ends that job."""
        try:
            message = checked_message(data)
            self._check_job(message)
        except InvalidMessageError as error:
            job = None if error.job is None else self.take_back(error.job)
            if job is None:
                raise
            why = clean(f"the worker sent an invalid message: {error}", _SHOWN_CHARACTERS)
            self._log.error("nbsession: %s: job %d ends: %s", self.name, job.number, why)
            if isinstance(job, RunJob):
                self.cancel(job, "cancelled")
            job.invalid(why)
            return
        try:
            self._take(message)
        except Exception:  # noqa: BLE001 - not its fault: the other messages still count
            self._log.exception("nbsession: a message of %s could not be handled", self.name)

    def _check_job(self, message: Message) -> None:
        job = self.jobs.get(message["job"]) if message["op"] in _OF_JOBS else None
        if job is None:
            return
        if message["op"] in ("ended", "answered") and message["op"] != job.answer:
            raise InvalidMessageError(f"{message['op']} for what wants {job.answer}", job.number)
        if message["op"] == "child" and isinstance(job, RunJob):
            job.child = self._child(message["pid"], job)

    def _child(self, pid: int, job: RunJob) -> psutil.Process | None:
        """Return the process that a worker has started for a run; None if it has ended."""
        import psutil

        try:
            if psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE:
                return None  # its processes have another parent by now, or none
            process = psutil.Process(pid)
            is_its_own = process.ppid() == self.pid and os.getpgid(pid) == pid
        except (psutil.Error, OSError):
            return None
        if not is_its_own or not job.has_process:
            error = f"child with pid={pid}: no process that it has started for the run"
            raise InvalidMessageError(error, job.number)
        return process

    def _take(self, message: Message) -> None:
        match message["op"]:
            case "ended":
                self._end_run(message)
            case "answered":
                if job := self.take_back(message["job"]):
                    job.answered(message)
            case "progress":
                job = self.jobs.get(message["job"])
                if isinstance(job, RunJob):
                    job.progressed(message)
            case "source":
                self.sources.add(message["path"], message["stamp"])
            case _:
                self._take_rare(message)

    def _end_run(self, message: Message) -> None:
        job = self.take_back(message["job"])
        if not isinstance(job, RunJob):
            return
        if job.is_abandoned(message):
            _kill_child(job)
            self._owner.worker_abandoned(self)
        has_crashed = message["state"] == "failed" and message.get("traceback") is None
        if job.is_isolated and job.task is not None and not has_crashed:
            self._owner.task_is_harmless(job.task)
        job.answered(message)

    def _take_rare(self, message: Message) -> None:
        match message["op"]:
            case "pong":
                self._pinged_at = None
            case "goes_on":
                job = self.jobs.get(message["job"])
                if isinstance(job, RunJob):
                    job.goes_on = True
            case "hello":
                self._greet(message)
            case "ready":
                self.is_ready = True
                self._owner.worker_ready(self, message["tasks"])
            case "broken":
                self._owner.worker_broken(self, message["error"], message["trace"])
            case "ask" | "log":
                self._owner.worker_requested(self, message)

    def _greet(self, message: Message) -> None:
        if message["protocol"] == PROTOCOL:
            flags = None if self._flags is None else self._flags.number
            self.send({"op": "home", **self.home.to_json(), **self._server, "flags": flags})
            return
        self._problem = (
            f"the nbsession of {self._python} is version {message['version']}, this server's is "
            f"{__version__}, and they do not understand each other: install one version in both"
        )
        self.kill()


def _kill_child(job: RunJob) -> None:
    """Kill a run's own process, unless its id is another's by now."""
    import psutil

    if job.child is not None and (job.child.is_running() or not psutil.pid_exists(job.child.pid)):
        kill_group(job.child.pid)
