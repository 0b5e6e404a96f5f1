"""The pages that show this kernel's notebook: messages from them and to them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nbsession.kernel.runtime.traits import Listeners

from .presence import FirstReport, PresenceCheck
from .records import PageRecord, PageRecords
from .throttle import Publication

if TYPE_CHECKING:
    from nbsession.kernel.runtime.runtime import Runtime

    from .messages import Command, KernelMessage
    from .records import BrowserInfo
    from .widget import Page

_log = logging.getLogger("nbsession")

KINDS = ("hello", "goodbye", "location", "document", "focus")
"""The kinds of messages of a page."""

SILENCE_SECONDS = 10.0
"""After this long a page that gets a command is pinged, and the one last used when another sends
something."""

STALE_SECONDS = 30.0
"""The same when somebody reads what it has sent: it may be read often, by a periodic callback."""

Subscriber = Callable[[PageRecord, Mapping[str, Any]], object]


class Pages:
    """Exchanges messages with the pages through one hidden widget, made when it is first needed."""

    def __init__(self, runtime: Runtime) -> None:
        self.widget: Page | None = None  # None until it is needed, and without a kernel
        self._runtime = runtime
        self._closed = False
        self._records = PageRecords(time.monotonic)
        self._listeners = {kind: Listeners() for kind in KINDS}
        self._first_report = FirstReport(runtime)
        self.first_query: str | None = None  # of the first report, without its `?`
        self._presence = PresenceCheck(runtime, lambda: self._post({"kind": "ping"}), self._prune)
        self._widget_lock = threading.Lock()
        self._lock = threading.RLock()
        self._publication = Publication(self._write)
        self._busy_changed = self._publication.add("busy", lambda: runtime.busy.value)
        self._location_changed = self._publication.add("location", self._location)

    # -- the widget -------------------------------------------------------------------------------

    def open(self) -> None:
        """Make the hidden widget if it is not there (any more). From any thread."""
        if self._runtime.kernel is None or not self._is_ours():
            return
        with self._widget_lock:
            is_first = self.widget is None
            if self._closed or (self.widget is not None and self.widget.comm is not None):
                return
            from .widget import Page

            self.widget = Page(self._arrive)
            self.widget.on_msg(self._receive)
            if self._runtime.hooks is not None:
                self._runtime.hooks.own_comms.add(self.widget.model_id)
        if is_first:
            stop_observing = self._runtime.busy_listeners.add(lambda _busy: self._busy_changed())
            self._runtime.on_remove(self._close)
            self._runtime.on_remove(stop_observing)
        self._publication.start()

    def mirror(self, name: str, read: Callable[[], Any]) -> Callable[[], None]:
        """Keep a trait of the widget equal to what `read` returns; call the result on a change."""
        return self._publication.add(name, read)

    def _location(self) -> dict[str, str]:
        current = self.current
        return dict(current.location) if current else {}

    def _write(self, trait: str, value: object) -> None:
        if self.widget is not None and self._is_ours():
            self._runtime.activity.note_own_message()
            setattr(self.widget, trait, value)

    def _close(self) -> None:
        self._publication.close()
        self._presence.end()
        with self._widget_lock:
            self._closed = True
            widget, self.widget = self.widget, None
        if widget is not None and self._is_ours():
            widget.on_msg(self._receive, remove=True)
            widget.close()
        self._first_report.set()

    def _is_ours(self) -> bool:
        return not self._runtime.process.is_forked

    # -- what is known ----------------------------------------------------------------------------

    @property
    def current(self) -> PageRecord | None:
        """The page last used; None if there is none."""
        with self._lock:
            return self._records.current

    def refresh(self) -> None:
        """Check that the page last used is there if it has been silent for long."""
        if self.widget is not None and self._is_silent(STALE_SECONDS):
            self._presence.begin()

    def _is_silent(self, seconds: float) -> bool:
        with self._lock:
            current = self._records.current
            return current is not None and self._records.silence(current.id) > seconds

    @property
    def is_reported(self) -> bool:
        """Return whether a page has ever reported."""
        return self._records.info is not None

    @property
    def browser_info(self) -> BrowserInfo | None:
        """The browser of the page last used, as it describes itself; None until one has."""
        self.open()
        return self._records.info

    async def reported(self, timeout_seconds: float | None = None) -> None:
        """Wait until a page has reported, or so long; as `FirstReport.wait`.

        Without a kernel it returns at once, as no page can come then.
        """
        self.open()
        if self.widget is not None and not self.is_reported:
            await self._first_report.wait(timeout_seconds)

    # -- page → kernel ----------------------------------------------------------------------------

    def subscribe(self, kind: str, callback: Subscriber) -> Callable[[], None]:
        """Call with the page's record and each message of a kind; return what ends that."""
        if kind not in KINDS:
            raise ValueError(
                f"a page sends no message of kind {kind!r}; it sends {', '.join(KINDS)}"
            )
        return self._listeners[kind].add(callback)

    def _arrive(self, content: object) -> None:
        # Noted before it is handled: what the user does next in that page may be handled first, on
        # another thread, and would take the page used before for the one in use.
        if isinstance(content, Mapping) and content.get("kind") == "focus":
            with self._lock:
                self._records.receive(content)

    def _receive(self, _widget: object, content: object, _buffers: object) -> None:
        if not isinstance(content, Mapping) or not self._is_ours():
            return
        with self._lock:
            change = self._records.receive(content)
            is_doubtful = change.is_doubtful or self._is_silent(SILENCE_SECONDS)
            if change.is_new:
                for command in self._records.take_queued():
                    self._send(command, change.page_id)
        if is_doubtful:
            self._presence.begin()
        for kind in change.kinds:
            self._notify(kind, self._records.get(change.page_id) or change.record, content)
        if "goodbye" in change.kinds and change.record is not None:
            # It may show the notebook again, and have said so over another connection before.
            self._post({"kind": "ping"})

    def _notify(self, kind: str, record: PageRecord | None, content: Mapping[str, Any]) -> None:
        if record is None:
            return
        if kind == "hello":
            if self.first_query is None:
                self.first_query = record.location.get("search", "").removeprefix("?")
            self._first_report.set()
        self._listeners[kind].notify(record, content)
        self._location_changed()  # what is shown can wait, what is observed not

    def _prune(self, since: float) -> None:
        with self._lock:
            removed = self._records.prune(since)
        for record in removed:
            self._notify("goodbye", record, {"kind": "goodbye", "page": record.id})

    # -- kernel → page ----------------------------------------------------------------------------

    def send(self, command: Command, page_id: str | None = None) -> None:
        """Send a command to one page. Never raises for a page that has closed."""
        self.open()
        if self.widget is None:
            return
        with self._lock:
            page = self._records.get(page_id) if page_id else self._records.current
            if page is not None:
                self._send(command, page.id)
                is_silent = self._records.silence(page.id) > SILENCE_SECONDS
            elif page_id is None:
                self._records.queue(command)
        if page is not None and is_silent:
            self._presence.begin()

    def _send(self, command: Command, page_id: str) -> None:
        self._post(self._records.address(command, page_id))
        self._records.refresh_awaits(page_id)

    def _post(self, message: KernelMessage | dict[str, Any]) -> None:
        """Send a message to all pages. Never raises for pages that have closed."""
        widget = self.widget
        try:
            if widget is not None:
                self._runtime.activity.note_own_message()
                widget.send(message)
        except Exception:  # noqa: BLE001 - the kernel is ending, or the pages' comm is closed
            _log.debug("not sent to the page: %s", message.get("kind"), exc_info=True)
