"""Watching how a page gets to its browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_server.base.handlers import JupyterHandler


class PageTransfer:
    """Tells whether a page is still being sent, and whether the browser left before it had all.

    Parameters
    ----------
    handler
        Serves the page; has not finished yet.

    Notes
    -----
    Voilà's handler is not ours, so its `on_finish` and `on_connection_close` (tornado's documented
    hooks) are told on this one object.
    """

    def __init__(self, handler: JupyterHandler) -> None:
        self.loading = True
        self.left = False
        finish, close = handler.on_finish, handler.on_connection_close

        def finished() -> None:
            self.loading = False
            finish()

        def closed() -> None:
            self.loading, self.left = False, True
            close()

        handler.on_finish = finished  # type: ignore[method-assign]
        # tornado took the bound method when it made the handler.
        set_close_callback = getattr(handler.request.connection, "set_close_callback", None)
        if set_close_callback is not None:
            set_close_callback(closed)
