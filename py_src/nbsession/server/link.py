"""The server's end of the link: what kernels ask the server that started them."""

from __future__ import annotations

import asyncio
import atexit
import json
import logging
import os
import shutil
import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler

from nbsession.core.protocol import PROTOCOL, PROTOCOL_HEADER, VERSION_HEADER
from nbsession.core.version import __version__

if TYPE_CHECKING:
    from .records import SessionRecord, SessionRecords

MAX_BODY_BYTES = 64 * 1024
MAX_LOG_CHARACTERS = 8192
MAX_HOLD_SECONDS = 60.0

_PREFIX = "nbsession-"
_SOCKET = "link.sock"
_STALE_SECONDS = 60.0


class LinkServer:
    """Listens for this server's kernels, from the first kernel on.

    Parameters
    ----------
    records
        Who may ask, and what is answered.
    log
        The server's log, which is also where kernels log to.

    Notes
    -----
    A Unix socket in a directory of its own: no port, TLS, base URL or login is in the way, and only
    this user can open it. Where there are none, loopback TCP with the same tokens.
    """

    def __init__(self, records: SessionRecords, log: logging.Logger) -> None:
        self._records = records
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
                [
                    (r"/kernels/([^/]+)/session", _SessionHandler),
                    (r"/kernels/([^/]+)/log", _LogHandler),
                ],
                records=self._records,
                log=self._log,
                log_function=lambda _: None,  # every state access would stand in the server's log
            )
            self._server = HTTPServer(
                application, max_body_size=MAX_BODY_BYTES, max_header_size=MAX_BODY_BYTES
            )
            self._server.add_sockets(sockets)
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
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                shutil.rmtree(directory, ignore_errors=True)
            except OSError:
                continue


class _LinkHandler(RequestHandler):
    """Admits a kernel by its own token, and nobody else."""

    record: SessionRecord

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        self.set_header("Content-Type", "application/json")
        self.set_header(PROTOCOL_HEADER, str(PROTOCOL))
        self.set_header(VERSION_HEADER, __version__)

    def prepare(self) -> None:
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        record = None
        if scheme == "Bearer":
            record = self.records.authenticate(self.path_args[0], token)
        if record is None:
            raise HTTPError(403)
        if self.request.headers.get(PROTOCOL_HEADER) != str(PROTOCOL):
            raise HTTPError(426)  # the answer's headers say which protocol this is
        self.record = record

    def write_error(self, status_code: int, **_: Any) -> None:
        self.finish(json.dumps({"message": self._reason, "status": status_code}))

    def log_exception(self, *exception: Any) -> None:
        if not isinstance(exception[1], HTTPError):
            self.server_log.error("nbsession: the link failed", exc_info=exception)

    @property
    def records(self) -> SessionRecords:
        """Who may ask."""
        records: SessionRecords = self.settings["records"]
        return records

    @property
    def server_log(self) -> logging.Logger:
        """Where kernels log to."""
        log: logging.Logger = self.settings["log"]
        return log


class _SessionHandler(_LinkHandler):
    """What the server knows of the kernel's session; held back while it is not known yet."""

    _waiting: asyncio.Task[None] | None = None

    async def get(self, _kernel_id: str) -> None:
        until = self.get_query_argument("until", "")
        if until:
            seconds = float(self.get_query_argument("seconds", "0"))
            self._waiting = asyncio.ensure_future(
                self.record.wait(until, min(seconds, MAX_HOLD_SECONDS))
            )
            await asyncio.wait([self._waiting])
        self.write(json.dumps(self.record.info.to_json()))

    def on_connection_close(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()


class _LogHandler(_LinkHandler):
    """Lines for the server's log."""

    def post(self, kernel_id: str) -> None:
        data = json.loads(self.request.body)
        level = logging.getLevelNamesMapping()[data["level"].upper()]
        message = _one_line(data["message"][:MAX_LOG_CHARACTERS])
        self.server_log.log(level, "[kernel %s] %s", kernel_id, message)
        self.set_status(204)
        self.clear_header("Content-Type")


def _one_line(text: str) -> str:
    """Escape control characters: a notebook must not be able to forge a line of the log."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
