"""Messages of a server and its workers: JSON values, one a line, both ways over a socket pair.

Server to worker: `home` (the answer to `hello`), `run`, `cancel`, `abandon`, `next`, `session`,
`forget`, `answer`, `ping`, `stop`. Worker to server: `hello`, `source`, `ready` or `broken`,
`child`, `progress`, `ended`, `goes_on` (the answer to `abandon`, of what cannot be cancelled),
`answered`, `ask`, `log`, `pong` (its loop's answer to `ping`). A run in a process of its own sends
its worker the same messages.
"""

from __future__ import annotations

import json
import os
import tempfile
from mmap import mmap
from typing import TYPE_CHECKING, Any

from nbsession.core.validation import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_LINE_BYTES = 16 * 1024 * 1024
"""A worker that sends a longer line is killed: no valid message comes near it."""

STOPPED = "the server has stopped"
"""The reason of runs that are lost because they still run when the server stops."""

Message = dict[str, Any]

_encode = json.JSONEncoder(separators=(",", ":")).encode


def to_line(message: Mapping[str, Any]) -> bytes:
    """Return a message as a line."""
    return (_encode(message) + "\n").encode("ascii")


class Lines:
    """Assembles messages from the pieces in which a stream arrives."""

    __slots__ = ("_max_bytes", "_pieces", "_size")

    def __init__(self, max_bytes: float = MAX_LINE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that these bytes complete."""
        if b"\n" not in data:
            self._store(data)
            return
        self._pieces.append(data)
        *lines, rest = b"".join(self._pieces).split(b"\n")
        self._pieces, self._size = [], 0
        self._store(rest)
        for line in lines:
            yield parse_json(line.decode("utf-8", "surrogatepass"))

    def _store(self, rest: bytes) -> None:
        if rest:
            self._pieces.append(rest)
            self._size += len(rest)
            if self._size > self._max_bytes:
                raise ValueError(f"a message of more than {self._max_bytes} bytes")


MAX_FLAGS = 4096
"""Of the runs of one worker at once; those without a flag count as begun."""


class BegunFlags:
    """Which runs a worker has begun, a byte for each: in memory that outlives the worker.

    A message would cost more than many runs do, and what a worker had sent last could be lost with
    it.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = self.number = _open_file() if descriptor is None else descriptor
        try:
            self._bytes = mmap(self.descriptor, MAX_FLAGS)
        except BaseException:
            os.close(self.descriptor)
            raise
        self._free = list(range(MAX_FLAGS))

    def take(self) -> int | None:
        """Return the number of a flag that is not set; None if there is none left."""
        return self._free.pop() if self._free else None

    def release(self, number: int | None) -> None:
        """Clear a flag, for another run."""
        if number is not None:
            self._bytes[number] = 0
            self._free.append(number)

    def set(self, number: int | None) -> None:
        """Note that a run has begun."""
        if number is not None:
            self._bytes[number] = 1

    def is_set(self, number: int | None) -> bool:
        """Return whether a run has begun, as far as that is known."""
        return number is None or self._bytes[number] == 1

    def close_file(self) -> None:
        """Close the descriptor; the memory stays."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def close(self) -> None:
        """Release the memory."""
        self.close_file()
        self._bytes.close()


def _open_file() -> int:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("nbsession")
    else:
        descriptor, path = tempfile.mkstemp()
        os.unlink(path)  # noqa: PTH108 - no pathlib for one call
    try:
        os.truncate(descriptor, MAX_FLAGS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
