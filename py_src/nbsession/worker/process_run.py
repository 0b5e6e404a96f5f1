"""A run in a process of its own, which can be killed and whose crash costs nobody else."""

from __future__ import annotations

import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from codecs import getincrementaldecoder
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from nbsession.core.process import kill_group
from nbsession.scheduler.workers.messages import Lines, Message, to_line
from nbsession.scheduler.workers.validation import checked_message
from nbsession.worker.output.capture import READ_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .channel import Channel
    from .guard import Guard
    from .run import WorkerRun
    from .threads import ThreadPool

no_forks = threading.Lock()
"""Held while a process is started.

A fork in the middle of that would inherit the pipes and sockets that are meant for the other
process: its start and its end would only be seen once the forked one has ended too.
"""

os.register_at_fork(
    before=no_forks.acquire, after_in_parent=no_forks.release, after_in_child=no_forks.release
)

_CHUNK_BYTES = 65_536
_EXIT_SECONDS = 5.0
"""The time that a process may take to exit once its run has ended."""
_FLOOD_SECONDS = 0.5
"""The time for which output is drained that never stops."""


class ProcessRun:
    """Starts the process of one run, reads what it sends and prints, and reports its end."""

    def __init__(
        self,
        run: WorkerRun,
        channel: Channel,
        pool: ThreadPool,
        guard: Guard,
        home: Mapping[str, Any],
    ) -> None:
        self.run = run
        self._channel = channel
        self._pool = pool
        self._guard = guard
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._sending = threading.Lock()
        self._kill_reason: str | None = None
        self._is_reaped = False
        self._end: Message | None = None
        self._exit_by = 0.0
        self._lock = threading.Lock()
        self._decode = getincrementaldecoder("utf-8")("backslashreplace").decode

    def kill(self, reason: str) -> None:
        """End the process and all that it has started; on any thread, which is not held up."""
        with self._lock:
            self._kill_reason = self._kill_reason or reason
            if self._process is not None and not self._is_reaped:
                kill_group(self._process.pid)

    def supervise(self) -> None:
        """Run it to its end. The process ends with the thread that calls this."""
        if self._kill_reason is not None:
            self.run.fail_with(reason=self._kill_reason)
            return
        try:
            process, ours = self._start()
        except OSError as error:
            self.run.fail(error)
            return
        with ours:
            try:
                self._connection = ours
                self._channel.send({"op": "child", "job": self.run.job, "pid": process.pid})
                self._send({"op": "home", **self._home})
                self._send(self.run.request)
                self._listen(process, ours)
            finally:
                self._reap(process)
        self._report(process.returncode)

    def _start(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        """Start the process; return our end of the connection to it, too."""
        with no_forks, ExitStack() as stack:
            ours, theirs = socket.socketpair()
            stack.callback(ours.close)
            with theirs:
                options = ["-u", "-P", "-m", "nbsession.worker.child", str(theirs.fileno())]
                process = subprocess.Popen(  # noqa: S603 - our own interpreter
                    [sys.executable, *options],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    pass_fds=[theirs.fileno()],
                    cwd=self._home["directory"],
                    process_group=0,
                )
            stack.pop_all()
        self._guard.watch(process.pid)
        with self._lock:  # not before: a slow disk may hold that up, and `kill` does not wait
            self._process = process
            if self._kill_reason is not None:
                kill_group(process.pid)
        return process, ours

    def _listen(self, process: subprocess.Popen[bytes], ours: socket.socket) -> None:
        """Take what it prints and sends, until it sends no more."""
        assert process.stdout is not None  # noqa: S101 - for mypy: it is a pipe
        output = process.stdout.fileno()
        with process.stdout, selectors.DefaultSelector() as selector:
            selector.register(ours, selectors.EVENT_READ)
            selector.register(output, selectors.EVENT_READ)
            lines = Lines()
            while self._end is None or time.monotonic() < self._exit_by:
                for key, _ in selector.select(None if self._end is None else _EXIT_SECONDS):
                    if key.fd != output:
                        if not self._take_messages(ours, lines):
                            self._drain(output)
                            return
                    elif not self._take_output(output):
                        selector.unregister(output)

    def _take_messages(self, ours: socket.socket, lines: Lines) -> bool:
        try:
            data = ours.recv(_CHUNK_BYTES)
        except OSError:  # it has ended with something unread
            return False
        for message in lines.feed(data):
            self._take(checked_message(message))
        return bool(data)

    def _take_output(self, output: int) -> bool:
        data = os.read(output, _CHUNK_BYTES)
        self.run.output.add(self._decode(data, final=not data))
        return bool(data)

    def _drain(self, output: int) -> None:
        """Take its last output; what it has started may print for a while yet."""
        give_up_at = time.monotonic() + (READ_SECONDS if self._kill_reason is None else 0)
        poll = select.poll()
        poll.register(output, select.POLLIN)
        while poll.poll(max(0, give_up_at - time.monotonic()) * 1000):
            if not self._take_output(output):
                return
            if time.monotonic() > give_up_at + _FLOOD_SECONDS:
                return

    def _take(self, message: Message) -> None:
        match message["op"]:
            case "progress":
                self.run.progress.report(message["fraction"], message["text"])
            case "ended":
                self._end = message
                self._exit_by = time.monotonic() + _EXIT_SECONDS
            case "ask":
                self._forward(message)
            case "log":
                self._channel.send(message)

    def _forward(self, question: Message) -> None:
        job = question["job"]

        def refuse(error: Exception) -> None:
            answer = {"op": "answer", "job": job, "error": type(error).__name__}
            self._send({**answer, "message": str(error)})

        def answered(answer: Message) -> None:
            try:
                self._pool.submit(lambda: self._send({**answer, "job": job}))
            except RuntimeError as error:  # no thread can be started
                refuse(error)

        try:
            self._channel.ask_later(question, answered)
        except ValueError as error:  # too long, with the worker's longer number
            refuse(error)

    def _send(self, message: Mapping[str, Any]) -> None:
        line = to_line(message)
        with self._sending, suppress(OSError):  # it may have ended
            if self._connection is not None:
                self._connection.sendall(line)

    def _reap(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._is_reaped = True  # once it is reaped, its id may be another's
            kill_group(process.pid)
            self._guard.forget(process.pid)
        process.wait()

    def _report(self, code: int) -> None:
        if self._end is not None:  # a kill may have come while it was only still exiting
            self.run.report_end({**self._end, "job": self.run.job})
        elif self._kill_reason is not None:
            self.run.fail_with(reason=self._kill_reason)
        else:
            self.run.fail_with(error=_end_text(code))


def _end_text(code: int) -> str:
    if code >= 0:
        return f"the run's process ended with exit code {code} before its callback had returned"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = "; perhaps the system had no memory left" if -code == signal.SIGKILL else ""
    return f"the run's process was ended by {name}{hint}"
