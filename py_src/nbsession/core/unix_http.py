"""HTTP to a server on this machine: a Unix socket, or a loopback port where there is none."""

from __future__ import annotations

import http.client
import socket


class UnixHTTPConnection(http.client.HTTPConnection):
    """A connection through a Unix socket.

    Parameters
    ----------
    path
        Of the socket.
    timeout
        In seconds, for each step.
    """

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def open_connection(address: str, timeout: float) -> http.client.HTTPConnection:
    """Return a connection, not opened yet.

    Parameters
    ----------
    address
        ``unix:<path>`` or ``tcp:<host>:<port>``.
    timeout
        In seconds, for each step.

    Raises
    ------
    ValueError
        If the address is of neither kind.
    """
    kind, _, place = address.partition(":")
    if kind == "unix":
        return UnixHTTPConnection(place, timeout)
    if kind == "tcp":
        host, _, port = place.rpartition(":")
        return http.client.HTTPConnection(host, int(port), timeout=timeout)
    message = f"the link address {address!r} is of an unknown kind"
    raise ValueError(message)
