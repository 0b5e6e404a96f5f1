"""A server notices the start and the end of every session exactly once, however they come."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from server_probe import EXTENSION, MANAGER, Probe
from visitors import write_notebook
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hosts import Host

pytestmark = pytest.mark.server

LIFE = ["started", "ended"]
BYE = """
from nbsession import state
state.on_session_destroyed(lambda context: state.log(f"bye {context.id}"))
"""


@pytest.fixture
def probe(tmp_path: Path) -> Probe:
    return Probe(tmp_path)


@pytest.fixture
def start(probe: Probe, start_host: Callable[..., Host]) -> Callable[..., Host]:
    def start_server(*options: str) -> Host:
        return start_host("server", EXTENSION, *options, env=probe.env)

    return start_server


def _said_bye(host: Host, kernel: str) -> bool:
    return f"bye {kernel}" in host.log


# -- Jupyter Server ----------------------------------------------------------------------------


def test_shutdown_restart_crash_and_stop(start: Callable[..., Host], probe: Probe) -> None:
    host = start("--KernelRestarter.time_to_dead=0.5")
    shut, restarted, crashed, stopped = (
        host.start_kernel(f"notebooks/{name}.ipynb", {"Cookie": f"sid={name}"}, f"{name}.ipynb")
        for name in ("shut", "restarted", "crashed", "stopped")
    )
    for kernel in (shut, restarted, crashed, stopped):
        host.run(kernel, BYE)
        assert probe.of(kernel) == ["started"]
    assert [cookie for _, _, cookie in probe.seen] == ["shut", "restarted", "crashed", "stopped"]

    host.http.delete(f"api/kernels/{shut}").raise_for_status()
    assert probe.of(shut) == LIFE
    assert _said_bye(host, shut)

    host.http.post(f"api/kernels/{restarted}/restart").raise_for_status()
    assert _said_bye(host, restarted), "in the kernel a restart is an end"
    process = host.kernel_process(crashed)
    process.kill()
    eventually(lambda: host.kernels_of(crashed) not in ([], [process.pid]), 20, "it is back")
    assert probe.of(restarted) == probe.of(crashed) == ["started"]

    host.stop()
    for kernel in (shut, restarted, crashed, stopped):
        assert probe.of(kernel) == LIFE
    assert _said_bye(host, stopped)
    assert host.log.count("failed for session") == 8, "a subscriber that raises stops no other"


@pytest.mark.parametrize(
    "options",
    [
        ("--KernelRestarter.restart_limit=0", "--KernelRestarter.time_to_dead=0.5"),
        ("--KernelManager.autorestart=False",),
    ],
    ids=["the restarter gives up", "no restarter"],
)
def test_crash_for_good(start: Callable[..., Host], probe: Probe, options: tuple[str, ...]) -> None:
    host = start(*options)
    kernel = host.start_kernel("notebooks/x.ipynb", {"Cookie": "sid=x"})
    host.kernel_process(kernel).kill()
    eventually(lambda: probe.of(kernel) == LIFE, 20)
    assert probe.seen[-1] == ["ended", kernel, "x"]
    host.http.delete(f"api/kernels/{kernel}")
    host.stop()
    assert probe.of(kernel) == LIFE


def test_a_crashed_kernel_that_the_user_restarts(start: Callable[..., Host], probe: Probe) -> None:
    host = start("--KernelManager.autorestart=False")
    kernel = host.start_kernel("notebooks/x.ipynb", {"Cookie": "sid=x"})
    host.kernel_process(kernel).kill()
    eventually(lambda: probe.of(kernel) == LIFE, 20)
    host.http.post(f"api/kernels/{kernel}/restart").raise_for_status()
    assert probe.seen[-1] == ["started", kernel, "x"]
    assert host.see(kernel, "dict(state.cookies)") == {"sid": "x"}
    host.http.delete(f"api/kernels/{kernel}").raise_for_status()
    assert probe.of(kernel) == LIFE * 2


def test_culled(start: Callable[..., Host], probe: Probe) -> None:
    host = start(
        "--MappingKernelManager.cull_idle_timeout=2", "--MappingKernelManager.cull_interval=1"
    )
    kernel = host.start_kernel()
    host.run(kernel, BYE)
    eventually(lambda: probe.of(kernel) == LIFE, 20)
    assert _said_bye(host, kernel)


def test_a_kernel_that_does_not_start(start: Callable[..., Host], probe: Probe) -> None:
    host = start("--KernelManager.transport=tcp", "--KernelManager.ip=256.0.0.1")
    assert host.http.post("api/kernels", json={}).status_code == 500
    host.stop()
    assert probe.seen == []


# -- standalone Voilà --------------------------------------------------------------------------


@pytest.fixture
def start_voila(
    tmp_path: Path, probe: Probe, start_host: Callable[..., Host]
) -> Callable[..., Host]:
    def start_app(*options: str, cell: str = BYE) -> Host:
        notebook = write_notebook(tmp_path / "v" / "root" / "x.ipynb", cell)
        home = tmp_path / "v"
        return start_host("voila", str(notebook), MANAGER, *options, home=home, env=probe.env)

    return start_app


def test_voila_pages_that_are_closed(start_voila: Callable[..., Host], probe: Probe) -> None:
    host = start_voila()
    with httpx.Client(base_url=host.url, timeout=60, cookies={"sid": "a"}) as browser:
        browser.get("").raise_for_status()
        [[event, kernel, cookie]] = probe.seen
        assert (event, cookie) == ("started", "a")
        xsrf = browser.cookies["_xsrf"]
        farewell = browser.post(f"voila/api/shutdown/{kernel}", data={"_xsrf": xsrf})
        assert farewell.status_code == 204
    assert probe.of(kernel) == LIFE
    assert _said_bye(host, kernel)
    httpx.get(host.url, timeout=60).raise_for_status()
    stays = probe.seen[-1][1]
    host.stop()
    assert probe.of(stays) == LIFE
    assert _said_bye(host, stays)


def test_voila_page_that_is_lost(start_voila: Callable[..., Host], probe: Probe) -> None:
    host = start_voila(
        "--NBSession.page_grace_seconds=0.5", cell=BYE + "import time; time.sleep(60)"
    )
    with socket.create_connection(("127.0.0.1", host.port)) as browser:
        browser.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        eventually(lambda: probe.seen, what="the session has begun")
    kernel = probe.seen[0][1]
    eventually(lambda: probe.of(kernel) == LIFE, 20)


def test_parked_kernels_are_no_sessions(start_voila: Callable[..., Host], probe: Probe) -> None:
    host = start_voila("--preheat_kernel=True", "--pool_size=2")
    host.wait_for_pool(2)
    assert probe.seen == []
    httpx.get(host.url, timeout=60, headers={"Cookie": "sid=b"}).raise_for_status()
    [[event, kernel, cookie]] = probe.seen
    assert (event, cookie) == ("started", "b")
    host.stop()
    assert probe.of(kernel) == LIFE
    assert len(probe.seen) == 2
