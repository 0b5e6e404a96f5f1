"""The output of runs: stored with the run, and no more of it than people read."""

from __future__ import annotations

import io
import os
import select
import sys
import threading
import time
from codecs import getincrementaldecoder
from collections import deque
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from nbsession.core.text import MAX_LOG_CHARACTERS, escape_surrogates
from nbsession.core.threads import ThreadCarrier

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

    from nbsession.core.threads import Values
    from nbsession.worker.channel import Channel, ServerLog

HEAD_CHARACTERS = 32_768
TAIL_CHARACTERS = 32_768

READ_SECONDS = 1.0
"""How long a run's subprocesses are listened to after its end."""

_CHUNK_BYTES = 65_536  # what a pipe holds
_LATE_PAUSE_SECONDS = 0.02

_decoder = getincrementaldecoder("utf-8")


class RunOutput:
    """The beginning and the end of a text that may be long; any thread may add to it."""

    __slots__ = (
        "_closed",
        "_decoders",
        "_dropped",
        "_head",
        "_head_left",
        "_lock",
        "_pipe",
        "_tail",
        "_tail_size",
    )

    def __init__(self) -> None:
        self._head: list[str] = []
        self._head_left = HEAD_CHARACTERS
        self._tail: deque[str] = deque()
        self._tail_size = 0
        self._dropped = 0
        self._closed = False
        self._decoders: dict[str, Any] = {}
        self._pipe: _Pipe | None = None
        self._lock = threading.Lock()

    @property
    def is_closed(self) -> bool:
        """Return whether nothing can be added any more."""
        return self._closed

    def add(self, text: str) -> bool:
        """Add text; False if it is too late for that."""
        if self._pipe is not None:  # what a subprocess has written before comes first
            self._pipe.drain()
        with self._lock:
            return self._add(text)

    def add_bytes(self, data: bytes, stream: str) -> bool:
        """Add bytes of a stream, which may end within a character; False if it is too late."""
        if self._pipe is not None:
            self._pipe.drain()
        with self._lock:
            if stream not in self._decoders:
                self._decoders[stream] = _decoder("backslashreplace")
            return not self._closed and self._add(self._decoders[stream].decode(data))

    def add_read(self, text: str) -> bool:
        """Add text that was read from the pipe; False if it is too late for that."""
        with self._lock:
            return self._add(text)

    def _add(self, text: str) -> bool:
        if self._closed:
            return False
        if self._head_left:
            self._head.append(text[: self._head_left])
            start = self._head_left
            self._head_left -= len(self._head[-1])
            if len(text) <= start:
                return True
            text = text[start:]
        self._add_to_tail(text)
        return True

    def _add_to_tail(self, text: str) -> None:
        end = text[-TAIL_CHARACTERS:]
        self._dropped += len(text) - len(end)
        self._tail.append(end)
        self._tail_size += len(end)
        while self._tail_size - len(self._tail[0]) >= TAIL_CHARACTERS:
            removed = len(self._tail.popleft())
            self._tail_size -= removed
            self._dropped += removed

    def open_pipe(self) -> int | None:
        """Return a new descriptor that subprocesses can write to; None if there can be none.

        It belongs to the caller, who closes it with `close_descriptor`.
        """
        with self._lock:
            if self._closed:
                return None
            if self._pipe is None:
                try:
                    self._pipe = _Pipe(self)
                except (OSError, RuntimeError):  # no descriptor or thread left
                    return None
        return self._pipe.open()

    def pipe_path(self) -> str | None:
        """Return the path at which other processes can open the pipe, where the system has one."""
        descriptor = self.open_pipe()
        if descriptor is None:
            return None
        self.close_descriptor(descriptor)
        return None if self._pipe is None else self._pipe.path

    def close_descriptor(self, descriptor: int) -> None:
        """Close what `open_pipe` has returned."""
        if self._pipe is not None:
            self._pipe.close(descriptor)

    def owns(self, pipe: _Pipe) -> bool:
        """Return whether a pipe is this one's."""
        return pipe is self._pipe

    def end_pipe(self) -> bool:
        """Give no more descriptors to subprocesses; return whether all has been read."""
        return self._pipe is None or self._pipe.end()

    def wait_for_pipe(self) -> None:
        """Wait until all subprocesses have closed their streams, or for `READ_SECONDS`."""
        if self._pipe is not None:
            self._pipe.at_end.wait(READ_SECONDS)

    def close(self) -> str:
        """Return what there is; nothing more is added."""
        if self._pipe is not None:
            self._pipe.drain()
        with self._lock:
            for decoder in self._decoders.values():
                self._add(decoder.decode(b"", final=True))
            self._closed = True
        if self._pipe is not None:
            self._pipe.end()  # it may be younger than the end of the run
        with self._lock:
            text = "".join(self._head)
            if self._tail:
                tail = "".join(self._tail)
                dropped = self._dropped + max(0, len(tail) - TAIL_CHARACTERS)
                gap = f"\n[… {dropped:,} characters left out …]\n" if dropped else ""
                text += gap + tail[-TAIL_CHARACTERS:]
            self._head.clear()  # threads and pools may refer to this for long
            self._tail.clear()
        return escape_surrogates(text)  # the database would refuse halves of pairs


current_output: ContextVar[RunOutput | None] = ContextVar("nbsession_run_output", default=None)
"""Where the running code's prints go; None for the process's own output."""


class _Pipe:
    """What subprocesses of a run write to: read by a thread of its own until all have closed it."""

    def __init__(self, output: RunOutput) -> None:
        self._output = output
        self._decoder = _decoder("backslashreplace")
        self._lock = threading.RLock()
        self.at_end = threading.Event()
        self._reads, self._writes = os.pipe()
        self.descriptors = {self._writes}
        _pipes.add(self)
        os.set_blocking(self._reads, False)
        thread = threading.Thread(target=self._read, name="nbsession-output", daemon=True)
        try:
            thread.start()
        except BaseException:
            _pipes.discard(self)
            os.close(self._reads)
            os.close(self._writes)
            raise

    @property
    def path(self) -> str:
        return f"/proc/{os.getpid()}/fd/{self._writes}"

    def open(self) -> int | None:
        with self._lock:
            if self._writes < 0:
                return None
            descriptor = os.dup(self._writes)
            self.descriptors.add(descriptor)
            return descriptor

    def close(self, descriptor: int) -> None:
        with self._lock:  # forgotten first: once closed, the number may be another file's
            self.descriptors.discard(descriptor)
            os.close(descriptor)

    def end(self) -> bool:
        with self._lock:
            if self._writes >= 0:
                self.close(self._writes)
                self._writes = -1
        self.drain()
        return self.at_end.is_set()

    def drain(self) -> None:
        """Take what is there now."""
        with self._lock:
            left = _CHUNK_BYTES  # a process that never stops must not keep the caller here
            while left > 0 and not self.at_end.is_set():
                try:
                    data = os.read(self._reads, left)
                except BlockingIOError:
                    return
                text = self._decoder.decode(data, final=not data)
                if not self._output.add_read(text):
                    log_rest(self, text, final=not data)
                if not data:
                    self.at_end.set()
                left -= len(data)

    def close_in_child(self, *, is_own: bool) -> None:
        """Let go of what a forked process has inherited."""
        descriptors = {self._reads} if is_own else {self._reads, *self.descriptors}
        for descriptor in descriptors:
            with suppress(OSError):
                os.close(descriptor)

    def _read(self) -> None:
        poll = select.poll()
        poll.register(self._reads, select.POLLIN)
        while not self.at_end.is_set():
            poll.poll()
            self.drain()
            if self._output.is_closed:  # nobody waits for it: a flood costs us little
                time.sleep(_LATE_PAUSE_SECONDS)
        with self._lock:
            _pipes.discard(self)
            os.close(self._reads)


_pipes: set[_Pipe] = set()


class _Bytes(io.RawIOBase):
    """`sys.stdout.buffer`."""

    def __init__(self, stream: RunStream) -> None:
        super().__init__()
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        raw = bytes(data)
        self._stream.write_bytes(raw)
        return len(raw)

    def fileno(self) -> int:
        return self._stream.fileno()


class RunStream(io.TextIOBase):
    """A standard stream that gives each run its own, and the rest to the server's log."""

    encoding = "utf-8"

    def __init__(self, name: str, original: Any) -> None:
        super().__init__()
        self.original = original
        self.is_diverted = True
        self._name = name
        self._rest_decoder = _decoder("backslashreplace")
        self._lock = threading.Lock()
        self.buffer = _Bytes(self)

    def write(self, text: Any) -> int:
        """Store text with the run that writes it."""
        if not isinstance(text, str):
            message = f"write() argument must be str, not {type(text).__name__}"
            raise TypeError(message)
        if not self.is_diverted:
            return int(self.original.write(text))
        output = current_output.get()
        if output is None or not output.add(text):
            log_rest(self._name, text)
        return len(text)

    def write_bytes(self, data: bytes) -> None:
        """Store bytes with the run that writes them."""
        if not self.is_diverted:
            self.original.flush()  # text before it
            self.original.buffer.write(data)
            return
        output = current_output.get()
        if output is None or not output.add_bytes(data, self._name):
            with self._lock:
                text = self._rest_decoder.decode(data)
            log_rest(self._name, text)

    def writable(self) -> bool:
        """Return True."""
        return True

    def flush(self) -> None:
        """Flush the process's own stream; a run's is never behind."""
        self.original.flush()

    def fileno(self) -> int:
        """Return the descriptor of the process's own stream, as for a subprocess."""
        return int(self.original.fileno())

    def reconfigure(self, **_options: Any) -> None:
        """Change nothing: text stays text."""


class _Rest:
    """Output that belongs to no run (any more), as the setup script's: lines for the log."""

    def __init__(self, log: ServerLog) -> None:
        self._log = log
        self._ends: dict[object, str] = {}
        self._lock = threading.Lock()

    def write(self, stream: object, text: str, *, final: bool) -> None:
        with self._lock:
            *lines, rest = (self._ends.pop(stream, "") + text).split("\n")
            if rest and final:
                lines.append(rest)
            elif rest:
                self._ends[stream] = rest[-MAX_LOG_CHARACTERS:]
        for line in lines:
            self._log.write("info", line)


_rest: _Rest | None = None
_diverted: list[RunStream] = []


def _carried() -> Values:
    return ((current_output, current_output.get()),)


_carrier = ThreadCarrier(_carried, into_initializers=True)


def log_rest(stream: object, text: str, *, final: bool = False) -> None:
    """Write what belongs to no run to the server's log, by lines; each stream has its own."""
    if _rest is not None:
        _rest.write(stream, text, final=final)


def divert(log: ServerLog) -> None:
    """Let each run have its own stdout and stderr from now on; the rest goes to the log."""
    global _rest  # noqa: PLW0603 - as are the standard streams
    _rest = _Rest(log)
    for name in ("stdout", "stderr"):
        original = getattr(sys, name)
        original.reconfigure(line_buffering=True, encoding="utf-8", errors="backslashreplace")
        stream = RunStream(name, original)
        _diverted.append(stream)
        setattr(sys, name, stream)
    _carrier.install()
    os.register_at_fork(after_in_child=_undivert)


def _undivert() -> None:
    # A forked child has no thread that would read what it adds to a run's output. Who has kept a
    # stream, as a handler of `logging` does, writes to the original too.
    for stream in _diverted:
        stream.is_diverted = False
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, RunStream):
            setattr(sys, name, stream.original)
    output = current_output.get()
    for pipe in tuple(_pipes):
        pipe.close_in_child(is_own=output is not None and output.owns(pipe))


_pending: set[threading.Thread] = set()


def when_read(output: RunOutput, finish: Callable[[], object]) -> None:
    """Call back once the subprocesses of an ended run are read, `READ_SECONDS` later at most."""
    if output.end_pipe():
        finish()
        return

    def wait() -> None:
        try:
            output.wait_for_pipe()
            finish()
        finally:
            _pending.discard(thread)

    thread = threading.Thread(target=wait, name="nbsession-output-end", daemon=True)
    _pending.add(thread)
    try:
        thread.start()
    except RuntimeError:  # no more threads: what comes later goes to the log
        _pending.discard(thread)
        finish()


def wait_until_read() -> None:
    """Wait for all that `when_read` is still waiting for."""
    for thread in tuple(_pending):
        thread.join(READ_SECONDS)


_EVERY_SECONDS = 0.1


class Progress:
    """The progress of one run."""

    __slots__ = ("_channel", "_job", "_latest", "_lock", "_loop", "_sent_at", "_timed")

    def __init__(self, channel: Channel, loop: AbstractEventLoop, job: int) -> None:
        self._channel = channel
        self._loop = loop
        self._job = job
        self._latest: tuple[float, str] | None = None
        self._sent_at = 0.0
        self._timed = False
        self._lock = threading.Lock()

    def report(self, fraction: float, text: str) -> None:
        """Tell how far the run has come; on any thread."""
        with self._lock:
            self._latest = fraction, text
            if self._timed:
                return
            wait = self._sent_at + _EVERY_SECONDS - time.monotonic()
            self._timed = wait > 0
        if wait <= 0 or not self._flush_in(wait):
            self.flush()

    def _flush_in(self, seconds: float) -> bool:
        """Have the latest told in a while; False if there is nobody who could."""
        try:
            if self._loop.is_running():
                self._loop.call_soon_threadsafe(self._loop.call_later, seconds, self.flush)
            else:  # in the process of a sync run no loop turns
                timer = threading.Timer(seconds, self.flush)
                timer.daemon = True
                timer.start()
        except RuntimeError:  # the loop has been closed since, or no thread can be started
            return False
        return True

    def flush(self) -> None:
        """Tell the latest, if it has not been told."""
        with self._lock:
            latest, self._latest, self._timed = self._latest, None, False
            self._sent_at = time.monotonic()
        if latest is not None:
            fraction, text = latest
            self._channel.send(
                {"op": "progress", "job": self._job, "fraction": fraction, "text": text}
            )
