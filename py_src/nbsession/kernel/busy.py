"""Whether user code is running, counted exactly."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Busy:
    """Counts the user code that is running in this process, on whatever thread.

    ``with busy: …`` or `enter` and `leave` in pairs; they nest, and may be on different threads.

    Parameters
    ----------
    on_change
        Called with True when the first begins and False when the last has ended. Never two calls at
        once, and never the same value twice in a row; no lock is held, so it may run user code.
    """

    def __init__(self, on_change: Callable[[bool], None]) -> None:
        self._on_change = on_change
        self._depth = 0
        self._told = False
        self._telling = False
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return self._depth > 0

    def __enter__(self) -> None:
        self.enter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.leave()

    def enter(self) -> None:
        """Note that something begins."""
        with self._lock:
            self._depth += 1
        try:
            self._tell()
        except BaseException:  # an interrupt of whoever is told: the caller does not begin
            self.leave()
            raise

    def leave(self) -> None:
        """Note that something has ended."""
        with self._lock:
            self._depth = max(0, self._depth - 1)
        self._tell()

    def _tell(self) -> None:
        # One thread tells at a time; whoever finds it telling leaves the news to it.
        while True:
            with self._lock:
                now = self._depth > 0
                if self._telling or now == self._told:
                    return
                self._telling, self._told = True, now
            try:
                self._on_change(now)
            except BaseException:
                with self._lock:
                    self._telling = False
                self._tell()  # what others left to us meanwhile
                raise
            with self._lock:
                self._telling = False
