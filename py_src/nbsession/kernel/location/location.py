"""The page's URL, both ways."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from traitlets import All, Bool, Bunch, HasTraits

from nbsession.core.environment import is_under_hub
from nbsession.core.query import query_texts
from nbsession.core.references import PartOfState
from nbsession.kernel.runtime.runner import check_callable
from nbsession.kernel.runtime.traits import IsolatedObservers

from .binding import LocationBinding, SyncReporter
from .codec import text_of_key, texts_of_value
from .navigation import History, Navigation, changed_search, check_history
from .sync import LocationSync
from .trait_codec import TraitText
from .traits import LocationObserver, ReadOnlyUrlPart, UrlChange, UrlChangeQueue, UrlPart
from .url import PageUrl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nbsession.kernel.link.session_info import Session
    from nbsession.kernel.page.onload import Loading
    from nbsession.kernel.page.pages import Pages
    from nbsession.kernel.page.records import PageRecord
    from nbsession.kernel.runtime.runtime import Runtime

    from .navigation import QueryChanges

_LAB_PATH = re.compile(r"/lab(/|$)")
_PARTS = ("hash_", "hostname", "href", "origin", "pathname", "port", "protocol", "search")
_INSTEAD = {
    "hash": "the fragment is hash_, as in location.hash_ = '#part'",
    "query": "change it by update_query(a=1), or write search, as in location.search = '?a=1'",
    "query_params": "change it by update_query(a=1), which keeps all other parameters",
}
"""Remedies for names that `window.location` and other frameworks have."""


class Location(PartOfState, IsolatedObservers):
    """The URL of the page last used.

    Filled from the request before a page connects. What is written goes to the page at once, or as
    soon as one reports. In JupyterLab it is this notebook's own, one of many of the page: the
    address bar shows it while the notebook is in front, the path is JupyterLab's, and writes
    replace.

    Attributes
    ----------
    pathname, search, hash_
        Each with its ``/``, ``?`` and ``#``, or ''. Writable.
    reload
        Whether a write makes the page load the URL, rather than only show it.
    href, origin, protocol, hostname, port
        Read-only.
    """

    _path = "location"

    pathname = UrlPart("/", "?#", help="The path of the page.")
    search = UrlPart("?", "#", help="The query, with its `?`.")
    hash_ = UrlPart("#", "", help="The fragment, with its `#`.")
    reload = Bool(default_value=False, help="Whether the page is loaded when its URL is written.")
    href = ReadOnlyUrlPart(help="The whole URL.")
    origin = ReadOnlyUrlPart(help="Protocol, host and port.")
    protocol = ReadOnlyUrlPart(help="With its colon: `https:`.")
    hostname = ReadOnlyUrlPart(help="The host, without the port.")
    port = ReadOnlyUrlPart(help="'' for the protocol's own.")

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
        self._is_under_hub = is_under_hub(os.environ)
        self._is_known = False  # whether the URL is that of a page, not a guess
        self._navigation = Navigation(runtime, pages, self._lock)
        self._sync = LocationSync(self._lock, lambda: self.query, partial(self.write, None))
        self._queue = UrlChangeQueue(runtime.runner, self._lock, self._announce)
        self._read_request(session)
        for kind in ("hello", "location", "focus"):
            runtime.on_remove(pages.subscribe(kind, self._note_report))
        runtime.on_remove(pages.subscribe("goodbye", self._note_goodbye))
        runtime.on_remove(self._navigation.close)
        runtime.on_remove(self._sync.close)
        pages.open()
        self._read_page()

    def __repr__(self) -> str:
        return f"<Location {self.href!r}>"

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _INSTEAD:  # `hash` would be lost silently, the other errors help nobody
            raise AttributeError(f"location.{name} cannot be set: {_INSTEAD[name]}")
        super().__setattr__(name, value)

    @property
    def query(self) -> dict[str, list[str]]:
        """Every value of every key of the search, in order, blank ones included."""
        return query_texts(self._url.search.removeprefix("?"))

    @property
    def query_params(self) -> dict[str, str]:
        """The last value of every key of the search, blank ones included."""
        return {key: values[-1] for key, values in self.query.items()}

    async def ready(self) -> None:
        """Wait until a page has reported. Without a server it returns at once.

        In a kernel that no page is known to have started, it returns when `state.loaded` is True: a
        page has reported, or none has for 3 s.
        """
        if not self._has_server:
            return
        await self._pages.reported(self._loading.remaining_seconds)
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
        observer = LocationObserver(runner, handler, runner.context())
        HasTraits.observe(self, observer, names, type)

    def update_query(
        self,
        mapping: Mapping[str, object] | None = None,
        /,
        *,
        history: History = "push",
        **params: object,
    ) -> None:
        """Change parameters of the search; every other one keeps its exact text and place.

        Parameters
        ----------
        mapping, params
            Values by key; keywords come after the mapping. A list gives a repeated key, None
            removes the key. Other values: see `sync`.
        history
            ``"push"``: back leads to the URL before. ``"replace"``: it does not.

        Raises
        ------
        TypeError
            If no text stands for a value, or `mapping` is none.
        ValueError
            If `history` is neither, or no URL can hold a value.
        """
        check_history(history)
        given: object = {} if mapping is None else mapping
        if not isinstance(given, Mapping):
            raise TypeError(
                "update_query takes a mapping or keywords, got "
                f"{type(mapping).__name__}: {mapping!r}; write update_query(a=1)"
            )
        values = {**given, **params}
        changes = {text_of_key(key): texts_of_value(value) for key, value in values.items()}
        self.write(query=lambda: changes, history=history)

    def sync(  # noqa: PLR0913 - the public signature
        self,
        obj: HasTraits,
        names: Iterable[str] | Mapping[str, str] | None = None,
        on_error: Callable[[dict[str, str]], object] | None = None,
        history: History = "push",
        *,
        to_text: Callable[[Any], str | None] | None = None,
        from_text: Callable[[str], Any] | None = None,
    ) -> None:
        """Bind traits of an object and parameters of the search, both ways.

        The URL wins at the start; then every value that is not None is written into it. When a key
        goes away, its trait goes back to the value it had when it was synced.

        Parameters
        ----------
        obj
            Anything with traits, such as a widget.
        names
            Names of traits, or ``{trait: key}``. By default a widget's `value` (ipyvuetify's
            `v_model`) under its description, or under the name of the trait; and all public traits
            of anything else.
        on_error
            Called, once for each reading of the URL, with ``{trait: text}`` of all that could not
            be applied. By default a warning is shown, the first time.
        history
            ``"push"``: each change can be taken back by the browser's back. ``"replace"``: not.
        to_text
            Returns the text of a value, or None to remove the key; in place of the trait's own.
        from_text
            Returns the value that a text stands for, or raises any error if it stands for none.

        Raises
        ------
        TypeError
            If no text stands for what a trait holds, as for bytes, widgets and other objects, also
            within a list: give `to_text` and `from_text`.
        ValueError
            If there is no such trait, it is read-only, or a key is given twice; or if the object is
            this location.

        Notes
        -----
        A key has one trait: synced again with another object, the key follows that one, and the
        first is not synced any more but keeps its value. A warning says so, unless both are of one
        kind, as when a cell that makes a widget runs again.

        Text by type: a number as Python writes it; ``true`` and ``false``; dates and times ISO
        8601; a member of an enum its name; list, tuple, set and dict JSON (``[1,5]``); the value of
        a selection widget the label of the option, of several a JSON list of labels. What an HTML
        form sends is read, too: ``on``, and a repeated key for several choices. A trait that takes
        any value gets back the type that was written. Text that is spelled otherwise, such as
        ``6`` for 6.0, stays in the URL until the trait changes.

        The URL is applied in three steps: traits whose keys are absent get their start value, then
        the keys in the URL in the order of `sync`, then once more those that observers have changed
        meanwhile. What still differs goes to `on_error`, and is written as it is. An option, index
        or number beyond the object's present `options`, `children`, `titles`, `min` or `max` stays
        in the URL, and is tried again when these change, until the trait is set otherwise.
        """
        if obj is self:  # each write would be the next one's cause
            raise ValueError("the location is the URL itself; sync another object's traits with it")
        check_history(history)
        for function in (to_text, from_text):
            if function is not None:
                check_callable(function)
        reporter = SyncReporter(self._runtime, on_error)

        def bind(name: str, key: str) -> LocationBinding:
            text = TraitText(obj, name, to_text, from_text)
            return LocationBinding(text, key, history, reporter)

        self._sync.add(obj, names, bind, reporter)

    def unsync(self, obj: HasTraits, names: Iterable[str] | None = None) -> None:
        """End what `sync` began, and remove the keys from the URL.

        Parameters
        ----------
        obj
            The object.
        names
            Of its traits; all that are synced by default.

        Raises
        ------
        ValueError
            If the object or one of the traits is not synced.
        """
        self._sync.remove(obj, names)

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
            self._read_page()  # it is in use now; its report is on the way
        with self._lock:
            before, changes = self._url, query() if query else None
            if changes is not None:
                parts = {"search": changed_search(before.search, changes)}
            new = {n: v for n, v in (parts or {}).items() if getattr(before, n) != v}
            if not new:
                return
            if self._sync.is_reading or self._queue.follows_page:
                history = "replace"  # what follows from going back must not be a way forward
            after = self._url = before._replace(**new)
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
            if self._is_under_hub:
                url = url.without_hub_parameter()
            if is_ours:  # all of it: a write that is on its way may be only a part
                url = url._replace(search=before.search, hash_=before.hash_)
                own = {"search": before.search, "hash_": before.hash_}
                self._navigation.add(own, None, "replace", reload=False)
            is_start = page_id is None  # a page that was loaded, not one that has moved
            if is_start and not self._is_known:  # what was bound before has its start now
                self._navigation.forget_query(self._sync.keys())
            if self._is_under_hub and url.search != record.location.get("search", ""):
                self._navigation.add({"search": url.search}, None, "replace", reload=False)
            self._is_known = True
            after = self._url = self._navigation.apply(url)
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
        for name in _PARTS:
            old, new = getattr(change.before, name), getattr(change.after, name)
            if old != new:
                self.notify_change(Bunch(name=name, old=old, new=new, owner=self, type="change"))
