"""`state.block_expiration`: keeps the server from ending an idle kernel, or one without a page."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from nbsession.core.errors import LinkError, warn
from nbsession.kernel.runtime.process import kernel_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbsession.kernel.link.session_info import Session
    from nbsession.kernel.runtime.runtime import Runtime


class ExpirationBlock:
    """Keeps the kernel alive until it is called, or until the ``with`` block that it opens ends."""

    def __init__(self, expiration: ExpirationBlocks) -> None:
        self._expiration = expiration

    def __repr__(self) -> str:
        is_held = self in self._expiration.blocks
        return f"<ExpirationBlock, {'keeps the kernel alive' if is_held else 'released'}>"

    def __call__(self) -> None:
        """End it; the second time does nothing."""
        self._expiration.change(lambda blocks: blocks.discard(self))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self()


class ExpirationBlocks:
    """Tells the server whether it may end this kernel."""

    def __init__(self, runtime: Runtime, session: Session) -> None:
        self.blocks: set[ExpirationBlock] = set()
        self._link = session.link
        self._sent = False
        runtime.on_remove(lambda: self.change(set.clear))
        self._lock = threading.Lock()  # also over the post: the last state must be sent last

    def block(self) -> ExpirationBlock:
        """Keep the kernel alive until every block has been released."""
        block = ExpirationBlock(self)
        self.change(lambda blocks: blocks.add(block))
        return block

    def change(self, change: Callable[[set[ExpirationBlock]], object]) -> None:
        """Change the blocks, and tell the server if that matters to it."""
        with self._lock:
            change(self.blocks)
            blocked = bool(self.blocks)
            if self._link is None or not self._link.usable or blocked == self._sent:
                return
            try:
                answer = self._link.post("expiration", {"blocked": blocked})
            except LinkError as error:
                self._warn(str(error))
                return
            self._sent = blocked
            if blocked and answer["problem"]:
                self._warn(answer["problem"])

    @staticmethod
    def _warn(problem: str) -> None:
        message = f"the server may end this kernel for being idle: {problem}"
        warn(message)
        kernel_log().warning("nbsession: %s", message)
