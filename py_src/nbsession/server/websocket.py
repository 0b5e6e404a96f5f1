"""The WebSockets between pages and kernels: counted, and without delay.

Without TCP_NODELAY 40 ms of every round trip are Nagle's algorithm waiting for the browser's
delayed acknowledgement, for every widget on the page.
"""

from __future__ import annotations

import socket
from collections.abc import MutableMapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import zmq
from jupyter_core.utils import ensure_async
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection

if TYPE_CHECKING:
    from collections.abc import Callable

SETTING = "kernel_websocket_connection_class"
"""The key of tornado's settings, and the trait of `ServerApp` and Voilà, that hold the class."""

_composed: dict[type, type] = {}
_by_managers: WeakKeyDictionary[Any, KernelSockets] = WeakKeyDictionary()


class KernelSockets:
    """The WebSockets that are open to each kernel.

    jupyter_server's own number is wrong for good once a page has left before its kernel answered.
    Lives on the server's event loop, and is touched by nothing else.
    """

    def __init__(self, *, send_at_once: bool) -> None:
        self.send_at_once = send_at_once
        self.on_open: Callable[[str], object] = lambda _kernel_id: None
        self._open: dict[str, set[SessionConnectionMixin]] = {}
        self._holder: Any = None
        self._refused = ""

    def compose(self, kernel_managers: Any, holder: Any) -> None:
        """Compose our connection over the configured one, which stays in charge."""
        _by_managers[kernel_managers] = self
        self._holder = holder
        try:
            composed = composed_connection(_class_in(holder))
            if isinstance(holder, MutableMapping):
                holder[SETTING] = composed
            else:
                setattr(holder, SETTING, composed)
        except Exception as error:  # noqa: BLE001 - `problem` says it; kernels need no count
            self._refused = f" ({type(error).__name__}: {error})"

    @property
    def problem(self) -> str | None:
        """The reason why sockets are not counted, None if they are."""
        # Looked up each time: another extension may have replaced the class.
        used = _class_in(self._holder)
        if isinstance(used, type) and issubclass(used, SessionConnectionMixin):
            return None
        name = used.__qualname__ if isinstance(used, type) else repr(used)
        return f"the WebSockets of pages are not counted: {SETTING} is {name}{self._refused}"

    def count(self, kernel_id: str) -> int:
        """Return how many are open to a kernel, or being opened."""
        opened = self._open.get(kernel_id, ())
        for connection in [each for each in opened if each.is_refused]:
            self.remove(kernel_id, connection)
        return len(self._open.get(kernel_id, ()))

    def add(self, kernel_id: str, connection: SessionConnectionMixin) -> None:
        """Count a connection, once."""
        self._open.setdefault(kernel_id, set()).add(connection)
        self.on_open(kernel_id)

    def remove(self, kernel_id: str, connection: SessionConnectionMixin) -> None:
        """Stop counting a connection; one that is not counted is no error."""
        opened = self._open.get(kernel_id)
        if opened is not None:
            opened.discard(connection)
            if not opened:
                del self._open[kernel_id]


class SessionConnectionMixin:
    """Counts itself while its page is there, and sends what a kernel says at once.

    A page that waits for a busy kernel to answer is there as well: tornado has not accepted its
    socket yet.
    """

    if TYPE_CHECKING:  # of jupyter_server's BaseKernelWebsocketConnection
        log: Any
        websocket_handler: Any
        kernel_id: str
        multi_kernel_manager: Any

    _is_connected = False
    _is_closed = False

    @property
    def is_refused(self) -> bool:
        """True once the request for a socket was answered without one."""
        return not self._is_connected and bool(getattr(self.websocket_handler, "_finished", False))

    async def prepare(self) -> None:
        """Wait until the kernel answers."""
        prepare = getattr(super(), "prepare", None)
        if prepare is None:
            return
        self._count()
        try:
            await ensure_async(prepare())
        except BaseException:
            self._uncount()
            raise

    def connect(self) -> Any:
        """Connect to the kernel: the browser's socket is open now, before that it has no delay."""
        sockets = self._count()
        self._is_connected = True
        try:
            if sockets is not None and sockets.send_at_once:
                send_at_once(self.websocket_handler)
        except Exception:  # it costs time only; the connection must be made
            self.log.warning("nbsession: a kernel's WebSocket stays slow", exc_info=True)
        return super().connect()  # type: ignore[misc]

    def disconnect(self) -> Any:
        """Disconnect from the kernel, also if the page left before it was connected."""
        self._uncount()
        self._is_closed = True
        was_connected, self._is_connected = self._is_connected, False
        if was_connected:
            self._flush()
            return super().disconnect()  # type: ignore[misc]
        managers, kernel_id = self.multi_kernel_manager, self.kernel_id
        if not isinstance(self, ZMQChannelsWebsocketConnection):
            return super().disconnect()  # type: ignore[misc]
        # jupyter_server counts it down although it never counted it up: its culler would end the
        # kernel of an open page, and at 0 it would keep messages for a page that has no channels.
        for _ in range(2):
            managers.notify_connect(kernel_id)
        try:
            return super().disconnect()  # type: ignore[misc]
        finally:
            managers.notify_disconnect(kernel_id)

    def _flush(self) -> None:
        # Closed with its channels, what a page says last would not reach the kernel: its goodbye.
        for stream in getattr(self, "channels", {}).values():
            with suppress(zmq.ZMQError):
                if stream is not None and not stream.closed():
                    stream.flush(zmq.POLLOUT)

    def _count(self) -> KernelSockets | None:
        sockets = self._sockets
        if sockets is not None and not self._is_closed:
            sockets.add(self.kernel_id, self)
        return sockets

    def _uncount(self) -> None:
        sockets = self._sockets
        if sockets is not None:
            sockets.remove(self.kernel_id, self)

    @property
    def _sockets(self) -> KernelSockets | None:
        managers = self.multi_kernel_manager
        return None if managers is None else _by_managers.get(managers)


def send_at_once(handler: Any) -> None:
    """Switch off the delay of an open WebSocket; does nothing if it has none."""
    stream = getattr(getattr(handler, "ws_connection", None), "stream", None)
    opened = getattr(stream, "socket", None)
    if opened is None or opened.family not in (socket.AF_INET, socket.AF_INET6):
        return  # a Unix socket has no such delay
    if not opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY):
        handler.set_nodelay(True)


def composed_connection(configured: Any) -> type:
    """Return our connection over the configured one."""
    for method in ("connect", "disconnect"):
        if not isinstance(configured, type) or not callable(getattr(configured, method, None)):
            message = f"{configured!r} has no {method}()"
            raise TypeError(message)
    base: type = configured
    if issubclass(base, SessionConnectionMixin):
        return base
    if base not in _composed:
        name = f"Session{base.__name__}"
        metaclass: Any = type(base)  # that of traitlets
        _composed[base] = metaclass(name, (SessionConnectionMixin, base), {"__module__": __name__})
    return _composed[base]


def _class_in(holder: Any) -> Any:
    if isinstance(holder, MutableMapping):
        return holder.get(SETTING)
    return getattr(holder, SETTING, None)
