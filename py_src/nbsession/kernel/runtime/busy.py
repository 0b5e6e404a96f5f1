"""Whether user code is running, counted exactly."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Busy:
    """Counts the user code that is running in this process, on whatever thread.

    ``with busy: …`` or `enter` and `leave` in pairs; they nest, and may be on different threads.
    """

    def __init__(self, on_change: Callable[[bool], None]) -> None:
        self.told = False
        self._on_change = on_change
        self._depth = 0
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
            if self.told or self._telling:
                return
            self.told = self._telling = True
        try:
            self._tell(busy=True)
        except BaseException:  # an interrupt of whoever is told: the caller does not begin
            self.leave()
            raise

    def leave(self) -> None:
        """Note that something has ended."""
        with self._lock:
            self._depth = max(0, self._depth - 1)
            if self._depth or self._telling or not self.told:
                return
            self.told, self._telling = False, True
        self._tell(busy=False)

    def _tell(self, *, busy: bool) -> None:
        # One thread tells at a time; whoever finds it telling leaves the news to it.
        failed: BaseException | None = None
        is_news = True
        while is_news:
            try:
                self._on_change(busy)
            except BaseException as error:  # noqa: BLE001 - raised below, when all news is told
                failed = error
            with self._lock:
                is_news = (self._depth > 0) is not busy
                self.told, self._telling = busy is not is_news, is_news
            busy = self.told
        if failed is not None:
            raise failed


class Activity:
    """When user code last ran in this process, and when only this package talked with its pages.

    Every change of busy pays for it: no locks, as each time is one assignment.
    """

    def __init__(self) -> None:
        self._ran = time.monotonic()
        self._talked: float | None = None

    def note_user_code(self) -> None:
        """Note that user code begins or ends."""
        self._ran = time.monotonic()

    def note_own_message(self) -> None:
        """Note a message from or to a page that is about this package's own widgets."""
        self._talked = time.monotonic()

    def report(self, *, busy: bool) -> dict[str, float | None]:
        """Return for how many seconds there was none of either; None if there never was."""
        now = time.monotonic()
        talked = self._talked
        return {
            "idle_seconds": 0.0 if busy else now - self._ran,
            "own_message_seconds": None if talked is None else now - talked,
        }
