"""What a run prints: kept with the run, and no more of it than people read."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections import deque
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from nbsession.core.log_level import MAX_LOG_CHARACTERS

if TYPE_CHECKING:
    from .server_log import ServerLog

HEAD_CHARACTERS = 32_768
TAIL_CHARACTERS = 32_768


class RunOutput:
    """The beginning and the end of a text that may be long; any thread may add to it."""

    __slots__ = ("_closed", "_dropped", "_head", "_lock", "_room", "_tail", "_tail_size")

    def __init__(self) -> None:
        self._head: list[str] = []
        self._room = HEAD_CHARACTERS
        self._tail: deque[str] = deque()
        self._tail_size = 0
        self._dropped = 0
        self._closed = False
        self._lock = threading.Lock()

    def add(self, text: str) -> bool:
        """Add text; False if it is too late for that."""
        with self._lock:
            if self._closed:
                return False
            if self._room:
                self._head.append(text[: self._room])
                start = self._room
                self._room -= len(self._head[-1])
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
            gone = len(self._tail.popleft())
            self._tail_size -= gone
            self._dropped += gone

    def close(self) -> str:
        """Return what there is; nothing more is added."""
        with self._lock:
            self._closed = True
            text = "".join(self._head)
            if self._tail:
                tail = "".join(self._tail)
                dropped = self._dropped + max(0, len(tail) - TAIL_CHARACTERS)
                gap = f"\n[… {dropped:,} characters left out …]\n" if dropped else ""
                text += gap + tail[-TAIL_CHARACTERS:]
        # Halves of surrogate pairs are no text, and would be refused by the database.
        return text.encode("utf-8", "backslashreplace").decode("utf-8") if text else text


current_output: ContextVar[RunOutput | None] = ContextVar("nbsession_run_output", default=None)
"""Where the running code's prints go; None for the process's own output."""


class _Bytes(io.RawIOBase):
    """`sys.stdout.buffer`."""

    def __init__(self, stream: RunStream) -> None:
        super().__init__()
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        raw = bytes(data)
        self._stream.write(raw.decode("utf-8", "backslashreplace"))
        return len(raw)

    def fileno(self) -> int:
        return self._stream.fileno()


class RunStream(io.TextIOBase):
    """A standard stream that gives each run its own, and the rest to the server's log."""

    encoding = "utf-8"

    def __init__(self, original: Any, log: ServerLog) -> None:
        super().__init__()
        self.original = original
        self._log = log
        self._line = ""
        self._lock = threading.Lock()
        self.buffer = _Bytes(self)

    def write(self, text: Any) -> int:
        """Keep text with the run that writes it."""
        if not isinstance(text, str):
            message = f"write() argument must be str, not {type(text).__name__}"
            raise TypeError(message)
        output = current_output.get()
        if output is None or not output.add(text):
            self._write_line(text)
        return len(text)

    def _write_line(self, text: str) -> None:
        """Put what belongs to no run, as the setup script's prints, into the server's log."""
        with self._lock:
            *lines, rest = (self._line + text).split("\n")
            self._line = rest[-MAX_LOG_CHARACTERS:]
        for line in lines:
            self._log.write("info", line)

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
        """Change nothing: text is kept as text."""


def divert(log: ServerLog) -> None:
    """Let each run have its own stdout and stderr from now on; the rest goes to the log."""
    for name in ("stdout", "stderr"):
        original = getattr(sys, name)
        original.reconfigure(line_buffering=True, encoding="utf-8", errors="backslashreplace")
        setattr(sys, name, RunStream(original, log))
    os.register_at_fork(after_in_child=_undivert)


def _undivert() -> None:
    # What a forked child would add to a run's output is never seen by anybody.
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, RunStream):
            setattr(sys, name, stream.original)
