"""Telling the server when this session's periodic callbacks or tasks have changed."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nbsession.core.errors import LinkError, LinkProtocolError, LinkRefusedError, LinkSizeError

from .session_report import SessionReport, report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .link import Link
    from .runtime import Runtime

INTERVAL_SECONDS = 0.5
"""The least time between two messages to the server."""

_AFTER_FAILURE_SECONDS = 10.0

_log = logging.getLogger("nbsession")


class SessionNews:
    """Sends the session's report whenever it has changed, at most every `INTERVAL_SECONDS`.

    A thread does it, started by the first change; nobody waits for the server.

    Parameters
    ----------
    link
        To the server.
    runtime
        Of the session, with which it ends.
    parts
        Of the session: what there is to tell of.
    """

    def __init__(self, link: Link, runtime: Runtime, parts: Mapping[str, Any]) -> None:
        self._link = link
        self._parts = parts
        self._sent: SessionReport = {"callbacks": [], "tasks": []}
        self._changed = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        runtime.on_remove(self._close)

    def note(self) -> None:
        """Note that something has changed. From any thread, often."""
        if not self._changed.is_set():
            self._changed.set()
        if self._thread is None:
            self._start()

    def _close(self) -> None:
        self._parts = {}  # that nothing is left is told too
        self._closing.set()
        self._changed.set()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._closing.is_set() and self._link.usable:
                thread = threading.Thread(target=self._tell, name="nbsession-news", daemon=True)
                with suppress(RuntimeError):  # no more threads: the next change tries again
                    thread.start()
                    self._thread = thread

    def _tell(self) -> None:
        is_last = False
        while not is_last:
            self._changed.wait()
            self._changed.clear()
            is_last = self._closing.is_set()  # after that, or a close between them would be lost
            pause = INTERVAL_SECONDS
            try:
                self._send()
            except (LinkProtocolError, LinkRefusedError) as error:
                _log.debug("the server takes no news of this session: %s", error)
                return
            except LinkSizeError as error:  # the same again would be too much too
                _log.debug("no news for the server: %s", error)
            except LinkError as error:
                _log.debug("no news for the server, trying again: %s", error)
                self._changed.set()
                pause = _AFTER_FAILURE_SECONDS
            except Exception:  # noqa: BLE001 - the user's code may be in it; the next news may go
                _log.exception("no news of this session for the server")
                pause = _AFTER_FAILURE_SECONDS
            if not is_last:
                self._closing.wait(pause)

    def _send(self) -> None:
        news = report(self._parts)
        if news != self._sent:
            self._link.post("news", news)
            self._sent = news
