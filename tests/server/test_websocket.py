"""Kernels' WebSockets are counted, and have no delay (TCP_NODELAY)."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import zmq
from websockets.sync.client import connect
from zmq.eventloop.zmqstream import ZMQStream

from nbsession.server.websocket import SETTING, KernelSockets, composed_connection, send_at_once
from server_probe import CONNECTION, EXTENSION, MANAGER, REPLACES, Probe
from visitors import write_notebook
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from hosts import Host

OFF = "--NBSession.websocket_nodelay=False"
MENDED = ["nodelay", "SessionProbeConnection", True]
STOCK = ["nodelay", "SessionProbeConnection", False]


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


class Managers:
    """A multi-kernel manager."""


class Plain:
    """A connection of a kind that jupyter_server does not know."""

    kernel_id = "k"

    def __init__(self, managers: Managers | None = None) -> None:
        self.multi_kernel_manager = managers
        self.websocket_handler = SimpleNamespace(_finished=False)
        self.failure: Exception | None = None

    async def prepare(self) -> None:
        if self.failure is not None:
            raise self.failure

    def connect(self) -> str:
        return "connected"

    def disconnect(self) -> str:
        return "disconnected"


class Final(type):
    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
        if any(isinstance(base, Final) for base in bases):
            message = "nothing inherits from it"
            raise TypeError(message)
        return super().__new__(cls, name, bases, namespace)


class Closed(Plain, metaclass=Final):
    """A connection that cannot be composed."""


def test_composed_once() -> None:
    composed: Any = composed_connection(Plain)
    assert issubclass(composed, Plain)
    assert composed_connection(Plain) is composed
    assert composed_connection(composed) is composed


@pytest.mark.parametrize("other", [dict, None, "a.name", Closed])
@pytest.mark.parametrize("in_settings", [True, False])
def test_what_cannot_be_composed(other: Any, in_settings: bool) -> None:
    sockets, managers = KernelSockets(send_at_once=True), Managers()
    holder: Any = {SETTING: other} if in_settings else SimpleNamespace(**{SETTING: other})
    sockets.compose(managers, holder)
    assert (holder[SETTING] if in_settings else getattr(holder, SETTING)) is other
    assert str(sockets.problem).startswith("the WebSockets of pages are not counted: ")


def test_another_extension_replaces_the_class() -> None:
    sockets, settings = KernelSockets(send_at_once=True), {SETTING: Plain}
    sockets.compose(Managers(), settings)
    assert sockets.problem is None
    settings[SETTING] = Plain
    assert "is Plain" in str(sockets.problem)


@pytest.fixture
def counted() -> tuple[KernelSockets, Callable[[], Any], list[str]]:
    sockets, managers = KernelSockets(send_at_once=False), Managers()
    settings: dict[str, Any] = {SETTING: Plain}
    sockets.compose(managers, settings)
    opened: list[str] = []
    sockets.on_open = opened.append
    return sockets, lambda: settings[SETTING](managers), opened


Counted = tuple[KernelSockets, "Callable[[], Any]", list[str]]


def test_counted_from_the_request_to_the_end(counted: Counted) -> None:
    sockets, connection, opened = counted
    first, second = connection(), connection()
    asyncio.run(first.prepare())
    assert (sockets.count("k"), opened) == (1, ["k"])
    first.connect()
    assert sockets.count("k") == 1
    asyncio.run(second.prepare())
    second.connect()
    assert sockets.count("k") == 2
    first.disconnect()
    first.disconnect()
    assert sockets.count("k") == 1
    second.disconnect()
    assert (sockets.count("k"), sockets.count("other")) == (0, 0)


class Channels(Plain):
    """A connection whose channels are closed with what is queued in them."""

    channels: dict[str, Any]

    def disconnect(self) -> str:
        for stream in self.channels.values():
            stream.close()
        return super().disconnect()


def test_what_a_page_says_last_reaches_the_kernel() -> None:
    async def leave() -> bytes:
        with zmq.Context() as context, context.socket(zmq.PULL) as kernel:
            kernel.bind("inproc://kernel")
            page = context.socket(zmq.PUSH)
            page.connect("inproc://kernel")
            connection: Any = composed_connection(Channels)()
            connection.channels = {"shell": ZMQStream(page)}
            connection.connect()
            connection.channels["shell"].send(b"goodbye")
            connection.disconnect()
            connection.disconnect()
            return kernel.recv() if kernel.poll(5000) else b""

    assert asyncio.run(leave()) == b"goodbye"


def test_a_page_that_leaves_before_it_is_connected(counted: Counted) -> None:
    sockets, connection, _ = counted
    left = connection()
    asyncio.run(left.prepare())
    left.disconnect()
    assert sockets.count("k") == 0
    left.connect()  # tornado was about to
    assert sockets.count("k") == 0


def test_a_request_that_gets_no_socket(counted: Counted) -> None:
    sockets, connection, _ = counted
    failed, refused = connection(), connection()
    failed.failure = TimeoutError()
    with pytest.raises(TimeoutError):
        asyncio.run(failed.prepare())
    asyncio.run(refused.prepare())
    assert sockets.count("k") == 1
    refused.websocket_handler._finished = True  # it was no request for a WebSocket
    assert sockets.count("k") == 0


def test_a_failure_costs_only_time() -> None:
    sockets, managers = KernelSockets(send_at_once=True), Managers()
    settings: dict[str, Any] = {SETTING: Plain}
    sockets.compose(managers, settings)
    connection: Any = settings[SETTING](managers)
    connection.websocket_handler, _ = _handler(socket.socket())
    connection.websocket_handler.ws_connection.stream.socket.close()
    warned: list[str] = []
    connection.log = SimpleNamespace(warning=lambda text, **_: warned.append(text))
    assert connection.connect() == "connected"
    assert warned == ["nbsession: a kernel's WebSocket stays slow"]


@pytest.mark.server
def test_a_busy_kernels_first_page_leaves(server: Host) -> None:
    """jupyter_server counts right as well: its culler would end the kernel of an open page."""
    kernel = server.start_kernel()
    with server.client(kernel) as client:
        client.execute("print('begun'); import time; time.sleep(1000)", silent=False)
        eventually(lambda: _model(server, kernel)["execution_state"] == "busy", 60)
        with socket.create_connection(("127.0.0.1", server.port)) as page:
            page.sendall(_upgrade(server, kernel))
            eventually(lambda: server.pages(kernel) == 1, 60)
        eventually(lambda: server.pages(kernel) == 0, 60)
        assert _model(server, kernel)["connections"] == 0
        server.http.post(f"api/kernels/{kernel}/interrupt").raise_for_status()
    address = f"{server.url.replace('http', 'ws')}api/kernels/{kernel}/channels?session_id=s"
    with connect(address, additional_headers=_authorization(server), open_timeout=60):
        eventually(lambda: server.pages(kernel) == 1, 60)
        assert _model(server, kernel)["connections"] == 1
    eventually(lambda: server.pages(kernel) == 0, 60)


@pytest.mark.server
def test_requests_that_are_no_websocket(server: Host) -> None:
    kernel = server.start_kernel()
    for _ in range(3):
        assert server.http.get(f"api/kernels/{kernel}/channels").status_code == 400
    assert server.pages(kernel) == 0


@pytest.mark.server
def test_doctor_says_that_sockets_are_not_counted(
    tmp_path: Path, start_host: Callable[..., Host]
) -> None:
    """An extension that is loaded after ours puts a class of its own there."""
    env = {**Probe(tmp_path).env, REPLACES: "1"}
    host = start_host("server", EXTENSION, env=env)
    doctor = [str(Path(sys.executable).with_name("jupyter-nbsession")), "doctor", "--json"]
    printed = subprocess.run(
        doctor, env=host.environment, check=False, capture_output=True, text=True
    )
    pages = next(each for each in json.loads(printed.stdout) if each["part"].endswith(" pages"))
    assert pages["verdict"] == "bad"
    assert "not counted" in pages["found"]


def _authorization(host: Host) -> dict[str, str]:
    return {"Authorization": f"token {host.token}"}


def _upgrade(host: Host, kernel: str) -> bytes:
    """Return a page's request for a WebSocket."""
    lines = [
        f"GET /api/kernels/{kernel}/channels?session_id=first HTTP/1.1",
        f"Host: 127.0.0.1:{host.port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *(f"{name}: {value}" for name, value in _authorization(host).items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def _model(host: Host, kernel: str) -> dict[str, Any]:
    return dict(host.http.get(f"api/kernels/{kernel}").json())


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
