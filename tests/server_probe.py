"""Loaded into servers of tests: writes down what happens there, one JSON value a line.

A Jupyter server extension, a kernel manager for Voilà and a WebSocket connection for both.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection

from nbsession.server.voila import SessionMappingKernelManager

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbsession.core.session import SessionContext

PROBE = "TEST_PROBE"
REPLACES = "TEST_REPLACES_CONNECTION"
"""In the environment: the extension puts its own WebSocket connection in place of nbsession's."""

EXTENSION = "--ServerApp.jpserver_extensions={'nbsession': True, 'server_probe': True}"
MANAGER = "--VoilaConfiguration.multi_kernel_manager_class=server_probe.ProbeManager"
CONNECTION = "kernel_websocket_connection_class=server_probe.ProbeConnection"


class Probe:
    """What a server has written down.

    Parameters
    ----------
    home
        A directory of this server.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / "probe"
        self.env = {PROBE: str(self._path), "PYTHONPATH": str(Path(__file__).parent)}

    @property
    def seen(self) -> list[Any]:
        if not self._path.exists():
            return []
        whole_lines, _, _ = self._path.read_text().rpartition("\n")
        return [json.loads(line) for line in whole_lines.splitlines()]

    def of(self, kernel_id: str) -> list[str]:
        """Return what befell one session."""
        return [event for event, session, _ in self.seen if session == kernel_id]


def _note(value: object) -> None:
    with Path(os.environ[PROBE]).open("a") as file:
        print(json.dumps(value), file=file)


def _subscriber(event: str) -> Callable[[SessionContext], None]:
    def note(session: SessionContext) -> None:
        assert (session.ended_at is not None) == (event == "ended")
        cookies = session.request.cookies if session.request else {}
        _note([event, session.id, cookies.get("sid")])

    return note


def _fail(session: SessionContext) -> None:
    message = f"no good: {session.id}"
    raise RuntimeError(message)


def _watch(services: Any) -> None:
    services.lifecycle.subscribe(_fail, _fail)
    services.lifecycle.subscribe(_subscriber("started"), _subscriber("ended"))


def _load_jupyter_server_extension(app: Any) -> None:
    _watch(app.web_app.settings["nbsession"])
    if REPLACES in os.environ:
        app.web_app.settings["kernel_websocket_connection_class"] = ProbeConnection


class ProbeManager(SessionMappingKernelManager):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        _watch(self.services)


class ProbeConnection(ZMQChannelsWebsocketConnection):
    def connect(self) -> Any:
        connected = super().connect()
        opened = self.websocket_handler.ws_connection.stream.socket
        nodelay = opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        _note(["nodelay", type(self).__name__, bool(nodelay)])
        return connected
