"""What a kernel says goes to the browser at once: TCP_NODELAY on the kernels' WebSockets."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.sync.client import connect

from nbsession.server.websocket import composed_connection, send_at_once
from server_probe import CONNECTION, MANAGER, Probe
from visitors import write_notebook
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hosts import Host

OFF = "--NBSession.mend_websocket_delay=False"
MENDED = ["nodelay", "PromptProbeConnection", True]
STOCK = ["nodelay", "ProbeConnection", False]


def _open(host: Host, kernel: str) -> None:
    address = f"{host.url.replace('http', 'ws')}api/kernels/{kernel}/channels?session_id=s"
    headers = {} if host.app == "voila" else {"Authorization": f"token {host.token}"}
    with connect(address, additional_headers=headers, open_timeout=30):
        pass


@pytest.mark.server
@pytest.mark.parametrize(("options", "expected"), [((), MENDED), ((OFF,), STOCK)])
def test_jupyter_server(
    tmp_path: Path, start_host: Callable[..., Host], options: tuple[str, ...], expected: list[Any]
) -> None:
    probe = Probe(tmp_path)
    host = start_host("server", f"--ServerApp.{CONNECTION}", *options, env=probe.env)
    _open(host, host.start_kernel())
    eventually(lambda: probe.seen == [expected])


@pytest.mark.server
@pytest.mark.parametrize(("options", "expected"), [((), MENDED), ((OFF,), STOCK)])
def test_voila(
    tmp_path: Path, start_host: Callable[..., Host], options: tuple[str, ...], expected: list[Any]
) -> None:
    probe = Probe(tmp_path)
    notebook = write_notebook(tmp_path / "v" / "root" / "x.ipynb", "1")
    host = start_host(
        "voila",
        str(notebook),
        MANAGER,
        f"--Voila.{CONNECTION}",
        *options,
        home=tmp_path / "v",
        env=probe.env,
    )
    httpx.get(host.url, timeout=60).raise_for_status()
    _open(host, probe.seen[0][1])
    eventually(lambda: expected in probe.seen)


class Plain:
    def connect(self) -> str:
        return "connected"


def test_composed_once() -> None:
    composed: Any = composed_connection(Plain)
    assert issubclass(composed, Plain)
    assert composed_connection(Plain) is composed
    assert composed_connection(composed) is composed
    assert composed_connection(dict) is dict, "that is no connection"


def test_a_failure_costs_only_time() -> None:
    connection: Any = composed_connection(Plain)()
    warned: list[str] = []
    connection.log = SimpleNamespace(warning=lambda text, **_: warned.append(text))
    assert connection.connect() == "connected"
    assert warned == ["nbsession: a kernel's WebSocket stays slow"]


def _handler(opened: socket.socket | None) -> tuple[Any, list[bool]]:
    calls: list[bool] = []
    stream = SimpleNamespace(socket=opened)
    connection = SimpleNamespace(stream=stream)
    return SimpleNamespace(ws_connection=connection, set_nodelay=calls.append), calls


def test_steps_aside_where_it_is_on_already() -> None:
    with socket.socket() as opened:
        handler, calls = _handler(opened)
        send_at_once(handler)
        assert calls == [True]
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        send_at_once(handler)
        assert calls == [True]


def test_sockets_that_have_no_delay() -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        handler, calls = _handler(opened)
        send_at_once(handler)
    for without in (_handler(None)[0], SimpleNamespace(ws_connection=None), SimpleNamespace()):
        send_at_once(without)
    assert calls == []
