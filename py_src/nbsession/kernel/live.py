"""The live half of `state`: what happens between a page and its kernel."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from traitlets import Bool, HasTraits

from .callbacks import show_error
from .isolated import IsolatedObservers
from .runtime import Runtime

if TYPE_CHECKING:
    from concurrent.futures import Future

    from .callback_rows import CallbackRows
    from .deferred import Deferred
    from .document import Document
    from .execution import Executor
    from .loading import Loading
    from .location import Location
    from .pages import BrowserInfo, Pages
    from .panel import StatePanel
    from .periodic import PeriodicCallback, PeriodicCallbacks
    from .session import Session
    from .session_hooks import SessionHooks

Part = TypeVar("Part")
Callback = Callable[..., Any]


class LiveState(IsolatedObservers):
    """Busy, the URL, callbacks and the life of a session.

    Each part is made on its first use and lives until the session is taken out.
    """

    busy = Bool(
        default_value=False,
        read_only=True,
        help="Whether any code of the user is running in this session.",
    )

    def __init__(self, session: Session, shell: Any | None) -> None:
        super().__init__()
        self._session = session
        self._runtime = Runtime(shell, self._set_busy)
        self._parts: dict[str, Any] = {}

    def _set_busy(self, busy: bool) -> None:
        try:
            self.set_trait("busy", busy)
        except Exception as error:  # noqa: BLE001 - an observer's; it must not break what runs
            show_error(error)

    def _part(self, name: str, make: Callable[[], Part]) -> Part:
        with self._runtime.lock:
            if name not in self._parts:
                self._parts[name] = make()
            return cast("Part", self._parts[name])

    def _take_out(self) -> None:
        self._runtime.remove()
        self._parts.clear()
        self._runtime = Runtime(None, self._set_busy)

    # -- the page -------------------------------------------------------------------------------

    @property
    def _pages(self) -> Pages:
        from .pages import Pages

        return self._part("pages", lambda: Pages(self._runtime, self))

    @property
    def _callback_rows(self) -> CallbackRows:
        from .callback_rows import CallbackRows

        return self._part(
            "callback_rows",
            lambda: CallbackRows(self._runtime, self._periodic_callbacks, self._pages),
        )

    @property
    def _panel(self) -> StatePanel:
        from .panel import StatePanel

        def make() -> StatePanel:
            return StatePanel(self._callback_rows, self._runtime)

        with self._runtime.lock:
            if self._part("panel", make).comm is None:  # the user's Widget.close_all()
                del self._parts["panel"]
            return self._part("panel", make)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any] | None:
        runtime = self._runtime
        if runtime.kernel is None or os.getpid() != runtime.pid:
            return None
        self._pages.open()
        self._callback_rows.publish()
        return self._panel.bundle(repr(self), self._pages.widget)

    @property
    def _loading(self) -> Loading:
        from .loading import Loading

        return self._part("loading", lambda: Loading(self._runtime, self._session, self._pages))

    @property
    def location(self) -> Location:
        """The page's URL, both ways."""
        from .location import Location

        if "location" not in self._parts:
            self._session.info("page")  # may wait for a visitor: not while the lock is held
        return self._part("location", lambda: Location(self._runtime, self._session, self._pages))

    @property
    def curdoc(self) -> Document:
        """The page's document: its title, theme and visibility."""
        from .document import Document

        def make() -> Document:
            hooks, callbacks = self._session_hooks, self._periodic_callbacks
            return Document(self._runtime, hooks, self._pages, callbacks)

        return self._part("curdoc", make)

    @property
    def browser_info(self) -> BrowserInfo | None:
        """What the browser says of itself; None until a page has reported."""
        return self._pages.browser_info

    @property
    def loaded(self) -> bool:
        """Whether a page has loaded."""
        return self._loading.loaded

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
        self._loading.onload(callback, threaded)

    def defer(self, fn: Callback, placeholder: object = None) -> Deferred:
        """Return a widget that shows a placeholder until the page has loaded, then `fn()`'s result.

        Parameters
        ----------
        fn
            Takes nothing; sync or async. If it raises, its traceback is shown in place.
        placeholder
            Whatever `display` takes; a spinner by default.

        Notes
        -----
        ``@state.defer`` on a function does the same: the function's name is the widget then.
        """
        from .deferred import Deferred

        return Deferred(fn, placeholder, self._runtime, self._loading)

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
            message = f"{type(widget).__name__} has no trait {trait!r} to keep equal to busy"
            raise ValueError(message)

        def follow(change: dict[str, bool]) -> None:
            setattr(widget, trait, change["new"])

        follows = True

        def end() -> None:
            nonlocal follows
            if follows:
                follows = False
                self.unobserve(follow, "busy")

        def rest() -> None:
            if follows:
                end()
                setattr(widget, trait, False)  # or it would show busy for good

        setattr(widget, trait, self.busy)
        self.observe(follow, "busy")
        self._runtime.on_remove(rest)
        return end

    # -- callbacks ------------------------------------------------------------------------------

    @property
    def _periodic_callbacks(self) -> PeriodicCallbacks:
        from .periodic import PeriodicCallbacks

        return self._part("periodic", lambda: PeriodicCallbacks(self._runtime))

    @property
    def _executor(self) -> Executor:
        from .execution import Executor

        return self._part("executor", lambda: Executor(self._runtime))

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
        return self._periodic_callbacks.add(callback, period, count, timeout, start)

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
        return self._executor.execute(callback, schedule)

    # -- the session's life -----------------------------------------------------------------------

    @property
    def _session_hooks(self) -> SessionHooks:
        from .session_hooks import SessionHooks

        return self._part("session_hooks", lambda: SessionHooks(self._runtime, self._session))

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
        return self._session_hooks.on_created(callback)

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
        return self._session_hooks.on_destroyed(callback)

    def block_expiration(self) -> Callable[[], None]:
        """Keep the server from ending this kernel for being idle, or for its page being gone.

        Returns
        -------
        callable
            Ends it; also a context manager.
        """
        return self._session_hooks.block_expiration()
