"""The connection to whoever started this process: messages both ways, requests with answers."""

from __future__ import annotations

import itertools
import math
import os
import socket
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from nbsession.core.errors import error_from
from nbsession.core.tasks.run import current_run
from nbsession.core.text import MAX_LOG_CHARACTERS, LineLimit
from nbsession.core.tracebacks import clean
from nbsession.scheduler.workers.messages import MAX_LINE_BYTES, Lines, Message, to_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_CHUNK_BYTES = 65_536


class Channel:
    """One end of a socket pair. Anything may be sent from any thread.

    Messages are received on the thread that iterates over `messages`: a blocked event loop, or a
    sync callable, does not hold them up.
    """

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - it takes no keyword
        self._socket = socket.socket(fileno=descriptor)
        self.is_open = True
        self._sending = threading.Lock()
        self._waiting: dict[int, Callable[[Message], object]] = {}
        self._numbers = itertools.count(1)
        os.register_at_fork(after_in_child=self._abandon)

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message; nothing happens if the other end is closed, which ends `messages`."""
        if not self.is_open:
            return
        line = to_line(message)
        if len(line) > MAX_LINE_BYTES:
            raise ValueError(
                f"{len(line):,} bytes are too much for the server; put large data into a file, and "
                "give a task its path"
            )
        with self._sending:
            try:
                self._socket.sendall(line)
            except OSError:
                return

    def ask(self, what: str, *args: Any, **kwargs: Any) -> Any:
        """Ask the server's task service something, and wait for the answer."""
        if not self.is_open:
            raise RuntimeError("a forked process cannot reach the server; ask in its parent")
        answers: SimpleQueue[Message] = SimpleQueue()
        run = current_run.get()
        question = {"what": what, "args": args, "kwargs": kwargs, "run": run and run.id}
        self.ask_later(question, answers.put)
        answer = answers.get()
        if "error" not in answer:
            return answer["value"]
        name, text = answer["error"], answer["message"]
        raise error_from(name, text, args[0] if args else "") or RuntimeError(f"{name}: {text}")

    def ask_later(
        self, question: Mapping[str, Any], on_answer: Callable[[Message], object]
    ) -> None:
        """Ask without waiting; the answer comes on the thread that reads. Raises as `send`."""
        number = next(self._numbers)
        self._waiting[number] = on_answer
        try:
            self.send({**question, "op": "ask", "job": number})
        except BaseException:
            del self._waiting[number]
            raise

    def messages(self) -> Iterator[Message]:
        """Yield what is received until the other end closes; answers go to who has asked."""
        lines = Lines(math.inf)  # from a server that may hold long arguments
        while True:
            try:
                data = self._socket.recv(_CHUNK_BYTES)
            except OSError:
                return
            if not data:
                return
            for message in lines.feed(data):
                if message["op"] == "answer":
                    on_answer = self._waiting.pop(message["job"], None)
                    if on_answer is not None:
                        on_answer(message)
                else:
                    yield message

    def _abandon(self) -> None:
        # A forked child must neither speak for its parent, nor keep the line open after it.
        self.is_open = False
        self._socket.close()


class ServerLog:
    """Writes to the server's log; from any thread."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self._limit = LineLimit()

    def write(self, level: str, text: str) -> None:
        """Write a line; dropped and counted if there were too many in this second."""
        if not self._channel.is_open:  # forked, perhaps while another thread had the lock
            return
        with self._lock:
            if not self._limit.take():
                return
            left_out = self._limit.take_left_out()
        if left_out:
            self._send("warning", f"{left_out:,} lines left out")
        self._send(level, clean(text, MAX_LOG_CHARACTERS))

    def write_trace(self, text: str, trace: str) -> None:
        """Write an error with its traceback."""
        self._channel.send({"op": "log", "level": "error", "text": text, "trace": trace})

    def _send(self, level: str, text: str) -> None:
        self._channel.send({"op": "log", "level": level, "text": text})
