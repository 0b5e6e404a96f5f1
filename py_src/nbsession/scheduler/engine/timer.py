"""Occurrences of tasks on one timer of the loop, by the wall clock."""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING

from nbsession.core.timers import TimerHeap

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from nbsession.core.schedule.clock import Clock
    from nbsession.scheduler.records import TaskRecord

LOOK_SECONDS = 1.0
"""Between looks at the clock: so late it is noticed that the wall clock was set."""

_LOOK_US = round(LOOK_SECONDS * 1_000_000)
_NEVER_US = 1 << 62


class DueTimer:
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
        self._tasks: TimerHeap[TaskRecord] = TimerHeap(lambda when, task: task.due_us != when)
        self._handle: asyncio.TimerHandle | None = None
        self._armed_us: float = _NEVER_US
        self._context = contextvars.Context()
        self._awake = False
        self._closed = False

    def set(self, task: TaskRecord) -> None:
        """Wake when a task's `due_us` has come, and not at what it was before."""
        due_us = task.due_us
        if due_us is None:
            return
        self._tasks.push(due_us, task.id, task)
        if due_us < self._armed_us and not self._awake:
            self._arm_first(self._loop.time(), self._clock.now_us())

    def note_void(self) -> None:
        """Note that the `due_us` of a task has changed."""
        self._tasks.note_void()

    def take(self, now_us: int, count: int) -> list[TaskRecord]:
        """Return tasks that are due, the earliest first, at most so many."""
        taken: list[TaskRecord] = []
        while len(taken) < count and (task := self._tasks.pop_due(now_us)) is not None:
            if not taken or task is not taken[-1]:  # set twice for one instant
                taken.append(task)
        return taken

    def wake_soon(self) -> None:
        """Wake at the loop's next turn."""
        if not self._awake:
            self._set_timer(self._loop.time(), self._clock.now_us())

    def close(self) -> None:
        """Wake no more."""
        self._closed = True
        if self._handle is not None:
            self._handle.cancel()

    def _arm_first(self, now: float, now_us: int) -> None:
        look_us = now_us + _LOOK_US
        first_us = self._tasks.first
        if first_us is not None:
            when_us = min(first_us, look_us)
        else:
            when_us = look_us if self._always else _NEVER_US
        self._set_timer(now + (when_us - now_us) / 1_000_000, when_us)

    def _set_timer(self, when: float, when_us: float) -> None:
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
