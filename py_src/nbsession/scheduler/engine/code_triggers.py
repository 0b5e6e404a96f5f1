"""Triggers that are code: their tasks' next occurrences."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from nbsession.core.schedule.instant import SECOND_US, to_iso
from nbsession.core.schedule.triggers import CodeTrigger
from nbsession.core.tracebacks import error_text
from nbsession.scheduler.abc import TriggerCodeError
from nbsession.scheduler.records import OccurrenceRange

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nbsession.core.schedule.clock import Clock
    from nbsession.scheduler.abc import Executor
    from nbsession.scheduler.records import TaskRecord

_ANSWERS_AT_A_STRETCH = 100

_LATE_ANSWERS = 10_000
"""Code that only ever says past times is asked no further."""

_PAUSE_SECONDS = 0.1
"""Code that always says "now" is asked ten times a second, not without a pause."""


class CodeAnswer(NamedTuple):
    """The answer of a trigger's code."""

    due_us: int | None
    late: Sequence[OccurrenceRange] = ()
    error: str | None = None


class CodeTriggers:
    """Asks for next occurrences, once per task at a time."""

    def __init__(
        self,
        executor: Executor,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        answered: Callable[[TaskRecord, CodeAnswer], None],
    ) -> None:
        self._executor = executor
        self._clock = clock
        self._loop = loop
        self._answered = answered
        self._open: dict[int, asyncio.Task[None]] = {}

    def ask(self, task: TaskRecord, after_us: int | None = None) -> None:
        """Ask when a task is due next."""
        self.cancel(task)
        asking = self._loop.create_task(self._ask(task, after_us), context=contextvars.Context())
        self._open[task.id] = asking
        asking.add_done_callback(
            lambda done: self._open.get(task.id) is done and self._open.pop(task.id)
        )

    def cancel(self, task: TaskRecord) -> None:
        """Ask no more for a task."""
        if asking := self._open.pop(task.id, None):
            asking.cancel()

    async def close(self) -> None:
        """Ask no more."""
        asked = list(self._open.values())
        self._open.clear()
        for asking in asked:
            asking.cancel()
        await asyncio.gather(*asked, return_exceptions=True)

    async def _ask(self, task: TaskRecord, after_us: int | None) -> None:
        late: deque[OccurrenceRange] = deque()
        due_us, error = None, None
        try:
            due_us = await self._next(task, after_us, late)
        except asyncio.CancelledError as raised:
            asking = asyncio.current_task()
            if asking is None or asking.cancelling():
                raise
            error = _text_of(raised)  # user code raised it itself
        except (Exception, SystemExit) as raised:  # noqa: BLE001 - user code may raise anything
            error = _text_of(raised)
        self._answered(task, CodeAnswer(due_us, tuple(late), error))

    async def _next(
        self, task: TaskRecord, after_us: int | None, late: deque[OccurrenceRange]
    ) -> int | None:
        trigger = task.spec.trigger
        is_iterator = isinstance(trigger, CodeTrigger) and trigger.kind == "iterator"
        is_first = after_us is None
        for count in itertools.count(1):
            now_us = self._clock.now_us()
            asked_us = now_us if after_us is None else max(now_us, after_us)
            due_us = await self._executor.next_instant(task, asked_us)
            if due_us is None:
                break
            if after_us is not None and due_us <= after_us:
                raise ValueError(
                    f"`at` said {to_iso(due_us)}, which is not after {to_iso(after_us)}, the time "
                    "before it: it has to say later and later times, and None at the end"
                )
            if due_us >= now_us - SECOND_US:
                if due_us <= now_us and not is_iterator and not is_first:
                    await asyncio.sleep(_PAUSE_SECONDS)
                return due_us
            late.append(OccurrenceRange(due_us, due_us))
            if len(late) > _LATE_ANSWERS:
                oldest, second = late.popleft(), late.popleft()
                late.appendleft(OccurrenceRange(oldest.first_us, second.last_us, None))
            after_us = due_us
            if count == _LATE_ANSWERS and not is_iterator:
                raise ValueError(
                    f"`at` said a time that was over {count:,} times in a row, the last time "
                    f"{to_iso(due_us)}: it has to come to times that are not"
                )
            if count % _ANSWERS_AT_A_STRETCH == 0:
                await asyncio.sleep(0)
        return None


def _text_of(raised: BaseException) -> str:
    if isinstance(raised, TriggerCodeError):  # it has the text of an error raised elsewhere
        return str(raised)
    return error_text(raised)
