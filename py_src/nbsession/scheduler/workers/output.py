"""The output of a worker's process that belongs to no run: read, and logged in part."""

from __future__ import annotations

import asyncio
import os
from codecs import getincrementaldecoder
from typing import TYPE_CHECKING

from nbsession.core.text import printable

if TYPE_CHECKING:
    from logging import Logger

_CHUNK_BYTES = 65_536
_TAIL_BYTES = 8_192
_PAUSE_SECONDS = 0.02
_LOGGED_BYTES_PER_SECOND = 16_384
_MAX_LINE_CHARACTERS = 8_192
_LINE_SECONDS = 0.2
"""The time to wait for the end of a line."""


class WorkerOutput:
    """Reads the pipe behind a process's stdout and stderr; on the loop.

    A flood costs the loop one read every 20 ms, and its writer is slowed down.
    """

    def __init__(self, log: Logger, name: str) -> None:
        self._log = log
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._tail = b""
        self._budget_bytes = _LOGGED_BYTES_PER_SECOND
        self._budget_since = 0.0
        self._decode = getincrementaldecoder("utf-8")("backslashreplace").decode
        self._line = ""
        self._left_out = 0
        self._timer: asyncio.TimerHandle | None = None
        self._reads, self.writes = os.pipe()
        os.set_blocking(self._reads, False)
        self._loop.add_reader(self._reads, self._read)

    @property
    def tail(self) -> str:
        """The end of the output so far."""
        return self._tail.decode(errors="replace").strip()

    def started(self) -> None:
        """Close the end that the process writes to: it has its own by now."""
        if self.writes >= 0:
            os.close(self.writes)
            self.writes = -1

    def close(self) -> None:
        """Log the rest, and close the pipe."""
        self.started()
        if self._reads >= 0:
            self._read()
        if self._timer is not None:
            self._timer.cancel()
        if self._reads >= 0:
            self._close_reads()

    def _close_reads(self) -> None:
        self._loop.remove_reader(self._reads)
        os.close(self._reads)
        self._reads = -1
        self._line += self._decode(b"", final=True)
        self._log_line()
        self._log_left_out()

    def _read(self) -> None:
        try:
            data = os.read(self._reads, _CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if self._timer is not None:
            self._timer.cancel()
        if not data:
            self._close_reads()
            return
        self._loop.remove_reader(self._reads)
        self._tail = (self._tail + data)[-_TAIL_BYTES:]
        self._write_to_log(data)
        self._timer = self._loop.call_later(_PAUSE_SECONDS, self._read_on)

    def _read_on(self) -> None:
        if self._reads >= 0:
            self._loop.add_reader(self._reads, self._read)
            self._timer = self._loop.call_later(_LINE_SECONDS, self._log_line)

    def _write_to_log(self, data: bytes) -> None:
        now = self._loop.time()
        if now - self._budget_since >= 1:
            self._budget_since, self._budget_bytes = now, _LOGGED_BYTES_PER_SECOND
            self._log_left_out()
        logged = data[: max(self._budget_bytes, 0)]
        self._budget_bytes -= len(data)
        self._left_out += len(data) - len(logged)
        self._line += self._decode(logged)
        while "\n" in self._line or len(self._line) > _MAX_LINE_CHARACTERS:
            self._log_line()

    def _log_line(self) -> None:
        """Log a line, also one whose end has not come."""
        line, _, rest = self._line[:_MAX_LINE_CHARACTERS].partition("\n")
        if self._line:
            self._line = rest + self._line[_MAX_LINE_CHARACTERS:]
            self._log.info("nbsession: %s: %s", self._name, printable(line.rstrip("\r")))

    def _log_left_out(self) -> None:
        if self._left_out:
            self._log.info("nbsession: %s: %s bytes left out", self._name, f"{self._left_out:,}")
            self._left_out = 0
