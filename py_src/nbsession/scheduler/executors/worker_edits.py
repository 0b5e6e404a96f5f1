"""How soon a worker whose source files are edited again and again gives way to a fresh one."""

from __future__ import annotations

import time

FIRST_SECONDS = 0.1
MAX_SECONDS = 30.0
CALM_SECONDS = 3.0


class WorkerEdits:
    """Doubles the pause while every fresh worker is out of date at once: it edits its own source.

    Somebody who saves a file every few seconds does not wait.
    """

    def __init__(self) -> None:
        self._delay = FIRST_SECONDS
        self._not_before = 0.0
        self._settled_at: float | None = None

    def settled(self) -> None:
        """Take note that a worker's script has run through, or has failed."""
        self._settled_at = time.monotonic()

    def pause_seconds(self) -> float:
        """Take note of an edit; return how long its worker has to wait, perhaps 0 or less."""
        now = time.monotonic()
        calm = self._settled_at is not None and now - self._settled_at > self._delay + CALM_SECONDS
        if calm:
            self._delay = FIRST_SECONDS
        pause = self._not_before - now
        self._settled_at = None
        self._not_before = max(now, self._not_before) + self._delay
        self._delay = min(2 * self._delay, MAX_SECONDS)
        return pause
