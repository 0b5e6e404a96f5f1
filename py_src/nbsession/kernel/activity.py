"""How long ago something happened here that keeps a kernel from being culled."""

from __future__ import annotations

import time


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
