"""The server's end of the link, for the kernels that it started and for its owner."""

from __future__ import annotations

import atexit
import contextvars
import os
import shutil
import socket
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.web import Application

from nbsession.core.link_http import MAX_LINK_BYTES
from nbsession.core.process import ForkGuard

from .handlers import KERNEL_HANDLERS, TASK_HANDLERS

if TYPE_CHECKING:
    import logging

    from .handlers import LinkServices

MAX_HEADER_BYTES = 64 * 1024

BACKLOG = 1024
"""Kernels that may wait to be accepted; many start at once."""

CHECK_SECONDS = 5.0

_PREFIX = "nbsession-"
_SOCKET = "link.sock"
_FRESH = "new.sock"
_STALE_SECONDS = 60.0


class LinkServer:
    """Listens for this server's kernels and its owner."""

    def __init__(self, services: LinkServices, log: logging.Logger) -> None:
        self._services = services
        self._log = log
        self._server: HTTPServer | None = None
        self._url = ""
        self._path: Path | None = None
        self._bound: socket.socket | None = None
        self._identity: tuple[int, int] | None = None
        self._has_failed = False
        self.notice: str | None = None

    def listen(self) -> str:
        """Start to listen, if that has not been done, and return the address for kernels.

        Must be called on the server's event loop.
        """
        if self._server is None:
            sockets, self._url = self._sockets()
            application = Application(
                [*KERNEL_HANDLERS, *TASK_HANDLERS],
                services=self._services,
                log=self._log,
                log_function=lambda _: None,  # every access to `state` would be logged
            )
            self._server = HTTPServer(
                application, max_body_size=MAX_LINK_BYTES, max_header_size=MAX_HEADER_BYTES
            )
            # Not in the context of the visitor whose kernel happens to be the first.
            context = contextvars.Context()
            context.run(self._server.add_sockets, sockets)
            if self._path is not None:
                context.run(self._check_later)
        return self._url

    def _check_later(self) -> None:
        IOLoop.current().call_later(CHECK_SECONDS, self._check)

    def _check(self) -> None:
        """Make the socket anew if it was deleted or replaced."""
        try:
            if self._path is not None and _identity(self._path) != self._identity:
                self._bind_again(self._path)
        except OSError as error:
            self.notice = (
                f"its socket {self._path} was deleted and cannot be made anew: {error}; "
                "kernels do not reach the server"
            )
            if not self._has_failed:
                self._has_failed = True
                self._log.error("nbsession: %s", self.notice)
        finally:
            self._check_later()

    def _bind_again(self, path: Path) -> None:
        _make_own_directory(path.parent)
        # Under another name first, so that nobody finds a path where nobody listens.
        fresh = path.with_name(_FRESH)
        fresh.unlink(missing_ok=True)
        bound = _bind(fresh)
        try:
            fresh.replace(path)
        except OSError:
            bound.close()
            raise
        old, self._bound, self._identity = self._bound, bound, _identity(path)
        if self._server is not None:
            self._server.add_sockets([bound])
        if old is not None:
            IOLoop.current().remove_handler(old)
            old.close()
        self._has_failed = False
        self.notice = f"its socket {path} was deleted while in use, and made anew"
        self._log.warning("nbsession: %s", self.notice)

    def _sockets(self) -> tuple[list[socket.socket], str]:
        if hasattr(socket, "AF_UNIX"):
            try:
                path = _make_socket_path()
                try:
                    bound = _bind(path)
                except OSError:
                    shutil.rmtree(path.parent, ignore_errors=True)
                    raise
                self._path, self._bound, self._identity = path, bound, _identity(path)
                return [bound], f"unix:{path}"  # noqa: TRY300 - what follows is the other kind
            except OSError as error:
                self._log.warning(
                    "nbsession: no Unix socket for kernels below %s (%s); using a loopback port",
                    tempfile.gettempdir(),
                    error,
                )
        sockets = bind_sockets(0, "127.0.0.1", backlog=BACKLOG)
        return sockets, f"tcp:127.0.0.1:{sockets[0].getsockname()[1]}"


def _make_socket_path() -> Path:
    # Not the Jupyter runtime directory: a socket's path may have 107 characters at most.
    root = Path(tempfile.gettempdir())
    _remove_stale(root)
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))  # made with mode 0700
    atexit.register(ForkGuard().call, shutil.rmtree, directory, ignore_errors=True)
    return directory / _SOCKET


def _bind(path: Path) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(str(path))
        path.chmod(0o600)
        bound.setblocking(False)  # noqa: FBT003 - the standard library's signature
        bound.listen(BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound


def _make_own_directory(directory: Path) -> None:
    """Make the directory again if it was removed too."""
    directory.mkdir(mode=0o700, exist_ok=True)
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PermissionError(f"{directory} is not this user's alone")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _remove_stale(root: Path) -> None:
    """Remove the sockets of killed servers of this user."""
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
