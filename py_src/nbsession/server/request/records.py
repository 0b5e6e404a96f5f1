"""The records of this server's kernels: their secrets, visitors and reports."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from hmac import compare_digest
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nbsession.core.session import SessionInfo
from nbsession.core.text import LineLimit

if TYPE_CHECKING:
    from nbsession.core.request import HostKind

    from .capture import Capture


class SessionRecord:
    """One kernel's session."""

    def __init__(self, kernel_id: str, base_url: str, root_dir: str | None = None) -> None:
        self.running = False
        self.linked = False
        self.blocks_expiration = False
        self.has_hooks = False
        self.reported: dict[str, list[dict[str, Any]]] = {}  # rows of callbacks and of tasks
        self.log_limit = LineLimit()
        self.token = secrets.token_urlsafe(32)
        self.info = SessionInfo(
            kernel_id=kernel_id, base_url=base_url, bound=False, root_dir=root_dir
        )
        self._owner: str | None = None
        self._changed = asyncio.Event()

    def bind(self, capture: Capture | None) -> None:
        """Tie the session to its visitor; None if there is none. The first call counts."""
        if self.info.bound:
            raise RuntimeError(f"session {self.info.kernel_id} is bound already")
        self.info = replace(self.info, bound=True)
        if capture is not None:
            request, user = capture.request, capture.user
            self._owner = user.username if user else None
            self.info = replace(
                self.info,
                app_url=request.path if request.host_kind else None,
                page_pending=capture.page_pending,
                request=request,
                user=user,
            )
        self._notify()

    def bind_page(
        self, query: str, username: str | None, path: str | None, host_kind: HostKind | None
    ) -> bool:
        """Add what the page has sent of itself, already without credentials."""
        request = self.info.request
        if request is None or not self.info.page_pending or username != self._owner:
            return False
        if request.host_kind is None:
            if path is None or host_kind is None:
                return False
            url = urlsplit(request.url)._replace(path=path).geturl()
            request = replace(request, method="GET", url=url, path=path, host_kind=host_kind)
            self.info = replace(self.info, app_url=path)
        url = f"{request.url.partition('?')[0]}{'?' if query else ''}{query}"
        self.info = replace(
            self.info, page_pending=False, request=replace(request, query=query, url=url)
        )
        self._notify()
        return True

    def is_settled(self, until: str) -> bool:
        """Return whether the visitor (``"bound"``) or the page's query (``"page"``) is known."""
        return self.info.bound and not (until == "page" and self.info.page_pending)

    async def wait(self, until: str, seconds: float) -> None:
        """Wait until the session `is_settled`, at most some seconds."""
        try:
            async with asyncio.timeout(seconds):
                while not self.is_settled(until):
                    await self._changed.wait()
        except TimeoutError:
            pass

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class SessionRecords(dict[str, SessionRecord]):
    """The records of all kernels of a server, by kernel id."""

    def __init__(self, base_url: str, root_dir: str | None = None) -> None:
        super().__init__()
        self._base_url = base_url
        self._root_dir = root_dir

    def add(self, kernel_id: str) -> SessionRecord:
        """Return a kernel's record, a new one if it has none: a restart keeps the old one."""
        if kernel_id not in self:
            self[kernel_id] = SessionRecord(kernel_id, self._base_url, self._root_dir)
        return self[kernel_id]

    def authenticate(self, kernel_id: str, token: str) -> SessionRecord | None:
        """Return the record if the token is that kernel's own, else None."""
        record = self.get(kernel_id)
        if record is None or not compare_digest(record.token.encode(), token.encode()):
            return None
        return record
