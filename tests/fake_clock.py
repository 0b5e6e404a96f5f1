"""Time that a test sets: hours pass in milliseconds."""

from __future__ import annotations

import asyncio
import selectors
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nbsession.core.schedule.instant import from_instant, to_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

START = datetime(2026, 11, 22, 9, tzinfo=UTC)


class FakeClock:
    """A `Clock` that goes on only when it is told to, and whose wall clock can be set.

    Attributes
    ----------
    looks
        How often the wall clock was looked at: what never ends makes it grow.
    """

    def __init__(self, start: datetime = START) -> None:
        self._elapsed_us = 0
        self.looks = 0
        self._offset_us = to_instant(start)

    def now_us(self) -> int:
        self.looks += 1
        return self._offset_us + self._elapsed_us

    def monotonic(self) -> float:
        return self._elapsed_us / 1_000_000

    @property
    def now(self) -> datetime:
        return from_instant(self.now_us())

    def go_on(self, seconds: float) -> None:
        self._elapsed_us += round(seconds * 1_000_000)

    def set_wall(self, seconds: float) -> None:
        """Set the wall clock forward, or back if negative."""
        self._offset_us += round(seconds * 1_000_000)


class _Hurry(selectors.DefaultSelector):
    """Does not wait: lets the clock go on instead."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(None if timeout is None else 0)
        if timeout and not events:
            self._clock.go_on(max(timeout, 1e-6))
        return events


class FakeLoop(asyncio.SelectorEventLoop):
    """A loop whose timers follow a fake clock."""

    def __init__(self, clock: FakeClock) -> None:
        self._fake_clock = clock
        super().__init__(_Hurry(clock))

    def time(self) -> float:
        return self._fake_clock.monotonic()


def run_fast(main: Callable[[FakeClock], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine function with a clock of its own, on a loop that never waits."""
    clock = FakeClock()
    with asyncio.Runner(loop_factory=lambda: FakeLoop(clock)) as runner:
        runner.run(main(clock))
