"""How a server and its workers talk: JSON values, one a line, both ways over a socket pair.

Server to worker: `home` (the answer to `hello`), `run`, `cancel`, `abandon`, `next`, `session`,
`forget`, `answer`, `ping`, `stop`. Worker to server: `hello`, `source`, `ready` or `broken`,
`child`, `progress`, `ended`, `goes_on` (the answer to `abandon`, of what cannot be cancelled),
`answered`, `ask`, `log`, `pong` (its loop's answer to `ping`). A run in a process of its own talks
to its worker in the same words.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nbsession.core.validation import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_LINE_BYTES = 16 * 1024 * 1024
"""A longer line from a worker is the end of that worker: nothing in order comes near it."""

STOPPED = "the server has stopped"
"""Why what still runs at its end is lost."""

Message = dict[str, Any]

_encode = json.JSONEncoder(separators=(",", ":")).encode


def to_line(message: Mapping[str, Any]) -> bytes:
    """Return a message as a line."""
    return (_encode(message) + "\n").encode("ascii")


class Lines:
    """Puts the pieces in which a stream arrives together to messages."""

    __slots__ = ("_max_bytes", "_pieces", "_size")

    def __init__(self, max_bytes: float = MAX_LINE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that these bytes complete."""
        if b"\n" not in data:
            self._keep(data)
            return
        self._pieces.append(data)
        *lines, rest = b"".join(self._pieces).split(b"\n")
        self._pieces, self._size = [], 0
        self._keep(rest)
        for line in lines:
            yield parse_json(line.decode("utf-8", "surrogatepass"))

    def _keep(self, rest: bytes) -> None:
        if rest:
            self._pieces.append(rest)
            self._size += len(rest)
            if self._size > self._max_bytes:
                raise ValueError(f"a message of more than {self._max_bytes} bytes")
