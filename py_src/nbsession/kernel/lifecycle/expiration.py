"""Keeping the server from ending this kernel for being idle, or for its page being gone."""

from __future__ import annotations

import threading
import warnings
from typing import TYPE_CHECKING, Self

from nbsession.core.errors import LinkError, NBSessionWarning
from nbsession.kernel.runtime.process import kernel_log

if TYPE_CHECKING:
    from types import TracebackType

    from nbsession.kernel.link.session_info import Session
    from nbsession.kernel.runtime.runtime import Runtime


class ExpirationBlock:
    """Keeps the kernel alive until it is called, or until the ``with`` block that it opens ends."""

    def __init__(self, expiration: Expiration) -> None:
        self._expiration = expiration

    def __repr__(self) -> str:
        is_there = self._expiration.is_held(self)
        return f"<ExpirationBlock, {'keeps the kernel alive' if is_there else 'released'}>"

    def __call__(self) -> None:
        """End it; the second time does nothing."""
        self._expiration.release(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self()


class Expiration:
    """Tells the server whether it may end this kernel."""

    def __init__(self, runtime: Runtime, session: Session) -> None:
        self._link = session.link
        self._runtime = runtime
        self._blocks: set[ExpirationBlock] = set()
        self._told = False
        self._registered = False
        self._lock = threading.Lock()  # also over the post: the server must hear the last word last

    def block(self) -> ExpirationBlock:
        """Keep the kernel alive until every block has been released."""
        block = ExpirationBlock(self)
        with self._lock:
            if not self._registered:
                self._registered = True
                self._runtime.on_remove(self._release_all)
            self._blocks.add(block)
            self._tell()
        return block

    def release(self, block: ExpirationBlock) -> None:
        """Give up a block; once it is given up, this does nothing."""
        with self._lock:
            self._blocks.discard(block)
            self._tell()

    def is_held(self, block: ExpirationBlock) -> bool:
        """Return whether a block has not been given up."""
        return block in self._blocks

    def _release_all(self) -> None:
        with self._lock:
            self._blocks.clear()
            self._tell()

    def _tell(self) -> None:
        blocked = bool(self._blocks)
        if self._link is None or not self._link.usable or blocked == self._told:
            return
        try:
            answer = self._link.post("expiration", {"blocked": blocked})
        except LinkError as error:
            self._warn(str(error))
            return
        self._told = blocked
        if blocked and answer["problem"]:
            self._warn(answer["problem"])

    @staticmethod
    def _warn(problem: str) -> None:
        message = f"the server may end this kernel for being idle: {problem}"
        warnings.warn(message, NBSessionWarning, stacklevel=6)
        kernel_log().warning("nbsession: %s", message)
