"""The hidden widget of a session: made when it is needed, and taken out with the session."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbsession.core.wire import KernelMessage

    from .page import Page
    from .runtime import Runtime

_log = logging.getLogger("nbsession")


class HiddenPage:
    """The one `Page` of a kernel; without a kernel there is none, and nothing here does anything.

    Parameters
    ----------
    runtime
        Of this process.
    receive
        Takes what a page says, as `ipywidgets.Widget.on_msg` has it.
    arrive
        Takes the same when it arrives; see `Page`.
    """

    def __init__(
        self,
        runtime: Runtime,
        receive: Callable[[object, object, object], None],
        arrive: Callable[[object], None],
    ) -> None:
        self._runtime = runtime
        self._receive = receive
        self._arrive = arrive
        self._widget: Page | None = None
        self._removed = False
        self._lock = threading.Lock()

    @property
    def widget(self) -> Page | None:
        """The widget; None until it is needed, and without a kernel."""
        return self._widget

    def make(self) -> bool:
        """Make the widget if it is not there (any more); return whether that was so."""
        if self._runtime.kernel is None or not self._is_ours():
            return False
        with self._lock:
            if self._removed or (self._widget is not None and self._widget.comm is not None):
                return False
            from .page import Page

            self._widget = Page(self._arrive)
            self._widget.on_msg(self._receive)
            self._runtime.is_no_user_code(self._widget.model_id)
        return True

    def write(self, trait: str, value: object) -> None:
        """Give a trait a value, here and in the pages."""
        widget = self._widget
        if widget is not None and self._is_ours():
            self._runtime.activity.note_own_message()
            setattr(widget, trait, value)

    def post(self, message: KernelMessage | dict[str, Any]) -> None:
        """Send a message to all pages. Never raises for pages that are gone."""
        widget = self._widget
        try:
            if widget is not None:
                self._runtime.activity.note_own_message()
                widget.send(message)
        except Exception:  # noqa: BLE001 - the kernel is ending, or the pages' comm has gone
            _log.debug("not sent to the page: %s", message.get("kind"), exc_info=True)

    def close(self) -> None:
        """Take the widget out of the pages; there will be no other."""
        with self._lock:
            self._removed = True
            widget, self._widget = self._widget, None
        if widget is not None and self._is_ours():
            widget.on_msg(self._receive, remove=True)
            widget.close()

    def _is_ours(self) -> bool:
        return os.getpid() == self._runtime.pid
