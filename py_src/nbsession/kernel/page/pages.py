"""The pages that show this kernel's notebook: what they say, and what is said to them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nbsession.kernel.runtime.runner import show_error

from .presence import FirstReport, RollCall
from .records import BrowserInfo, Outbox, PageBook, PageRecord
from .throttle import Publication

if TYPE_CHECKING:
    from traitlets import HasTraits

    from nbsession.core.page_messages import Command, KernelMessage
    from nbsession.kernel.runtime.runtime import Runtime

    from .widget import Page

_log = logging.getLogger("nbsession")


class HiddenPage:
    """The one `Page` of a kernel; without a kernel there is none."""

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
            from .widget import Page

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
        return not self._runtime.process.is_forked


KINDS = ("hello", "goodbye", "location", "document", "focus")
"""What a page may say."""

Subscriber = Callable[[PageRecord, Mapping[str, Any]], object]


class PageNews:
    """Calls subscribers with a page's record and its message."""

    def __init__(self) -> None:
        self._subscribers: dict[str, list[Subscriber]] = {kind: [] for kind in KINDS}
        self._lock = threading.Lock()

    def subscribe(self, kind: str, callback: Subscriber) -> Callable[[], None]:
        """Call whenever a page has said something of a kind; returns what ends that."""
        if kind not in KINDS:
            message = f"a page says nothing of kind {kind!r}; it says {', '.join(KINDS)}"
            raise ValueError(message)
        with self._lock:
            self._subscribers[kind].append(callback)

        def end() -> None:
            with self._lock:
                if callback in self._subscribers[kind]:
                    self._subscribers[kind].remove(callback)

        return end

    def tell(self, kind: str, record: PageRecord, content: Mapping[str, Any]) -> None:
        """Call the subscribers on this thread; one that raises does not stop the others."""
        with self._lock:
            subscribers = tuple(self._subscribers[kind])
        for subscriber in subscribers:
            try:
                subscriber(record, content)
            except Exception as error:  # noqa: BLE001 - maybe the user's
                show_error(error)


__all__ = ["BrowserInfo", "PageRecord", "Pages"]

SILENCE_SECONDS = 10.0
"""After this long it is asked whether a page is there that gets a command, and whether the one last
used is when another says something."""

STALE_SECONDS = 30.0
"""The same when somebody reads what it has said: it may be read often, by a periodic callback."""


class Pages:
    """Talks with the pages through one hidden widget, which is made when it is first needed."""

    def __init__(self, runtime: Runtime, state: HasTraits) -> None:
        self._runtime = runtime
        self._state = state
        self._hidden = HiddenPage(runtime, self._receive, self._arrive)
        self._outbox = Outbox(time.monotonic)
        self._book = PageBook(self._outbox, time.monotonic)
        self._news = PageNews()
        self._first_report = FirstReport(runtime)
        self._first_query: str | None = None
        self._roll_call = RollCall(runtime, self._ping, self._prune)
        self._lock = threading.RLock()
        self._publication = Publication(self._hidden.write)
        self._busy_changed = self._publication.add("busy", lambda: self._state.busy)  # type: ignore[attr-defined]  # a trait
        self._location_changed = self._publication.add("location", self._location)

    # -- the widget -------------------------------------------------------------------------------

    @property
    def widget(self) -> Page | None:
        """The hidden widget; None until it is needed, and without a kernel."""
        return self._hidden.widget

    def open(self) -> None:
        """Make the hidden widget if it is not there. From any thread."""
        is_first = self.widget is None
        if not self._hidden.make():
            return
        if is_first:
            self._state.observe(self._note_busy, "busy")
            self._runtime.on_remove(self._close)
        self._publication.start()

    def mirror(self, name: str, read: Callable[[], Any]) -> Callable[[], None]:
        """Keep a trait of the widget equal to what `read` returns."""
        return self._publication.add(name, read)

    def _note_busy(self, _change: object) -> None:
        self._busy_changed()

    def _location(self) -> dict[str, str]:
        current = self.current
        return dict(current.location) if current else {}

    def _close(self) -> None:
        self._state.unobserve(self._note_busy, "busy")
        self._publication.close()
        self._roll_call.end()
        self._hidden.close()
        self._first_report.come()

    # -- what is known ----------------------------------------------------------------------------

    @property
    def current(self) -> PageRecord | None:
        """The page last used; None if there is none."""
        with self._lock:
            return self._book.current

    def refresh(self) -> None:
        """Ask for what is known if it is old; a page may have gone without a word."""
        if self.widget is not None and self._is_silent(STALE_SECONDS):
            self._roll_call.begin()

    def _is_silent(self, seconds: float) -> bool:
        """Return whether the page last used has said nothing for so long."""
        with self._lock:
            current = self._book.current
            return current is not None and self._book.silence(current.id) > seconds

    @property
    def is_reported(self) -> bool:
        """Return whether a page has ever reported."""
        return self._book.info is not None

    @property
    def first_query(self) -> str:
        """The query with which the first page reported, without its ``?``; '' if none has."""
        return self._first_query or ""

    @property
    def browser_info(self) -> BrowserInfo | None:
        """What the browser of the page last used says of itself; None until one has reported."""
        self.open()
        return self._book.info

    async def reported(self, patience_seconds: float | None = None) -> None:
        """Wait until a page has reported, or patience is over; as `FirstReport.wait`.

        Without a kernel it returns at once, as no page can come then.
        """
        self.open()
        if self.widget is not None and not self.is_reported:
            await self._first_report.wait(patience_seconds)

    # -- page → kernel ----------------------------------------------------------------------------

    def subscribe(self, kind: str, callback: Subscriber) -> Callable[[], None]:
        """Call with the page's record and the message whenever a page has said something."""
        return self._news.subscribe(kind, callback)

    def _arrive(self, content: object) -> None:
        # Noted before it is handled: what the user does next in that page may be handled first, on
        # another thread, and would take the page used before for the one in use.
        if isinstance(content, Mapping) and content.get("kind") == "focus":
            with self._lock:
                self._book.hear(content)

    def _receive(self, _widget: object, content: object, _buffers: object) -> None:
        if not isinstance(content, Mapping) or self._runtime.process.is_forked:
            return
        with self._lock:
            heard = self._book.hear(content)
            is_doubtful = heard.is_doubtful or self._is_silent(SILENCE_SECONDS)
            if heard.is_new:
                for command in self._outbox.take():
                    self._post_command(command, heard.page_id)
        if is_doubtful:
            self._roll_call.begin()
        for kind in heard.kinds:
            self._tell(kind, self._book.get(heard.page_id) or heard.record, content)
        if "goodbye" in heard.kinds and heard.record is not None:
            # It may show the notebook again, and have said so over another connection before.
            self._ping()

    def _tell(self, kind: str, record: PageRecord | None, content: Mapping[str, Any]) -> None:
        if record is None:
            return
        if kind == "hello":
            if self._first_query is None:
                self._first_query = record.location.get("search", "").removeprefix("?")
            self._first_report.come()
        self._news.tell(kind, record, content)
        self._location_changed()  # what is shown can wait, what is observed not

    def _prune(self, since: float) -> None:
        with self._lock:
            gone = self._book.prune(since)
        for record in gone:
            self._tell("goodbye", record, {"kind": "goodbye", "page": record.id})

    # -- kernel → page ----------------------------------------------------------------------------

    def send(self, message: Command, page_id: str | None = None) -> None:
        """Send a command to one page. Never raises for a page that is gone."""
        self.open()
        if self.widget is None:
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
        self._hidden.post(self._outbox.address(command, page_id))
        self._book.refresh_awaits(page_id)

    def _ping(self) -> None:
        self._hidden.post({"kind": "ping"})
