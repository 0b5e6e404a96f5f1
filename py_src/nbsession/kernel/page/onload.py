"""`state.loaded` and `state.onload`: callbacks that wait for the page to load."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbsession.kernel.runtime.runner import Callback, check_callable, show_unless_cancelled

if TYPE_CHECKING:
    import asyncio

    from nbsession.kernel.link.session_info import Session
    from nbsession.kernel.runtime.loop import Context
    from nbsession.kernel.runtime.runtime import Runtime

    from .pages import Pages

WAIT_SECONDS = 3.0
"""The time that a page has to report in a kernel that no page is known to have started."""


@dataclass(frozen=True)
class _Waiting:
    callback: Callback
    threaded: bool
    context: Context


class Loading:
    """Calls back once a page has loaded, or once it is clear that none will."""

    def __init__(self, runtime: Runtime, session: Session, pages: Pages) -> None:
        self._runtime = runtime
        self._session = session
        self._pages = pages
        self._waiting: deque[_Waiting] = deque()
        self._deadline: float | None = None  # of time.monotonic
        self._timer: asyncio.TimerHandle | None = None
        self._awaits_page = False
        self._removed = False
        self._lock = threading.Lock()

    @property
    def loaded(self) -> bool:
        """Return whether a page has reported, or none can come (any more)."""
        if self._session.link is None or self._runtime.kernel is None or self._pages.is_reported:
            return True
        self._await_page()
        deadline = self._deadline
        return deadline is not None and time.monotonic() >= deadline

    @property
    def remaining_seconds(self) -> float | None:
        """The time that a page may yet take to report; None while there is no limit."""
        if self.loaded:
            return 0.0
        deadline = self._deadline
        return None if deadline is None else max(0.0, deadline - time.monotonic())

    def onload(self, callback: Callback, threaded: bool = False) -> None:
        """Call once a page has loaded, or none can come (any more), as `State.onload`."""
        check_callable(callback)
        entry = _Waiting(callback, threaded, self._runtime.runner.context())
        loaded = self.loaded
        with self._lock:
            if self._removed:
                return
            waits = bool(self._waiting) or not loaded
            if waits:
                self._waiting.append(entry)
        if not waits:
            self._call(entry)
        elif self.loaded:  # it has come meanwhile; whoever found the callbacks before left this one
            self._call_waiting()

    def _call(self, entry: _Waiting) -> None:
        runner = self._runtime.runner
        run = runner.run_in_thread if entry.threaded else runner.call
        run(entry.callback, context=entry.context, done=show_unless_cancelled)

    # -- waiting ----------------------------------------------------------------------------------

    def _await_page(self) -> None:
        with self._lock:
            if self._awaits_page or self._removed:
                return
            self._awaits_page = True
        # Before it is opened: a page that is there reports at once, on another thread.
        unsubscribe = self._pages.subscribe("hello", lambda *_: self._call_waiting())
        self._runtime.on_remove(unsubscribe)
        self._runtime.on_remove(self._remove)
        self._pages.open()
        info = self._session.info("server")  # not the visitor: a preheated kernel would wait here
        if info.bound and (info.request is None or info.request.host_kind is None):
            self._deadline = time.monotonic() + WAIT_SECONDS
            self._runtime.main_loop.call_soon(self._set_timer)

    def _set_timer(self) -> None:
        loop = self._runtime.main_loop
        when = loop.time() + WAIT_SECONDS
        self._timer = loop.call_at(when, self._call_waiting)

    def _call_waiting(self) -> None:
        with self._lock:
            first = self._waiting[0] if self._waiting else None
        if first is not None:
            self._runtime.main_loop.call_soon(self._call_next, first, context=first.context)

    def _call_next(self, entry: _Waiting) -> None:
        with self._lock:
            if not self._waiting or self._waiting[0] is not entry:
                return  # called already
        try:
            self._call(entry)  # what it registers comes after those that wait
        finally:
            with self._lock:
                if self._waiting and self._waiting[0] is entry:
                    self._waiting.popleft()
            self._call_waiting()

    def _remove(self) -> None:
        with self._lock:
            self._removed = True
            self._waiting.clear()
        if self._timer is not None:
            self._runtime.main_loop.call_soon(self._timer.cancel)
