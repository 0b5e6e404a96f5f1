"""Kernels' messages go to the browser at once: TCP_NODELAY on the kernels' WebSockets.

Without it 40 ms of every round trip are Nagle's algorithm waiting for the browser's delayed
acknowledgement, for every widget on the page.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import MutableMapping

SETTING = "kernel_websocket_connection_class"
"""The key of tornado's settings, and the trait of `ServerApp` and Voilà, that hold the class."""

_composed: dict[type, type] = {}


class PromptConnectionMixin:
    """Sends what a kernel says at once."""

    if TYPE_CHECKING:  # of jupyter_server's BaseKernelWebsocketConnection
        log: Any
        websocket_handler: Any

    def connect(self) -> Any:
        """Connect to the kernel: the browser's socket is open now, before that it has no effect."""
        try:
            send_at_once(self.websocket_handler)
        except Exception:  # it costs time only; the connection must be made
            self.log.warning("nbsession: a kernel's WebSocket stays slow", exc_info=True)
        return super().connect()  # type: ignore[misc]


def send_at_once(handler: Any) -> None:
    """Switch off the delay of an open WebSocket; does nothing if it has none."""
    stream = getattr(getattr(handler, "ws_connection", None), "stream", None)
    opened = getattr(stream, "socket", None)
    if opened is None or opened.family not in (socket.AF_INET, socket.AF_INET6):
        return  # a Unix socket has no such delay
    if not opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY):
        handler.set_nodelay(True)


def composed_connection(configured: type) -> type:
    """Return our connection over the configured one, which stays in charge."""
    if not callable(getattr(configured, "connect", None)):
        return configured
    if issubclass(configured, PromptConnectionMixin):
        return configured
    if configured not in _composed:
        name = f"Prompt{configured.__name__}"
        bases = (PromptConnectionMixin, configured)
        metaclass: Any = type(configured)  # that of traitlets
        _composed[configured] = metaclass(name, bases, {"__module__": __name__})
    return _composed[configured]


def mend_delay(settings: MutableMapping[str, Any]) -> None:
    """Use our connection in a Jupyter server. Its handler looks into tornado's settings."""
    configured = settings.get(SETTING)
    if isinstance(configured, type):
        settings[SETTING] = composed_connection(configured)


def mend_delay_of_voila(voila: Any) -> None:
    """Use our connection in Voilà, which fills tornado's settings from its trait later on."""
    configured = getattr(voila, SETTING, None)
    if isinstance(configured, type):
        setattr(voila, SETTING, composed_connection(configured))
