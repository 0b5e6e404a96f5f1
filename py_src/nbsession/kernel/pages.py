"""The pages that show this kernel's notebook: what they say, and what is said to them."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from .outbox import Outbox
from .page_book import PageBook
from .page_news import PageNews
from .page_record import BrowserInfo, PageRecord
from .publication import Publication
from .roll_call import RollCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from traitlets import HasTraits

    from nbsession.core.wire import Command, KernelMessage

    from .page import Page
    from .page_news import Subscriber
    from .runtime import Runtime

__all__ = ["BrowserInfo", "PageRecord", "Pages"]

SILENCE_SECONDS = 10.0
"""A page that has been silent for this long is asked whether it is there when it gets a command."""

_log = logging.getLogger("nbsession")


class Pages:
    """Talks with the pages through one hidden widget, which is made when it is first needed.

    Parameters
    ----------
    runtime
        Of this process. Without a kernel there are no pages, and nothing here does anything.
    state
        Whose trait `busy` the pages show.

    Notes
    -----
    Messages of a page arrive on whatever thread ipykernel handles them: the main thread or that of
    a subshell. Subscribers are called there, and no lock is held.
    """

    def __init__(self, runtime: Runtime, state: HasTraits) -> None:
        self._runtime = runtime
        self._state = state
        self._widget: Page | None = None
        self._outbox = Outbox(time.monotonic)
        self._book = PageBook(self._outbox, time.monotonic)
        self._news = PageNews()
        self._first_report: Future[None] = Future()
        self._roll_call = RollCall(runtime, self._ping, self._prune)
        self._removed = False
        self._lock = threading.RLock()
        self._publication = Publication(self._write_trait)
        self._busy_changed = self._publication.add("busy", lambda: self._state.busy)  # type: ignore[attr-defined]  # a trait
        self._location_changed = self._publication.add("location", self._location)

    # -- the widget -------------------------------------------------------------------------------

    @property
    def widget(self) -> Page | None:
        """The hidden widget; None until it is needed, and without a kernel."""
        return self._widget

    def open(self) -> None:
        """Make the hidden widget if it is not there. From any thread."""
        if self._runtime.kernel is None or os.getpid() != self._runtime.pid:
            return
        with self._lock:
            if self._removed or (self._widget is not None and self._widget.comm is not None):
                return
            from .page import Page

            is_first = self._widget is None
            self._widget = Page()
            self._widget.on_msg(self._receive)
            self._runtime.is_no_user_code(self._widget.model_id)
        if is_first:
            self._state.observe(self._note_busy, "busy")
            self._runtime.on_remove(self._close)
        self._publication.start()

    def mirror(self, name: str, read: Callable[[], Any]) -> Callable[[], None]:
        """Keep a trait of the widget equal to what `read` returns.

        Parameters
        ----------
        name
            Of a synced trait of `Page`.
        read
            Called on any thread, at most every 50 ms.

        Returns
        -------
        callable
            To be called, on any thread, whenever the value may have changed.
        """
        return self._publication.add(name, read)

    def _write_trait(self, name: str, value: object) -> None:
        widget = self._widget
        if widget is not None and os.getpid() == self._runtime.pid:
            setattr(widget, name, value)

    def _note_busy(self, _change: object) -> None:
        self._busy_changed()

    def _location(self) -> dict[str, str]:
        current = self.current
        return dict(current.location) if current else {}

    def _close(self) -> None:
        with self._lock:
            self._removed = True
            widget, self._widget = self._widget, None
        self._state.unobserve(self._note_busy, "busy")
        self._publication.close()
        self._roll_call.end()
        self._end_waiting()
        if widget is not None and os.getpid() == self._runtime.pid:
            widget.on_msg(self._receive, remove=True)
            widget.close()

    # -- what is known ----------------------------------------------------------------------------

    @property
    def current(self) -> PageRecord | None:
        """The page last used; None if there is none."""
        with self._lock:
            return self._book.current

    @property
    def is_reported(self) -> bool:
        """Whether a page has ever reported."""
        return self._book.info is not None

    @property
    def browser_info(self) -> BrowserInfo | None:
        """What the browser of the page last used says of itself; None until one has reported."""
        self.open()
        return self._book.info

    async def reported(self) -> None:
        """Wait until a page has reported; not without a kernel, as none can come then."""
        self.open()
        if self._widget is not None and not self.is_reported:
            # Shielded: who gives up must not end the waiting of others.
            await asyncio.shield(asyncio.wrap_future(self._first_report))

    def _end_waiting(self) -> None:
        with self._lock:
            if not self._first_report.done():
                self._first_report.set_result(None)

    # -- page → kernel ----------------------------------------------------------------------------

    def subscribe(self, kind: str, callback: Subscriber) -> Callable[[], None]:
        """Call with the page's record and the message whenever a page has said something.

        Parameters
        ----------
        kind
            ``"hello"``, ``"goodbye"``, ``"location"``, ``"document"`` or ``"focus"``. A
            ``"goodbye"`` comes with the last record of the page that has gone, also of one that
            went without a word.

        Returns
        -------
        callable
            Ends it.

        Raises
        ------
        ValueError
            If no message is of this kind.
        """
        return self._news.subscribe(kind, callback)

    def _receive(self, _widget: object, content: object, _buffers: object) -> None:
        if not isinstance(content, Mapping) or os.getpid() != self._runtime.pid:
            return
        with self._lock:
            heard = self._book.hear(content)
            if heard.is_new:
                for command in self._outbox.take():
                    self._post_command(command, heard.page_id)
        if heard.is_doubtful:
            self._roll_call.begin()
        for kind in heard.kinds:
            self._tell(kind, self._book.get(heard.page_id) or heard.record, content)

    def _tell(self, kind: str, record: PageRecord | None, content: Mapping[str, Any]) -> None:
        if record is None:
            return
        if kind == "hello":
            self._end_waiting()
        self._news.tell(kind, record, content)
        self._location_changed()  # what is shown can wait, what is observed not

    def _prune(self, since: float) -> None:
        with self._lock:
            gone = self._book.prune(since)
        for record in gone:
            self._tell("goodbye", record, {"kind": "goodbye", "page": record.id})

    # -- kernel → page ----------------------------------------------------------------------------

    def send(self, message: Command, page_id: str | None = None) -> None:
        """Send a command to one page. Never raises for a page that is gone.

        Parameters
        ----------
        message
            Kept until a page reports if there is none.
        page_id
            By default that of the page last used.
        """
        self.open()
        if self._widget is None:
            return
        with self._lock:
            current = self._book.get(page_id) if page_id else self._book.current
            if current is not None:
                self._post_command(message, current.id)
                is_silent = self._book.silence(current.id) > SILENCE_SECONDS
            elif page_id is None:
                self._outbox.keep(message)
        if current is not None and is_silent:
            self._roll_call.begin()

    def _post_command(self, command: Command, page_id: str) -> None:
        self._post(self._outbox.address(command, page_id))
        self._book.refresh_awaits(page_id)

    def _post(self, message: KernelMessage | dict[str, Any]) -> None:
        widget = self._widget
        try:
            if widget is not None:
                widget.send(message)
        except Exception:  # noqa: BLE001 - the kernel is ending, or the page's comm has gone
            _log.debug("not sent to the page: %s", message.get("kind"), exc_info=True)

    def _ping(self) -> None:
        self._post({"kind": "ping"})
