"""The output of runs, of which the beginning and the end are stored."""

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
    from collections.abc import Callable

    from nbsession.worker.channel import ServerLog

HEAD_CHARACTERS = 32_768
TAIL_CHARACTERS = 32_768

READ_SECONDS = 1.0
"""The time for which the output of a run's subprocesses is read after its end."""

_CHUNK_BYTES = 65_536  # what a pipe holds
_LATE_PAUSE_SECONDS = 0.02

_decoder = getincrementaldecoder("utf-8")


class RunOutput:
    """The beginning and the end of a text that may be long; any thread may add to it."""

    def __init__(self) -> None:
        self._head: list[str] = []
        self._head_left = HEAD_CHARACTERS
        self._tail: deque[str] = deque()
        self._tail_size = 0
        self._dropped = 0
        self.is_closed = False
        self._decoders: dict[str, Any] = {}
        self.pipe: _Pipe | None = None
        self._lock = threading.Lock()

    def add(self, text: str) -> bool:
        """Add text; return False if the output is closed."""
        if self.pipe is not None:  # what a subprocess has written before comes first
            self.pipe.drain()
        with self._lock:
            return self._add(text)

    def add_bytes(self, data: bytes, stream: str) -> bool:
        """Add bytes of a stream, which may end within a character; return as `add`."""
        if self.pipe is not None:
            self.pipe.drain()
        with self._lock:
            if stream not in self._decoders:
                self._decoders[stream] = _decoder("backslashreplace")
            return not self.is_closed and self._add(self._decoders[stream].decode(data))

    def add_read(self, text: str) -> bool:
        """Add text that was read from the pipe; return as `add`."""
        with self._lock:
            return self._add(text)

    def _add(self, text: str) -> bool:
        if self.is_closed:
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

    def get_pipe(self) -> _Pipe | None:
        """Return the pipe for subprocesses; None if there can be none."""
        with self._lock:
            if self.is_closed:
                return None
            if self.pipe is None:
                with suppress(OSError, RuntimeError):  # no descriptor or thread left
                    self.pipe = _Pipe(self)
            return self.pipe

    def close(self) -> str:
        """Return the output; nothing more is added."""
        if self.pipe is not None:
            self.pipe.drain()
        with self._lock:
            for decoder in self._decoders.values():
                self._add(decoder.decode(b"", final=True))
            self.is_closed = True
        if self.pipe is not None:
            self.pipe.end()  # it may be younger than the end of the run
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
"""The output of the run whose code is running; None outside of runs."""


class _Pipe:
    """A pipe for subprocesses of a run, read by a thread of its own until all have closed it."""

    def __init__(self, output: RunOutput) -> None:
        self._output = output
        self._decoder = _decoder("backslashreplace")
        self._lock = threading.RLock()
        self.at_end = threading.Event()
        self._reads, self._writes = os.pipe()
        self._descriptors = {self._writes}
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
    def path(self) -> str | None:
        """The path at which other processes can open it, where the system has one."""
        with self._lock:
            return None if self._writes < 0 else f"/proc/{os.getpid()}/fd/{self._writes}"

    def open(self) -> int | None:
        """Return a new descriptor that subprocesses can write to; None once it has ended."""
        with self._lock:
            if self._writes < 0:
                return None
            descriptor = os.dup(self._writes)
            self._descriptors.add(descriptor)
            return descriptor

    def close(self, descriptor: int) -> None:
        with self._lock:  # removed first: once closed, the number may be another file's
            self._descriptors.discard(descriptor)
            os.close(descriptor)

    def end(self) -> bool:
        """Give out no more descriptors; return whether all has been read."""
        with self._lock:
            if self._writes >= 0:
                self.close(self._writes)
                self._writes = -1
        self.drain()
        return self.at_end.is_set()

    def drain(self) -> None:
        """Read the data that is there now."""
        with self._lock:
            left = _CHUNK_BYTES  # a process that never stops must not keep the caller here
            while left > 0 and not self.at_end.is_set():
                try:
                    data = os.read(self._reads, left)
                except BlockingIOError:
                    return
                text = self._decoder.decode(data, final=not data)
                if not self._output.add_read(text):
                    log_output(self, text, final=not data)
                if not data:
                    self.at_end.set()
                left -= len(data)

    def close_in_child(self, *, is_own: bool) -> None:
        """Close the descriptors that a forked process has inherited."""
        descriptors = {self._reads} if is_own else {self._reads, *self._descriptors}
        for descriptor in descriptors:
            with suppress(OSError):
                os.close(descriptor)

    def _read(self) -> None:
        poll = select.poll()
        poll.register(self._reads, select.POLLIN)
        while not self.at_end.is_set():
            poll.poll()
            self.drain()
            if self._output.is_closed:  # nobody waits for it: limit the cost of a flood
                time.sleep(_LATE_PAUSE_SECONDS)
        with self._lock:
            _pipes.discard(self)
            os.close(self._reads)


_pipes: set[_Pipe] = set()


class _StreamBuffer(io.RawIOBase):
    """`sys.stdout.buffer`."""

    def __init__(self, stream: _RunStream) -> None:
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


class _RunStream(io.TextIOBase):
    """A standard stream whose text goes to the output of the run that writes it, or to the log."""

    encoding = "utf-8"

    def __init__(self, name: str, original: Any) -> None:
        super().__init__()
        self.original = original
        self.is_diverted = True
        self._name = name
        self._log_decoder = _decoder("backslashreplace")
        self._lock = threading.Lock()
        self.buffer = _StreamBuffer(self)

    def write(self, text: Any) -> int:
        """Store text with the run that writes it."""
        if not isinstance(text, str):
            message = f"write() argument must be str, not {type(text).__name__}"
            raise TypeError(message)
        if not self.is_diverted:
            return int(self.original.write(text))
        output = current_output.get()
        if output is None or not output.add(text):
            log_output(self._name, text)
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
                text = self._log_decoder.decode(data)
            log_output(self._name, text)

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        self.original.flush()  # a run's own output is never behind

    def fileno(self) -> int:
        return int(self.original.fileno())

    def reconfigure(self, **_options: Any) -> None:
        """Change nothing: text stays text."""


class _LoggedOutput:
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


_logged: _LoggedOutput | None = None
_diverted: list[_RunStream] = []
_carrier = ThreadCarrier(lambda: ((current_output, current_output.get()),), into_initializers=True)


def log_output(stream: object, text: str, *, final: bool = False) -> None:
    """Write output of no run to the server's log by lines, those of each stream apart."""
    if _logged is not None:
        _logged.write(stream, text, final=final)


def divert(log: ServerLog) -> None:
    """Give each run its own stdout and stderr from now on; other output goes to the log."""
    global _logged  # noqa: PLW0603 - as are the standard streams
    _logged = _LoggedOutput(log)
    for name in ("stdout", "stderr"):
        original = getattr(sys, name)
        original.reconfigure(line_buffering=True, encoding="utf-8", errors="backslashreplace")
        stream = _RunStream(name, original)
        _diverted.append(stream)
        setattr(sys, name, stream)
    _carrier.install()
    os.register_at_fork(after_in_child=_restore_streams)


def _restore_streams() -> None:
    # A forked child has no thread that would read what it adds to a run's output. Whatever holds a
    # stream, as a handler of `logging` does, writes to the original too.
    for stream in _diverted:
        stream.is_diverted = False
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, _RunStream):
            setattr(sys, name, stream.original)
    output = current_output.get()
    for pipe in tuple(_pipes):
        pipe.close_in_child(is_own=output is not None and output.pipe is pipe)


_pending: set[threading.Thread] = set()


def when_read(output: RunOutput, finish: Callable[[], object]) -> None:
    """Call back once the output of an ended run's subprocesses is read, or after `READ_SECONDS`."""
    pipe = output.pipe
    if pipe is None or pipe.end():
        finish()
        return

    def wait() -> None:
        try:
            pipe.at_end.wait(READ_SECONDS)
            finish()
        finally:
            _pending.discard(thread)

    thread = threading.Thread(target=wait, name="nbsession-output-end", daemon=True)
    _pending.add(thread)
    try:
        thread.start()
    except RuntimeError:  # no thread can be started: later output goes to the log
        _pending.discard(thread)
        finish()


def wait_until_read() -> None:
    """Wait for everything that `when_read` is still waiting for."""
    for thread in tuple(_pending):
        thread.join(READ_SECONDS)
