"""The server's end of the link: what kernels ask the server that started them."""

from __future__ import annotations

import atexit
import contextvars
import os
import shutil
import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from nbsession.core.protocol import MAX_LINK_BYTES

from . import link_handlers, link_tasks

if TYPE_CHECKING:
    import logging

    from .services import SessionServices

MAX_HEADER_BYTES = 64 * 1024
_PREFIX = "nbsession-"
_SOCKET = "link.sock"
_STALE_SECONDS = 60.0


class LinkServer:
    """Listens for this server's kernels and its owner.

    Parameters
    ----------
    services
        What is asked, and who may ask.
    log
        The server's log, which is also where kernels log to.

    Notes
    -----
    A Unix socket in a directory of its own: no port, TLS, base URL or login is in the way, and only
    this user can open it. Where there are none, loopback TCP with the same tokens.
    """

    def __init__(self, services: SessionServices, log: logging.Logger) -> None:
        self._services = services
        self._log = log
        self._server: HTTPServer | None = None
        self._url = ""

    def listen(self) -> str:
        """Start to listen, if that has not been done, and return the address for kernels.

        Must be called on the server's event loop.

        Raises
        ------
        OSError
            If neither a Unix socket nor a loopback port can be had.
        """
        if self._server is None:
            sockets, self._url = self._sockets()
            application = Application(
                [*link_handlers.HANDLERS, *link_tasks.HANDLERS],
                services=self._services,
                log=self._log,
                log_function=lambda _: None,  # every state access would stand in the server's log
            )
            self._server = HTTPServer(
                application, max_body_size=MAX_LINK_BYTES, max_header_size=MAX_HEADER_BYTES
            )
            # Not in the context of the visitor whose kernel happens to be the first.
            contextvars.Context().run(self._server.add_sockets, sockets)
        return self._url

    def _sockets(self) -> tuple[list[socket.socket], str]:
        if hasattr(socket, "AF_UNIX"):
            try:
                path = _make_socket_path()
                return [_bind(path)], f"unix:{path}"
            except OSError as error:
                self._log.warning(
                    "nbsession: no Unix socket for kernels below %s (%s); using a loopback port",
                    tempfile.gettempdir(),
                    error,
                )
        sockets = bind_sockets(0, "127.0.0.1")
        return sockets, f"tcp:127.0.0.1:{sockets[0].getsockname()[1]}"


def _make_socket_path() -> Path:
    # Not the Jupyter runtime directory: a socket's path may have 107 characters at most.
    root = Path(tempfile.gettempdir())
    _remove_stale(root)
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))  # made with mode 0700
    owner = os.getpid()
    atexit.register(_remove, directory, owner)
    return directory / _SOCKET


def _bind(path: Path) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(str(path))
        path.chmod(0o600)
        bound.setblocking(False)  # noqa: FBT003 - the standard library's signature
        bound.listen(128)
    except OSError:
        bound.close()
        _remove(path.parent, os.getpid())
        raise
    return bound


def _remove(directory: Path, owner: int) -> None:
    if os.getpid() == owner:  # a forked child runs the parent's atexit callbacks too
        shutil.rmtree(directory, ignore_errors=True)


def _remove_stale(root: Path) -> None:
    """Remove what servers of this user left behind that were killed."""
    for directory in root.glob(f"{_PREFIX}*"):
        path = directory / _SOCKET
        try:
            status = path.lstat()
        except OSError:
            continue
        if status.st_uid != os.getuid() or time.time() - status.st_mtime < _STALE_SECONDS:
            continue
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)  # noqa: FBT003 - the standard library's signature
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                shutil.rmtree(directory, ignore_errors=True)
            except OSError:
                continue
