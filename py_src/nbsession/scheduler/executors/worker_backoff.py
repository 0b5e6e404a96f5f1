"""How long a worker that dies again and again has to wait for its next start."""

from __future__ import annotations

import time

FIRST_SECONDS = 0.1
MAX_SECONDS = 30.0
HEALTHY_SECONDS = 60.0


class WorkerBackoff:
    """Doubles the wait with every failure; one that has lived for a minute begins anew."""

    def __init__(self) -> None:
        self._delay = FIRST_SECONDS
        self._not_before = 0.0
        self._ready_at: float | None = None

    @property
    def wait_seconds(self) -> float:
        """How long from now; 0 or less if the next one may start."""
        return self._not_before - time.monotonic()

    def ready(self) -> None:
        """Take note that a worker is up."""
        self._ready_at = time.monotonic()

    def ended(self) -> None:
        """Take note that one has died, or could not start."""
        now = time.monotonic()
        if self._ready_at is not None and now - self._ready_at >= HEALTHY_SECONDS:
            self._delay = FIRST_SECONDS
        self._ready_at = None
        self._not_before = now + self._delay
        self._delay = min(2 * self._delay, MAX_SECONDS)
