"""The request, visitor and server of a kernel's session, fetched once and cached."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal

from nbsession.core.errors import LinkError, warn
from nbsession.core.process import ForkGuard
from nbsession.kernel.runtime.process import (
    foreign_kernel,
    kernel_log,
    under_voila,
    voila_version,
    web_host,
)

if TYPE_CHECKING:
    from nbsession.core.session import SessionInfo

    from .client import Link

_HOLD_SECONDS = 25.0
"""The time that the server holds one request for a preheated kernel's visitor open."""

PAGE_WAIT_SECONDS = 1.0
"""The time that a JupyterLab page has to send its query, before there counts as none."""

_SERVED = (
    "It serves JupyterLab, Notebook 7 and nbclassic on Jupyter Server, and Voilà 0.5.8 and newer"
)
_OLDEST_VOILA = (0, 5)

Need = Literal["server", "visitor", "page"]


class Session:
    """The session that a kernel belongs to, as its server knows it."""

    def __init__(self, link: Link | None, kernel_id: str | None) -> None:
        self.link = link
        self.kernel_id = kernel_id
        self.process = ForkGuard()
        self._known: SessionInfo | None = None
        self._waited_for_page = False
        self._warned = False
        self._is_checked = False
        self._lock = threading.Lock()

    def info(self, need: Need) -> SessionInfo:
        """Return the visitor and the server, as far as they are known or needed."""
        from nbsession.core.session import SessionInfo  # dataclasses: not worth it at every load

        if self.process.is_forked:
            return SessionInfo()
        known = self._known
        if known is not None and self._suffices(known, need):
            return known
        if self.link is None:
            if need != "server":
                self._warn_unserved()
            return SessionInfo(kernel_id=self.kernel_id)
        try:
            info = self._ask(self.link, need)
            if need != "server" and info.request is None:
                self._warn_of_old_voila()
        except LinkError as error:
            self._warn(f"state is empty: {error}")
            return SessionInfo(kernel_id=self.kernel_id)
        return info

    @property
    def may_have_page(self) -> bool:
        """Return whether a program that serves notebooks to browsers started this kernel."""
        return under_voila() or web_host() is not None

    def _suffices(self, known: SessionInfo, need: Need) -> bool:
        if known.page_pending and known.app_url is None:
            return False  # a page that has not reported yet which one it is
        return known.bound and not (need == "page" and known.page_pending)

    def _ask(self, link: Link, need: Need) -> SessionInfo:
        from nbsession.core.session import SessionInfo

        def fetch(until: str, seconds: float) -> SessionInfo:
            path = f"session?until={until}&seconds={seconds}" if until else "session"
            return SessionInfo.from_json(link.get(path, seconds))

        info = fetch("", 0)
        while need != "server" and not info.bound:
            info = fetch("bound", _HOLD_SECONDS)
        if need == "page" and info.page_pending and not self._waited_for_page:
            info = fetch("page", PAGE_WAIT_SECONDS)
            self._waited_for_page = True
        with self._lock:  # a slower thread must not put back an older answer
            if self._known is None or not self._suffices(self._known, "page"):
                self._known = info
            return self._known

    def _warn_unserved(self) -> None:
        """Say once that a page may be there, but no server with nbsession."""
        if self._warned or self._is_checked:
            return
        self._is_checked = True
        if self._warn_of_old_voila():
            return
        if under_voila():
            self._warn(
                "state is empty: this Voilà does not use nbsession's kernel manager. Another "
                "voila.json or an option replaced it; start Voilà with --VoilaConfiguration."
                "multi_kernel_manager_class=nbsession.server.voila.SessionMappingKernelManager"
            )
        elif (host := web_host()) == "jupyverse":
            self._warn(f"state is empty: nbsession does not serve {host}. {_SERVED}")
        elif host is not None:
            self._warn(
                f"state is empty: the server that started this kernel ({host}) runs without "
                "nbsession; install it there too, and start the server again"
            )
        elif (kernel := foreign_kernel()) is not None:
            self._warn(
                f"state is empty: this kernel{kernel and f' ({kernel})'} is not ipykernel, whose "
                "kernels are the only ones that nbsession knows"
            )

    def _warn_of_old_voila(self) -> bool:
        """Say once that this Voilà is too old; return whether it is."""
        version = voila_version()
        if version is None or tuple(map(int, version.split(".")[:2])) >= _OLDEST_VOILA:
            return False
        self._warn(f"state is empty: nbsession does not serve Voilà {version}. {_SERVED}")
        return True

    def _warn(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            warn(message)
            if under_voila():  # whose pages leave out what a cell writes to stderr
                kernel_log().warning("nbsession: %s", message)
