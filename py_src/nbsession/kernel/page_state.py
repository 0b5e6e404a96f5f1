"""The part of `state` that is about the page."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, overload

from traitlets import HasTraits

from .parts import StateParts

if TYPE_CHECKING:
    from collections.abc import Callable

    from .callback_rows import CallbackRows
    from .callbacks import Callback
    from .deferred import Deferred
    from .document import Document
    from .loading import Loading
    from .location import Location
    from .pages import BrowserInfo
    from .panel import StatePanel
    from .task_rows import TaskRows


class PageState(StateParts):
    """The URL, the document and what waits for the page."""

    @property
    def _callback_rows(self) -> CallbackRows:
        from .callback_rows import CallbackRows

        return self._part(
            "callback_rows",
            lambda: CallbackRows(self._runtime, self._periodic_callbacks, self._pages),
        )

    @property
    def _task_rows(self) -> TaskRows:
        from .task_rows import TaskRows

        return self._part("task_rows", lambda: TaskRows(self._parts, self._pages))

    @property
    def _panel(self) -> StatePanel:
        from .panel import StatePanel

        def make() -> StatePanel:
            return StatePanel(self._runtime, self._parts)

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
        self._task_rows.publish()
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
        self._pages.refresh()

        def make() -> Location:
            return Location(self._runtime, self._session, self._pages, self._loading)

        return self._part("location", make)

    @property
    def curdoc(self) -> Document:
        """The page's document: its title, theme and visibility."""
        from .document import Document

        def make() -> Document:
            hooks, callbacks = self._session_hooks, self._periodic_callbacks
            return Document(self._runtime, hooks, self._pages, callbacks)

        self._pages.refresh()
        return self._part("curdoc", make)

    @property
    def browser_info(self) -> BrowserInfo | None:
        """What the browser says of itself; None until a page has reported."""
        return self._pages.browser_info

    @property
    def loaded(self) -> bool:
        """Return whether a page has loaded."""
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
        from .deferred import Deferred

        def make(fn: Callback) -> Deferred:
            return Deferred(fn, placeholder, self._runtime, self._loading)

        if fn is not None:
            return make(fn)
        if placeholder is None:
            message = (
                "defer takes a function: write state.defer(fn), or @state.defer or "
                "@state.defer(placeholder=…) above one"
            )
            raise TypeError(message)
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
                forget()

        def rest() -> None:
            if follows:
                end()
                setattr(widget, trait, False)  # or it would show busy for good

        self.observe(follow, "busy")
        try:
            setattr(widget, trait, self.busy)  # a change meanwhile comes after it
        except BaseException:
            self.unobserve(follow, "busy")
            raise
        forget = self._runtime.on_remove(rest)
        return end
