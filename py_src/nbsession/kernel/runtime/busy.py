"""The exact count of user code that is running, and when it last ran."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Busy:
    """Counts the user code that is running in this process, on whatever thread.

    ``with busy: …`` or `enter` and `leave` in pairs; they nest, and may be on different threads.
    """

    def __init__(self, on_change: Callable[[bool], None]) -> None:
        self.value = False  # as observers know it
        self._on_change = on_change
        self._depth = 0
        self._notifying = False
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return self._depth > 0

    def __enter__(self) -> None:
        self.enter()

    def __exit__(self, *_: object) -> None:
        self.leave()

    def enter(self) -> None:
        """Note that something begins."""
        with self._lock:
            self._depth += 1
            if self.value or self._notifying:
                return
            self.value = self._notifying = True
        try:
            self._notify(busy=True)
        except BaseException:  # an interrupt of an observer: the caller does not begin
            self.leave()
            raise

    def leave(self) -> None:
        """Note that something has ended."""
        with self._lock:
            self._depth = max(0, self._depth - 1)
            if self._depth or self._notifying or not self.value:
                return
            self.value, self._notifying = False, True
        self._notify(busy=False)

    def _notify(self, *, busy: bool) -> None:
        # One thread notifies at a time; another that finds it at work leaves its change to it.
        failed: BaseException | None = None
        has_changed = True
        while has_changed:
            try:
                self._on_change(busy)
            except BaseException as error:  # noqa: BLE001 - raised below, after the last change
                failed = error
            with self._lock:
                has_changed = (self._depth > 0) is not busy
                self.value, self._notifying = busy is not has_changed, has_changed
            busy = self.value
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
