"""The URL of the page last used, as traits that follow it and are written to it."""

from __future__ import annotations

import os
import re
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from traitlets import All, Bool, Bunch, HasTraits

from nbsession.core.environment import is_under_hub
from nbsession.core.query import query_texts, update_parameters

from .location_observer import ChangeQueue, LocationObserver, UrlChange
from .location_part import Part, ReadPart
from .location_sync import LocationSync
from .navigation import Navigation
from .page_url import PageUrl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .loading import Loading
    from .navigation import History, QueryChanges
    from .page_record import PageRecord
    from .pages import Pages
    from .runtime import Runtime
    from .session import Session


_LAB_PATH = re.compile(r"/lab(/|$)")


class LiveUrl(HasTraits):
    """The parts of the URL, the way to the page and back, and what is synced with its query.

    Parameters
    ----------
    runtime, session, pages, loading
        Of this process.
    """

    pathname = Part("/", "?#", help="The path of the page.")
    search = Part("?", "#", help="The query, with its `?`.")
    hash_ = Part("#", "", help="The fragment, with its `#`.")
    reload = Bool(default_value=False, help="Whether the page is loaded when its URL is written.")
    href = ReadPart(help="The whole URL.")
    origin = ReadPart(help="Protocol, host and port.")
    protocol = ReadPart(help="With its colon: `https:`.")
    hostname = ReadPart(help="The host, without the port.")
    port = ReadPart(help="'' for the protocol's own.")

    _url = PageUrl()

    def __init__(self, runtime: Runtime, session: Session, pages: Pages, loading: Loading) -> None:
        super().__init__()
        self._runtime = runtime
        self._pages = pages
        self._loading = loading
        self._has_server = session.link is not None
        self._lock = threading.RLock()
        self._page_id: str | None = None  # of the page whose URL this is
        self._may_be_lab = True
        self._is_known = False  # whether the URL is that of a page, not a guess
        self._navigation = Navigation(runtime, pages, self._lock)
        self._sync = LocationSync(self, runtime, self._lock)
        self._queue = ChangeQueue(runtime.runner, self._lock, self._announce)
        self._read_request(session)
        undos = [
            pages.subscribe(kind, callback)
            for kind, callback in {
                "hello": self._note_report,
                "location": self._note_report,
                "focus": self._note_report,
                "goodbye": self._note_goodbye,
            }.items()
        ]
        for undo in (*undos, self._navigation.end, self._sync.end):
            runtime.on_remove(undo)
        pages.open()
        self._read_page()

    def __repr__(self) -> str:
        return f"<Location {self.href!r}>"

    @property
    def query(self) -> dict[str, list[str]]:
        """Every value of every key of the search, in order, blank ones included."""
        return query_texts(self._url.search.removeprefix("?"))

    async def ready(self) -> None:
        """Wait until a page has reported. Without a server it returns at once.

        In a kernel that no page is known to have started, it returns when `state.loaded` is True: a
        page has reported, or none has for 3 s.

        Raises
        ------
        RuntimeError
            In a cell that would wait for ever, as what the page says is handed on when the cell has
            ended: with an ipykernel before 7.4, and in Voilà. Use `state.onload` there.
        """
        if not self._has_server:
            return
        await self._pages.reported(self._loading.patience_seconds)
        self._read_page()

    def observe(
        self,
        handler: Callable[..., Any],
        names: Any = All,
        type: Any = "change",  # noqa: A002 - traitlets' name
    ) -> None:
        """Call when traits change; on the main loop when it is the page that changed them.

        As `traitlets.HasTraits.observe`. Output goes to the cell that registers the handler.
        """
        runner = self._runtime.runner
        super().observe(LocationObserver(runner, handler, runner.context()), names, type)

    # -- writing -----------------------------------------------------------------------------------

    def write(
        self,
        parts: Mapping[str, str] | None = None,
        query: Callable[[], QueryChanges] | None = None,
        history: History = "push",
    ) -> None:
        """Write parts of the URL that are valid, or change parameters of its search.

        `query` is called with the lock held, so that what it reads and the URL cannot fall apart.
        """
        current = self._pages.current
        if current is not None and current.id != self._page_id:
            self._read_page()  # it is in use now; we are about to be told so
        with self._lock:
            before, changes = self._url, query() if query else None
            if changes is not None:
                search = update_parameters(before.search.removeprefix("?"), changes)
                parts = {"search": f"?{search}" if search else ""}
            new = {n: v for n, v in (parts or {}).items() if getattr(before, n) != v}
            if not new:
                return
            if self._sync.is_reading or self._queue.follows_page:
                history = "replace"  # what follows from going back must not be a way forward
            after = self._url = replace(before, **new)
            self._navigation.add(new, changes, history, self.reload)
            self._queue.add(UrlChange(before, after))
        self._navigation.send()
        self._queue.deliver()

    # -- what pages report ------------------------------------------------------------------------

    def _read_request(self, session: Session) -> None:
        info = session.info("page")
        if info.request is not None and info.request.host_kind is not None:
            self._url = PageUrl.parse(info.request.url)
            self._is_known = not info.page_pending
            self._may_be_lab = info.request.host_kind == "lab"

    def _note_report(self, _record: PageRecord, _content: Mapping[str, Any]) -> None:
        self._read_page()

    def _note_goodbye(self, record: PageRecord, _content: Mapping[str, Any]) -> None:
        if record.id == self._page_id and self._pages.current is None:
            self._page_id = None
        self._read_page()

    def _read_page(self) -> None:
        """Take over the URL of the page last used, unless it has yet to deal with our writes."""
        with self._lock:
            record = self._pages.current
            if record is None:
                return
            # One of many notebooks of its page, which takes the URL that we have.
            is_ours = self._is_known and not record.knows_query
            if "navigate" in record.awaits and not is_ours:
                return
            before, page_id = self._url, self._page_id
            self._page_id = record.id
            url = PageUrl.from_report(record.location)
            if is_ours:  # all of it: a write that is on its way may be but a part
                url = replace(url, search=before.search, hash_=before.hash_)
                own = {"search": before.search, "hash_": before.hash_}
                self._navigation.add(own, None, "replace", reload=False)
            is_start = page_id is None  # a page that was loaded, not one that has moved
            if is_start and not self._is_known:  # what was bound before has its start now
                self._navigation.forget_query(self._sync.keys())
            if is_under_hub(os.environ) and url.search != record.location.get("search", ""):
                self._navigation.add({"search": url.search}, None, "replace", reload=False)
            self._is_known = True
            after = self._url = self._navigation.on(url)
            if not is_start and (page_id != record.id or self._is_moved_by_lab(before, after)):
                self._sync.adopt()  # the user has gone elsewhere, and widgets stay as they are
            if is_start or before != after:
                context = self._runtime.runner.context()
                self._queue.add(UrlChange(before, after, is_start, context))
        self._navigation.send()
        self._queue.deliver()

    def _is_moved_by_lab(self, before: PageUrl, after: PageUrl) -> bool:
        """Return whether JupyterLab wrote its own URL over ours, as when a tab is chosen."""
        paths = (before.pathname, after.pathname)
        return self._may_be_lab and paths[0] != paths[1] and all(map(_LAB_PATH.search, paths))

    def _announce(self, change: UrlChange) -> None:
        if change.is_start:
            self._sync.start_again()
        else:
            self._sync.follow()
        for part in self._changes(change.before, change.after):
            self.notify_change(part)

    def _changes(self, before: PageUrl, after: PageUrl) -> list[Bunch]:
        return [
            Bunch(name=name, old=old, new=new, owner=self, type="change")
            for name in self.traits()
            if name != "reload" and (old := getattr(before, name)) != (new := getattr(after, name))
        ]
