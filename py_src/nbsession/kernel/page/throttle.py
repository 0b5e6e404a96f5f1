"""Copies of values for the pages, at once on the first change and then at a bounded rate."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nbsession.core.process import HAS_THREADS

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger("nbsession")

INTERVAL_SECONDS = 0.05
"""The least time between two copies of one value."""

_NEVER = float("inf")


class Publication:
    """Copies values, each when it has changed and at most once in `INTERVAL_SECONDS`.

    The last change is never lost. What is due later is copied by a thread of its own, since a cell
    may keep the main loop from it; where there are no threads, by the loop.
    """

    def __init__(
        self, write: Callable[[str, Any], None], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._now = now
        self._reads: dict[str, Callable[[], Any]] = {}
        self._last: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._writing = False
        self._started = False
        self._closed = False
        self._thread: threading.Thread | None = None
        self._timer: asyncio.TimerHandle | None = None  # in place of a thread
        self._sleeps_until = 0.0  # when the thread looks by itself; 0 while it does not sleep
        self._changed = threading.Condition(threading.Lock())

    def add(self, name: str, read: Callable[[], Any]) -> Callable[[], None]:
        """Publish what `read` returns, now and whenever the function that this returns is called.

        `read` may be called on any thread. Nothing is published before `start`.
        """
        with self._changed:
            self._reads[name] = read

        def changed() -> None:
            self._note(name)

        changed()
        return changed

    def start(self) -> None:
        """Publish everything, from now on."""
        with self._changed:
            self._started = True
            names = tuple(self._reads)
        for name in names:
            self._note(name)

    def close(self) -> None:
        """End it, with its thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=1)

    def _note(self, name: str) -> None:
        due = self._due.get(name)
        if due is not None and self._now() < due:
            return  # it will be read then, with this change
        with self._changed:
            if not self._started:
                return
            due = self._last.get(name, -INTERVAL_SECONDS) + INTERVAL_SECONDS
            self._due.setdefault(name, due)
        self._write_due()

    def _write_due(self) -> None:
        # One thread writes at a time; another that finds it at work leaves its change to it.
        while True:
            name = None
            try:
                with self._changed:
                    name = self._take_due()
                if name is None:
                    return
                self._write(name, self._reads[name]())
            except Exception:  # noqa: BLE001 - whoever noted the change must not suffer for a copy of it
                _log.exception("not shown in the page: %s", name)
            finally:
                if name is not None:
                    with self._changed:
                        self._writing = False

    def _take_due(self) -> str | None:
        if self._closed or self._writing or not self._due:
            return None
        name = min(self._due, key=self._due.__getitem__)
        now = self._now()
        if self._due[name] > now:
            self._wake_thread(self._due[name])
            return None
        del self._due[name]
        self._last[name] = now
        self._writing = True
        return name

    def _wake_thread(self, due: float) -> None:
        if not HAS_THREADS:
            if self._timer is None:
                delay = max(0.0, due - self._now())
                self._timer = asyncio.get_running_loop().call_later(
                    delay, self._write_on_loop, context=contextvars.Context()
                )
        elif self._thread is None:
            thread = threading.Thread(
                target=self._write_later, name="nbsession-publication", daemon=True
            )
            with suppress(RuntimeError):  # no more threads: the next change tries again
                thread.start()
                self._thread = thread
        elif due < self._sleeps_until:
            self._changed.notify()

    def _write_on_loop(self) -> None:
        self._timer = None
        self._write_due()

    def _write_later(self) -> None:
        while self._sleep():
            self._write_due()

    def _sleep(self) -> bool:
        """Wait until something is due; return False at the end."""
        with self._changed:
            while not self._closed:
                # A writer looks for what is due itself when it is done.
                due = _NEVER if self._writing else min(self._due.values(), default=_NEVER)
                delay = due - self._now()
                if delay <= 0:
                    return True
                self._sleeps_until = due
                self._changed.wait(None if due == _NEVER else delay)
                self._sleeps_until = 0.0
            return False
