"""One worker as its server sees it: a process, a channel to it, and what it was asked."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

from nbsession.core.process import kill_group
from nbsession.core.protocol import PROTOCOL
from nbsession.core.version import __version__

from .worker_jobs import RunJob
from .worker_launch import end_problem, launch_worker, start_problem
from .worker_messages import STOPPED, Lines, Message, to_line
from .worker_output import WorkerOutput
from .worker_sources import WorkerSources

if TYPE_CHECKING:
    from logging import Logger

    from nbsession.core.target import Home

    from .worker_jobs import Job

_STOP_SECONDS = 5.0
_LAST_WORDS_SECONDS = 1.0


class WorkerOwner(Protocol):
    """What a worker tells, on the loop."""

    def worker_ready(self, worker: WorkerProcess, tasks: list[str]) -> None:
        """Take note that it can be given work; its setup script has declared these tasks."""

    def worker_broken(self, worker: WorkerProcess, error: str, trace: str) -> None:
        """Take note that its setup script has raised."""

    def worker_ended(self, worker: WorkerProcess, problem: str) -> None:
        """Take note that it is no more; `jobs` are those that it has not done."""

    def worker_asked(self, worker: WorkerProcess, message: Message) -> None:
        """Do what it wants of the server's tasks or log."""


class WorkerProcess(asyncio.Protocol):
    """Starts a worker and talks to it.

    Parameters
    ----------
    home
        Where it is.
    python
        The interpreter.
    base_url
        Of the server, None if that is not known.
    owner
        Who is told.
    log
        The server's.

    Attributes
    ----------
    jobs
        What it was given and has not done.
    sources
        The source files that it has read.
    is_ready
        Whether it has said so.
    made
        Names and ids of tasks that its setup script has added.
    declared
        The ids of all that it has declared so far.
    """

    def __init__(
        self, home: Home, python: str, base_url: str | None, owner: WorkerOwner, log: Logger
    ) -> None:
        self.home = home
        self.jobs: dict[int, Job] = {}
        self.sources = WorkerSources()
        self.is_ready = False
        self.made: dict[str, int] = {}
        self.declared: set[int] = set()
        self._python = python
        self._base_url = base_url
        self._owner = owner
        self._log = log
        self._lines = Lines()
        self._transport: asyncio.WriteTransport | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._problem: str | None = None
        self._is_stopping = False
        loop = asyncio.get_running_loop()
        self._silent: asyncio.Future[None] = loop.create_future()
        self._watch = loop.create_task(self._live())

    @property
    def name(self) -> str:
        """For the log."""
        return f"worker of {self.home.setup or self.home.folder}"

    @property
    def pid(self) -> int | None:
        """Of the process; None before it is there."""
        return None if self._process is None else self._process.pid

    def send(self, message: Message) -> None:
        """Send a message, if it still listens."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(to_line(message))

    def give(self, job: Job) -> None:
        """Have a job done. It has to be ready."""
        self.jobs[job.number] = job
        self.send(job.message)

    def kill(self) -> None:
        """End it at once, with all that it has started."""
        if self._process is not None and self._process.returncode is None:
            kill_group(self._process.pid)
        for job in self.jobs.values():
            if isinstance(job, RunJob) and job.child is not None:
                kill_group(job.child)

    async def stop(self, seconds: float = _STOP_SECONDS) -> None:
        """End it: async callables are cancelled; what has not ended after so long is killed."""
        self._is_stopping = True
        self.send({"op": "stop"})
        done, _ = await asyncio.wait([self._watch], timeout=seconds if self.is_ready else 0)
        if not done:
            self.kill()
            if self._process is None:
                self._watch.cancel()
            await asyncio.wait([self._watch])

    async def _live(self) -> None:
        """Start it, see it to its end, and tell that, whatever happens: jobs wait for the news."""
        try:
            problem = await self._see_to_its_end()
        except Exception as error:  # noqa: BLE001 - no thread or descriptor left, no such program
            self.kill()
            problem = start_problem(self._python, self.home, error)
        self._owner.worker_ended(self, problem)

    async def _see_to_its_end(self) -> str:
        """Start it; return why it has ended."""
        with ExitStack() as stack:
            output = WorkerOutput(self._log, self.name)
            stack.callback(output.close)
            ours, theirs = socket.socketpair()
            stack.callback(self._hang_up, ours)
            with theirs:
                self._process = await launch_worker(self._python, self.home, theirs, output.writes)
            output.started()
            await asyncio.get_running_loop().create_connection(lambda: self, sock=ours)
            code = await self._process.wait()
            kill_group(self._process.pid)  # what it has left behind
            self.kill()
            await asyncio.wait([self._silent], timeout=_LAST_WORDS_SECONDS)
            output.close()
            problem = self._problem or (
                STOPPED
                if self._is_stopping
                else end_problem(self._python, code, output.tail, was_ready=self.is_ready)
            )
            if self.is_ready and output.tail and not self._is_stopping:
                self._log.error("nbsession: %s: %s\n%s", self.name, problem, output.tail)
            return problem

    def _hang_up(self, ours: socket.socket) -> None:
        if self._transport is None:
            ours.close()
        else:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the channel."""
        if isinstance(transport, asyncio.WriteTransport):
            self._transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        """Take note that it says no more; without a channel it is of no use."""
        if not self._silent.done():
            self._silent.set_result(None)
        self.kill()

    def data_received(self, data: bytes) -> None:
        """Take messages."""
        try:
            for message in self._lines.feed(data):
                self._take(message)
        except (ValueError, LookupError, TypeError) as error:
            self._problem = f"it said what this server does not understand: {error!r}"
            self._log.exception("nbsession: %s: %s", self.name, self._problem)
            self.kill()

    def _take(self, message: Message) -> None:
        match message["op"]:
            case "ended" | "answered":
                if job := self.jobs.pop(message["job"], None):
                    job.answered(message)
            case "progress":
                job = self.jobs.get(message["job"])
                if isinstance(job, RunJob):
                    job.progressed(message)
            case "child":
                job = self.jobs.get(message["job"])
                if isinstance(job, RunJob):
                    job.child = _process_id(message["pid"])
            case "source":
                stamp = message["stamp"]
                self.sources.add(message["path"], None if stamp is None else tuple(stamp))
            case _:
                self._take_rare(message)

    def _take_rare(self, message: Message) -> None:
        match message["op"]:
            case "hello":
                self._greet(message)
            case "ready":
                self.is_ready = True
                self._owner.worker_ready(self, message["tasks"])
            case "broken":
                self._owner.worker_broken(self, message["error"], message["trace"])
            case "ask" | "log":
                self._owner.worker_asked(self, message)

    def _greet(self, message: Message) -> None:
        if message["protocol"] == PROTOCOL:
            self.send({"op": "home", **self.home.to_json(), "base_url": self._base_url})
            return
        self._problem = (
            f"the nbsession of {self._python} is version {message['version']}, this server's is "
            f"{__version__}, and they do not understand each other: install one version in both"
        )
        self.kill()


def _process_id(value: object) -> int:
    if not isinstance(value, int) or value <= 1:  # 0 is our own group, and 1 everybody's
        message = f"{value!r} is no id of a process that it could have started"
        raise ValueError(message)
    return value
