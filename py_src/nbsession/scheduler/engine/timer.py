"""When an engine has to do something: many occurrences on one timer of the loop."""

from __future__ import annotations

import contextvars
import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from nbsession.core.schedule.clock import Clock
    from nbsession.scheduler.records import TaskRecord

LOOK_SECONDS = 1.0
"""How often the clock is looked at: how late a wall clock that was set is noticed."""

_MAX_STALE = 64
_LOOK_US = round(LOOK_SECONDS * 1_000_000)
_NEVER_US = 1 << 62

Entry = tuple[int, int, "TaskRecord"]
"""The instant, a number that keeps the order of equal ones, and whose occurrence it is."""


class Alarm:
    """Wakes an engine when an occurrence is due by the wall clock, and every second."""

    def __init__(
        self,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        wake: Callable[[float, int], float],
        *,
        always: bool,
    ) -> None:
        self._clock = clock
        self._loop = loop
        self._wake = wake
        self._always = always
        self._entries: list[Entry] = []
        self._stale = 0
        self._handle: asyncio.TimerHandle | None = None
        self._armed_us = _NEVER_US
        self._context = contextvars.Context()
        self._awake = False
        self._closed = False

    def set(self, task: TaskRecord) -> None:
        """Wake when a task's `due_us` has come; what was set for it before is void."""
        due_us = task.due_us
        if due_us is None:
            return
        heapq.heappush(self._entries, (due_us, task.id, task))
        if due_us < self._armed_us and not self._awake:
            self._arm_first(self._loop.time(), self._clock.now_us())

    def unset(self) -> None:
        """Note that an entry has become void, so that many of them do not stay."""
        self._stale += 1
        if self._stale > _MAX_STALE and self._stale * 2 > len(self._entries):
            # a set of the entries, for a task may have been set twice for one instant
            self._entries = [entry for entry in {*self._entries} if entry[2].due_us == entry[0]]
            heapq.heapify(self._entries)
            self._stale = 0

    def take(self, now_us: int, count: int) -> list[TaskRecord]:
        """Return tasks that are due, the earliest first, at most so many."""
        entries = self._entries
        taken: list[TaskRecord] = []
        last = None
        while entries and entries[0][0] <= now_us:
            due_us, _, task = heapq.heappop(entries)
            if task.due_us != due_us or task is last:
                self._stale = max(0, self._stale - 1)
                continue
            taken.append(task)
            last = task
            if len(taken) == count:
                break
        return taken

    def ring(self) -> None:
        """Wake at the loop's next turn."""
        if not self._awake:
            self._set_timer(self._loop.time(), self._clock.now_us())

    def close(self) -> None:
        """Wake no more."""
        self._closed = True
        self._entries.clear()
        if self._handle is not None:
            self._handle.cancel()

    def _arm_first(self, now: float, now_us: int) -> None:
        entries = self._entries
        if entries:
            when_us = min(entries[0][0], now_us + _LOOK_US)
        elif self._always:
            when_us = now_us + _LOOK_US
        else:
            when_us = _NEVER_US
        self._set_timer(now + (when_us - now_us) / 1_000_000, when_us)

    def _set_timer(self, when: float, when_us: int) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._armed_us = when_us
        if when_us != _NEVER_US and not self._closed:
            # Not `call_at`: pyodide's refuses a time that has passed.
            delay = max(0.0, when - self._loop.time())
            self._handle = self._loop.call_later(delay, self._fire, context=self._context)

    def _fire(self) -> None:
        self._handle, self._awake = None, True
        now, now_us = self._loop.time(), self._clock.now_us()
        pause = 0.0
        try:
            pause = self._wake(now, now_us)
        finally:
            self._awake = False
            if pause:
                self._set_timer(self._loop.time() + pause, self._clock.now_us())
            else:
                self._arm_first(now, now_us)
