"""The page's document: title, theme and visibility of its tab, and timers."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING
from weakref import WeakSet

from traitlets import Bunch, HasTraits, Unicode, observe

from nbsession.core.references import PartOfState
from nbsession.core.text import well_formed
from nbsession.kernel.callbacks.periodic import PeriodicCallback, checked_integer
from nbsession.kernel.runtime.runner import (
    Callback,
    check_callable,
    show_error,
    show_unless_cancelled,
)
from nbsession.kernel.runtime.timers import Timer, TimerQueue
from nbsession.kernel.runtime.traits import ReadOnlyBool, ReadOnlyEnum

if TYPE_CHECKING:
    from nbsession.core.session import SessionContext
    from nbsession.kernel.callbacks.registry import PeriodicCallbacks
    from nbsession.kernel.lifecycle.hooks import LifecycleHooks
    from nbsession.kernel.runtime.runtime import Runtime

    from .pages import Pages
    from .records import PageRecord


class Document(PartOfState, HasTraits):
    """The document of the page last used; ``state.curdoc``."""

    _path = "curdoc"

    title = Unicode(help="Of the browser's tab; write it to change it. '' without a page.")
    theme = ReadOnlyEnum(
        ("light", "dark"),
        default_value=None,
        allow_none=True,
        instead="it follows Jupyter's theme, which is changed in Jupyter's settings",
        help="Jupyter's theme, followed live; None without a page.",
    )
    visible = ReadOnlyBool(
        default_value=False,
        instead="it follows the browser's tab; observe it",
        help="Whether the tab is in front. False without one.",
    )

    def __init__(
        self,
        runtime: Runtime,
        session_hooks: LifecycleHooks,
        pages: Pages,
        periodic_callbacks: PeriodicCallbacks,
    ) -> None:
        super().__init__()
        self._runtime = runtime
        self._session_hooks = session_hooks
        self._pages = pages
        self._periodic_callbacks = periodic_callbacks
        self._periodic: WeakSet[PeriodicCallback] = WeakSet()
        self._title_of_page = ""
        self._follower: int | None = None  # the thread that follows the page
        self._is_outdated = False
        self._lock = threading.Lock()
        for kind in ("hello", "goodbye", "document", "focus", "location"):
            runtime.on_remove(pages.subscribe(kind, self._follow))
        pages.open()
        self._follow()

    def __repr__(self) -> str:
        return f"<Document {self.title!r}, theme={self.theme!r}, visible={self.visible}>"

    @property
    def session_context(self) -> SessionContext:
        """The session: id, kernel_id, request, started_at, ended_at."""
        return self._session_hooks.context

    # -- the page -------------------------------------------------------------------------------

    @observe("title")
    def _send_title(self, change: Bunch) -> None:
        is_from_page = self._follower == threading.get_ident()
        if not (is_from_page and change["new"] == self._title_of_page):
            self._pages.send({"kind": "title", "title": well_formed(change["new"])})

    def _follow(self, *_: object) -> None:
        # One thread follows at a time; another that finds it at work leaves its change to it.
        with self._lock:
            self._is_outdated = True
            if self._follower is not None:
                return
            self._follower = threading.get_ident()
        while True:
            with self._lock:
                if not self._is_outdated:
                    self._follower = None
                    return
                self._is_outdated = False
            try:
                self._show(self._pages.current)
            except BaseException:  # an interrupt of an observer: the next report is followed again
                with self._lock:
                    self._follower = None
                raise

    def _show(self, page: PageRecord | None) -> None:
        if page is None or "title" not in page.awaits:
            self._title_of_page = page.title if page else ""
            self._set("title", self._title_of_page)
        self._set("theme", page.theme if page else None)
        self._set("visible", page.visible if page else False)

    def _set(self, name: str, value: object) -> None:
        try:
            self.set_trait(name, value)
        except Exception as error:  # noqa: BLE001 - an observer's; the other traits are set too
            show_error(error)

    # -- timers ---------------------------------------------------------------------------------

    def add_next_tick_callback(self, callback: Callback) -> Timer:
        """Call once, at the next turn of the kernel's loop.

        Parameters
        ----------
        callback
            Takes nothing; sync or async.

        Returns
        -------
        Timer
            What `remove_callback` takes.

        Raises
        ------
        TypeError
            If the callback cannot be called.
        """
        return self._call_once(callback, 0)

    def add_timeout_callback(self, callback: Callback, ms: int) -> Timer:
        """Call once, after a while.

        Parameters
        ----------
        callback
            Takes nothing; sync or async.
        ms
            In ms, a whole number of at least 0.

        Returns
        -------
        Timer
            What `remove_callback` takes.

        Raises
        ------
        TypeError
            If the callback cannot be called.
        ValueError
            If `ms` is not such a number.
        """
        return self._call_once(callback, checked_integer(ms, "timeout", "milliseconds", 0))

    def add_periodic_callback(self, callback: Callback, period: int = 500) -> PeriodicCallback:
        """Call again and again: ``state.add_periodic_callback`` without an end.

        Parameters
        ----------
        callback
            Takes nothing; sync or async.
        period
            In ms, a whole number of at least 1.

        Returns
        -------
        PeriodicCallback
            What `remove_callback` takes.

        Raises
        ------
        TypeError
            If the callback cannot be called.
        TraitError
            If the period is not such a number.
        """
        added = self._periodic_callbacks.add(callback, period, None, None, start=True)
        with self._lock:
            self._periodic.add(added)
        return added

    def remove_callback(self, callback_object: Timer | PeriodicCallback) -> None:
        """Take back a callback; one that is running may finish.

        Parameters
        ----------
        callback_object
            What one of the ``add_…`` methods returned.

        Raises
        ------
        ValueError
            If it is not there (any more): removed, or called already.
        """
        is_waiting, added = False, callback_object
        if isinstance(added, Timer):
            is_waiting = added.cancel()
        elif isinstance(added, PeriodicCallback):
            with self._lock:
                is_waiting = added in self._periodic
                self._periodic.discard(added)
            if is_waiting:
                added.stop()
        if not is_waiting:
            raise ValueError(
                f"{callback_object!r} is not waiting to be called (any more); remove_callback takes"
                " what add_next_tick_callback, add_timeout_callback or add_periodic_callback"
                " returned, once, and before a callback that is called once was called"
            )

    @cached_property
    def _queue(self) -> TimerQueue:
        queue = TimerQueue(self._runtime.main_loop, self._runtime.busy)
        self._runtime.on_remove(queue.close)
        return queue

    def _call_once(self, callback: Callback, ms: int) -> Timer:
        check_callable(callback)
        runner = self._runtime.runner
        context = runner.context()

        def run() -> None:
            runner.run(callback, context=context, done=show_unless_cancelled)

        timer = self._queue.timer(lambda _now: context.copy().run(run))
        timer.set(self._queue.main_loop.time() + ms / 1000)
        return timer
