"""HTTP to a server on this machine: a Unix socket, or a loopback port where there is none."""

from __future__ import annotations

import http.client
import socket
import time

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
                    message = f"{self._path} has accepted nobody for {self.timeout} s"
                    raise TimeoutError(message) from None
            else:
                return
            time.sleep(pause)
            pause = min(2 * pause, _MAX_PAUSE_SECONDS)


def open_connection(address: str, timeout: float) -> http.client.HTTPConnection:
    """Return a connection, not opened yet."""
    kind, _, place = address.partition(":")
    if kind == "unix":
        return UnixHTTPConnection(place, timeout)
    if kind == "tcp":
        host, _, port = place.rpartition(":")
        return http.client.HTTPConnection(host, int(port), timeout=timeout)
    message = f"the link address {address!r} is of an unknown kind"
    raise ValueError(message)


PROTOCOL = 1
"""Raised whenever a kernel of an older nbsession could misread a newer server, or the other way."""

MAX_LINK_BYTES = 1536 * 1024
"""Of a kernel's request: the largest arguments of a task, and what else is said of it."""

PROTOCOL_HEADER = "X-NBSession-Protocol"
VERSION_HEADER = "X-NBSession-Version"
