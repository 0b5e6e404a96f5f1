"""The link's HTTP: a Unix socket of this machine, or a loopback port where there is none."""

from __future__ import annotations

import http.client
import json
import socket
import time
from typing import TYPE_CHECKING, Any

from .errors import LinkProtocolError, LinkSizeError

if TYPE_CHECKING:
    from collections.abc import Mapping

PROTOCOL = 1
"""Raised whenever a kernel of an older nbsession could misread a newer server, or the other way."""

PROTOCOL_HEADER = "X-NBSession-Protocol"
VERSION_HEADER = "X-NBSession-Version"

MAX_LINK_BYTES = 1536 * 1024
"""Of a kernel's request: the largest arguments of a task, and the rest of its declaration."""

_ANSWER_SECONDS = 10.0
"""How long a server may take to answer, beyond the time it was asked to wait: it may be busy."""

_FIRST_PAUSE_SECONDS = 0.005
_MAX_PAUSE_SECONDS = 0.1


class UnixHTTPConnection(http.client.HTTPConnection):
    """A connection through a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Open the socket; while the server has a full queue, wait until it accepts."""
        deadline = None if self.timeout is None else time.monotonic() + self.timeout
        pause = _FIRST_PAUSE_SECONDS
        while True:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self.timeout)
            try:
                self.sock.connect(self._path)
            except BlockingIOError:  # unlike TCP's, a Unix socket's queue refuses at once
                self.sock.close()
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError(
                        f"{self._path} has accepted nobody for {self.timeout} s"
                    ) from None
            else:
                return
            time.sleep(pause)
            pause = min(2 * pause, _MAX_PAUSE_SECONDS)


def open_connection(url: str, timeout: float) -> http.client.HTTPConnection:
    """Return a connection, not opened yet."""
    kind, _, place = url.partition(":")
    if kind == "unix":
        return UnixHTTPConnection(place, timeout)
    if kind == "tcp":
        host, _, port = place.rpartition(":")
        return http.client.HTTPConnection(host, int(port), timeout=timeout)
    raise LinkProtocolError(f"the link address {url!r} is of an unknown kind")


def exchange(
    url: str, token: str, path: str, data: Mapping[str, Any] | None = None, wait_seconds: float = 0
) -> tuple[http.client.HTTPResponse, bytes]:
    """Send a GET, or data by POST; return the response and its content."""
    headers = {"Authorization": f"Bearer {token}", PROTOCOL_HEADER: str(PROTOCOL)}
    body = None
    if data is not None:
        headers["Content-Type"] = "application/json"
        # UTF-8, with lone surrogates as json.loads reads them: escapes would take up to six bytes.
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        body = text.encode("utf-8", "surrogatepass")
        if len(body) > MAX_LINK_BYTES:
            raise LinkSizeError(
                f"{len(body):,} bytes are more than the {MAX_LINK_BYTES:,} that the server takes "
                "at once; put large data into a file"
            )
    connection = open_connection(url, _ANSWER_SECONDS + wait_seconds)
    try:
        connection.request("GET" if body is None else "POST", path, body=body, headers=headers)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()
