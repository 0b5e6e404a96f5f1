"""Fixtures that every part of the tests shares."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from hosts import Host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


# A shell ignores SIGINT in its background jobs, and all servers of the tests would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


_PROCESSES = {"browser", "host", "kernel", "server", "start_host", "workers"}
"""Fixtures that start processes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _PROCESSES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.processes)


@pytest.fixture
def start_host(tmp_path: Path) -> Iterator[Callable[..., Host]]:
    """Return a function that starts a server; all end with the test."""
    hosts: list[Host] = []

    def start(app: str, *args: str, home: Path | None = None, **options: Any) -> Host:
        host = Host(app, home or tmp_path / f"{app}{len(hosts)}", *args, **options)
        hosts.append(host)
        return host.wait_ready()

    yield start
    for host in reversed(hosts):  # a gateway's client before the gateway
        host.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Return a plain Jupyter server with token login that the tests of one file share."""
    host = Host("server", tmp_path_factory.mktemp("server"))
    try:
        yield host.wait_ready()
    finally:
        host.stop()
