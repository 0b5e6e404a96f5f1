"""`state`: the visitor, the server and the page of a notebook."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal, overload

from traitlets import Bunch, HasTraits

from nbsession.core.references import PartOfState
from nbsession.kernel.runtime.traits import IsolatedObservers, ReadOnlyBool
from nbsession.scheduler.api.mixin import Scheduling

from .session import KernelSession

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from nbsession.core.headers import Headers
    from nbsession.core.request import Request, User
    from nbsession.kernel.callbacks.periodic import PeriodicCallback
    from nbsession.kernel.link.session_info import Session
    from nbsession.kernel.location.location import Location
    from nbsession.kernel.page.defer import Deferred
    from nbsession.kernel.page.document import Document
    from nbsession.kernel.page.records import BrowserInfo
    from nbsession.kernel.runtime.runner import Callback
    from nbsession.kernel.tasks.router import KernelTaskRouter

_log = logging.getLogger("nbsession")


class _BusyTrait(ReadOnlyBool):
    """Read from the count, so that while nobody observes it a change costs next to nothing."""

    def get(self, obj: State, cls: type[Any] | None = None) -> bool:  # type: ignore[override]  # of a state
        del cls
        return obj._session.runtime.busy.value  # noqa: SLF001 - its own


class State(PartOfState, IsolatedObservers, Scheduling):
    """The state of a session: one per kernel, seen from its page.

    ``%load_ext nbsession`` puts it into the notebook as ``state``; ``from nbsession import state``
    is the same object. Without a Jupyter server that runs nbsession (a console, nbclient, a script)
    everything about the visitor is empty, and nothing raises or waits.

    Examples
    --------
    >>> try:
    ...     phase = int(state.session_args["phase"][0])
    ... except (KeyError, ValueError):
    ...     phase = 1
    """

    _path = ""

    busy = _BusyTrait(
        default_value=False,
        instead="it is True while any of your code runs; state.sync_busy(widget) shows it",
        help="Whether any code of the user is running in this session.",
    )

    def __init__(self, server: Session, shell: Any | None) -> None:
        super().__init__()
        self._attach(server, shell)

    def _attach(self, server: Session, shell: Any | None) -> None:
        self._session = KernelSession(server, shell)
        self._session.runtime.busy_listeners.add(self._notify_busy)

    def _notify_busy(self, busy: bool) -> None:
        if self._is_observed:
            change = Bunch(name="busy", old=not busy, new=busy, owner=self, type="change")
            self.notify_change(change)

    def _detach(self) -> None:
        """Become a standalone state: whoever still holds this one gets nothing more from it."""
        from nbsession.kernel.link.session_info import Session

        self._session.close()
        self._attach(Session(None, self._session.server.kernel_id), None)

    def _task_router(self) -> KernelTaskRouter:
        return self._session.task_router

    def __repr__(self) -> str:
        where = "a session of a Jupyter server" if self._session.server.link else "no server"
        return f"<nbsession.State: {where}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any] | None:
        session = self._session
        if session.runtime.kernel is None or session.runtime.process.is_forked:
            return None
        session.pages.open()
        session.panel_rows.publish()
        return session.panel.bundle(repr(self), session.pages.widget)

    # -- the visitor and the server ---------------------------------------------------------------

    @property
    def request(self) -> Request | None:
        """The request of the page that started this session, None without one.

        Bound once: a reload, a second browser or a restart of the kernel does not change it. In a
        preheated Voilà kernel the first access waits for the visitor. In JupyterLab the query comes
        from the page itself, and is waited for once, at most 1 s.
        """
        return self._session.server.info("page").request

    @property
    def session_args(self) -> dict[str, list[bytes]]:
        """The page's query arguments: every value of every key, in order, as raw bytes.

        Where a page is there but no server with nbsession: those with which it first reported.
        """
        from nbsession.core.query import parse_query

        request, session = self.request, self._session
        if request is not None or session.server.link is not None:
            return parse_query(request.query) if request else {}
        if session.server.may_have_page:
            session.pages.open()
        pages = KernelSession.pages.find(session)
        return parse_query(pages.first_query or "") if pages is not None else {}

    @property
    def headers(self) -> Headers:
        """The request's headers: a case-insensitive mapping; `get_all(name)` gives repeats.

        Without what opens the Jupyter server itself (``NBSession.keep_credentials`` keeps it).
        """
        from nbsession.core.headers import Headers

        request = self._session.server.info("visitor").request
        return request.headers if request else Headers()

    @property
    def cookies(self) -> Mapping[str, str]:
        """The request's cookies by name, HttpOnly ones included, without the server's own."""
        from nbsession.core.headers import Cookies

        request = self._session.server.info("visitor").request
        return request.cookies if request else Cookies()

    @property
    def user(self) -> User | None:
        """The visitor's Jupyter identity, None without a server or a visitor."""
        return self._session.server.info("visitor").user

    @property
    def base_url(self) -> str | None:
        """The path below which the server serves everything, ``"/"`` or ``"/hub/x/"``."""
        return self._session.server.info("server").base_url

    @property
    def app_url(self) -> str | None:
        """The path of the page, ``"/voila/render/app.ipynb"``; None while no page is known."""
        return self._session.server.info("server").app_url

    @property
    def kernel_id(self) -> str | None:
        """The kernel's id on its server, None in a plain Python process."""
        return self._session.server.info("server").kernel_id

    def log(self, message: object, level: str = "info") -> None:
        """Write to the server's log; without a server, to the logger ``nbsession``.

        Parameters
        ----------
        message
            Anything; its text is logged, at most 8,192 characters of it.
        level
            ``"debug"``, ``"info"``, ``"warning"``, ``"error"`` or ``"critical"``.

        Raises
        ------
        ValueError
            If `level` is none of these.
        """
        from nbsession.core.errors import LinkError
        from nbsession.core.text import MAX_LOG_CHARACTERS, checked_level

        checked_level(level)
        link = self._session.server.link
        if link is not None and link.usable:
            try:
                text = str(message)[:MAX_LOG_CHARACTERS]
                link.post("log", {"message": text, "level": level})
            except LinkError as error:
                _log.warning("not in the server's log, %s", error)
            else:
                return
        _log.log(getattr(logging, level.upper()), "%s", message)

    # -- the page ---------------------------------------------------------------------------------

    @property
    def location(self) -> Location:
        """The page's URL, both ways."""
        session = self._session
        if KernelSession.location.find(session) is None:
            session.server.info("page")  # may wait for a visitor: not while the lock is held
        session.pages.refresh()
        return session.location

    @property
    def curdoc(self) -> Document:
        """The page's document: its title, theme and visibility."""
        self._session.pages.refresh()
        return self._session.document

    @property
    def browser_info(self) -> BrowserInfo | None:
        """The browser as it describes itself; None until a page has reported."""
        return self._session.pages.browser_info

    @property
    def loaded(self) -> bool:
        """Return whether a page has loaded."""
        return self._session.loading.loaded

    def onload(self, callback: Callback, threaded: bool = False) -> None:
        """Call once a page has loaded; at once if it has, or if none can come.

        Parameters
        ----------
        callback
            Takes nothing; sync or async. What it raises is shown in the cell that registered it.
        threaded
            Whether to call it in a thread of its own.

        Raises
        ------
        TypeError
            If the callback cannot be called.
        """
        self._session.loading.onload(callback, threaded)

    @overload
    def defer(self, fn: Callback, placeholder: object = None) -> Deferred: ...

    @overload
    def defer(self, *, placeholder: object) -> Callable[[Callback], Deferred]: ...

    def defer(
        self, fn: Callback | None = None, placeholder: object = None
    ) -> Deferred | Callable[[Callback], Deferred]:
        """Return a widget that shows a placeholder until the page has loaded, then `fn()`'s result.

        Parameters
        ----------
        fn
            Takes nothing; sync or async. If it raises, its traceback is shown in place.
        placeholder
            Whatever `display` takes; a spinner by default.

        Notes
        -----
        ``@state.defer`` on a function does the same: the function's name is the widget then, and
        ``@state.defer(placeholder=…)`` gives the placeholder as well.

        Raises
        ------
        TypeError
            If `fn` cannot be called, or there is neither it nor a placeholder.
        """
        from nbsession.kernel.page.defer import Deferred

        session = self._session

        def make(fn: Callback) -> Deferred:
            return Deferred(fn, placeholder, session.runtime, session.loading.onload)

        if fn is not None:
            return make(fn)
        if placeholder is None:
            raise TypeError(
                "defer takes a function: write state.defer(fn), or @state.defer or "
                "@state.defer(placeholder=…) above one"
            )
        return make

    def sync_busy(self, widget: Any, trait: str = "value") -> Callable[[], None]:
        """Keep a widget's trait equal to `busy`.

        Parameters
        ----------
        widget
            Anything with traits.
        trait
            The name of a trait that takes a bool.

        Returns
        -------
        callable
            Ends it.

        Raises
        ------
        ValueError
            If the widget has no such trait.
        """
        if not (isinstance(widget, HasTraits) and widget.has_trait(trait)):
            raise ValueError(
                f"{type(widget).__name__} has no trait {trait!r} to keep equal to busy"
            )

        def show(busy: bool) -> None:
            setattr(widget, trait, busy)

        runtime = self._session.runtime
        stop = runtime.busy_listeners.add(show)
        try:
            show(self.busy)  # a change meanwhile comes after it
        except BaseException:
            stop()
            raise

        def rest() -> None:
            stop()
            show(busy=False)  # or it would show busy for good

        forget = runtime.on_remove(rest)

        def end() -> None:
            stop()
            forget()

        return end

    # -- callbacks --------------------------------------------------------------------------------

    def add_periodic_callback(
        self,
        callback: Callback,
        period: int = 500,
        count: int | None = None,
        timeout: int | None = None,
        start: bool = True,
    ) -> PeriodicCallback:
        """Call something again and again, as long as this session lives.

        Parameters
        ----------
        callback
            Takes nothing; sync or async.
        period
            In ms, a whole number of at least 1. The first call is one period after the start.
        count
            How many times at most; None for no end.
        timeout
            In ms, after which it stops; None for no end.
        start
            Whether to start now; otherwise with `PeriodicCallback.start`.

        Raises
        ------
        TypeError
            If the callback cannot be called.
        TraitError
            If a number is not what it has to be.
        """
        return self._session.periodic_callbacks.add(callback, period, count, timeout, start)

    def execute(
        self,
        callback: Callback,
        schedule: Literal["auto", "thread"] | bool = "auto",
    ) -> Future[Any]:
        """Run a callback on the kernel's main loop, from any thread.

        Parameters
        ----------
        callback
            Takes nothing; sync or async.
        schedule
            ``"auto"``: now if this is the main thread and the callback is sync, else at the loop's
            next turn. True: always at the next turn. False: now. ``"thread"``: in a thread.

        Returns
        -------
        concurrent.futures.Future
            Of the result; it can also be awaited.

        Raises
        ------
        TypeError
            If the callback cannot be called.
        ValueError
            If `schedule` is none of these.
        RuntimeError
            If `schedule` is False and this is not the main thread.
        """
        return self._session.executor.execute(callback, schedule)

    def on_session_created(self, callback: Callback) -> Callable[[], None]:
        """Call now that this session is there; in a setup script: for every session of the server.

        Parameters
        ----------
        callback
            Takes the `SessionContext`, or nothing.

        Returns
        -------
        callable
            Unregisters it.
        """
        return self._session.session_hooks.on_created(callback)

    def on_session_destroyed(self, callback: Callback) -> Callable[[], None]:
        """Call when this session ends, 2 s at most for all; the last one registered first.

        Not if the kernel is killed outright: the server's setup script has the hook that survives
        that.

        Parameters
        ----------
        callback
            Takes the `SessionContext`, or nothing; sync or async.

        Returns
        -------
        callable
            Unregisters it.
        """
        return self._session.session_hooks.on_destroyed(callback)

    def block_expiration(self) -> Callable[[], None]:
        """Keep the server from ending this kernel for being idle, or for its page being closed.

        Returns
        -------
        callable
            Ends it; also a context manager.
        """
        return self._session.expiration.block()
