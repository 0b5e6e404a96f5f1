"""Ports of this machine for servers that tests start."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket

_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
# Below those that systems give out: until the server takes it, nobody gets it. 1000 a worker.
_BLOCK = range(20_000 + 1_000 * (_WORKER % 12), 21_000 + 1_000 * (_WORKER % 12))
_PORTS = itertools.islice(itertools.cycle(_BLOCK), os.getpid() % 1_000, None)  # another pytest


def free_port() -> int:
    """Return a port that nobody has, and that no other worker of pytest-xdist will return."""
    for port in _PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError
