"""One sample of `engine.py`, in this process: ``python engine_sample.py <scheduler> <part>``."""

from __future__ import annotations

import asyncio
import gc
import heapq
import itertools
import json
import os
import statistics
import sys
import time
import tracemalloc
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

TICKS, TICK_SECONDS = 1000, 0.01
MANY, SECONDS = 1000, 3
HOUR = 3600.0


def nothing() -> None:
    """Be a task."""


class Ours:
    """nbsession's engine."""

    def __init__(self) -> None:
        import logging

        sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
        from inline_executor import InlineExecutor
        from nbsession.core.schedule.clock import SystemClock
        from nbsession.core.tasks.spec import Target
        from nbsession.scheduler.api.declare import Place
        from nbsession.scheduler.engine.engine import Engine
        from nbsession.scheduler.stores.memory import MemoryStore

        clock = SystemClock()
        self.now_us = clock.now_us
        self.engine = Engine(MemoryStore(), InlineExecutor(clock), clock, logging.getLogger())
        self.engine.open()
        self.place = lambda function, _at: Place(
            Target("local", "__main__", function.__qualname__, function), None, None
        )

    def prepare(self, name: str, callback: Callable[[], None], start: float, period: float) -> Any:
        """Return the declaration of a task."""
        from nbsession.scheduler.api.declare import declare

        return declare(
            name,
            callback,
            at=datetime.fromtimestamp(start),  # noqa: DTZ006 - as a notebook would
            period=timedelta(seconds=period),
            cron=None,
            tz=None,
            threaded=False,
            args=(),
            kwargs=None,
            overlap="skip",
            misfire="run",
            misfire_grace=1,
            timeout=None,
            retries=0,
            process=False,
            place=self.place,
            now_us=self.now_us(),
        )

    def add(self, prepared: Any) -> None:
        """Schedule it."""
        self.engine.schedule(prepared)


class Panel:
    """Panel's `state.schedule_task`."""

    def __init__(self) -> None:
        from panel import state

        self.schedule = state.schedule_task

    def prepare(self, name: str, callback: Callable[[], None], start: float, period: float) -> Any:
        """Return the arguments."""
        at = datetime.fromtimestamp(start)  # noqa: DTZ006 - it takes naive ones only
        return name, callback, at, timedelta(seconds=period)

    def add(self, prepared: Any) -> None:
        """Schedule it."""
        self.schedule(*prepared)


class APScheduler:
    """APScheduler's memory store and asyncio executor."""

    def __init__(self) -> None:
        from apscheduler.schedulers.asyncio import AsyncIOScheduler
        from apscheduler.triggers.interval import IntervalTrigger

        self.trigger = IntervalTrigger
        self.scheduler = AsyncIOScheduler()
        self.scheduler.start()

    def prepare(self, name: str, callback: Callable[[], None], start: float, period: float) -> Any:
        """Return the job's function, trigger and name."""
        at = datetime.fromtimestamp(start).astimezone()
        return callback, self.trigger(seconds=period, start_date=at), name

    def add(self, prepared: Any) -> None:
        """Add the job."""
        callback, trigger, name = prepared
        self.scheduler.add_job(callback, trigger, id=name, misfire_grace_time=None, coalesce=True)


class CallAt:
    """A heap and one timer of the loop."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.offset = self.loop.time() - time.time()
        self.heap: list[tuple[float, int, Callable[[], None], float]] = []
        self.numbers = itertools.count()
        self.handle: asyncio.TimerHandle | None = None

    def prepare(self, _name: str, callback: Callable[[], None], start: float, period: float) -> Any:
        """Return an entry of the heap."""
        return start + self.offset, next(self.numbers), callback, period

    def add(self, prepared: Any) -> None:
        """Push it."""
        heapq.heappush(self.heap, prepared)
        if self.heap[0] is prepared:
            self.arm()

    def arm(self) -> None:
        """Wait for the first."""
        if self.handle is not None:
            self.handle.cancel()
        self.handle = self.loop.call_at(self.heap[0][0], self.fire)

    def fire(self) -> None:
        """Call what is due; what was missed is skipped."""
        now = self.loop.time()
        while self.heap[0][0] <= now:
            due, number, callback, period = self.heap[0]
            callback()
            due += period * (1 + max(0.0, (now - due) // period))
            heapq.heapreplace(self.heap, (due, number, callback, period))
        self.arm()


SCHEDULERS = {"ours": Ours, "panel": Panel, "apscheduler": APScheduler, "call_at": CallAt}
"""By the names on the command line; each is made on the loop."""


def adding(scheduler: Any, count: int) -> dict[str, float]:
    """Return the CPU time of adding so many tasks that are due in an hour, in µs each."""
    start = time.time() + HOUR
    scheduler.add(scheduler.prepare("first", nothing, start, HOUR))  # imports what it needs
    gc.collect()
    began = time.process_time()
    prepared = [
        scheduler.prepare(f"task {n}", nothing, start + n / 1000, HOUR) for n in range(count)
    ]
    middle = time.process_time()
    for each in prepared:
        scheduler.add(each)
    ended = time.process_time()
    return {"declare": 1e6 * (middle - began) / count, "add": 1e6 * (ended - middle) / count}


def memory(scheduler: Any, count: int = 10_000) -> dict[str, float]:
    """Return what an idle task takes, in bytes."""
    start = time.time() + HOUR
    scheduler.add(scheduler.prepare("first", nothing, start, HOUR))  # imports what it needs
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for n in range(count):
        scheduler.add(scheduler.prepare(f"task {n}", nothing, start + n / 1000, HOUR))
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] - before
    return {"memory": taken / count}


async def firing(scheduler: Any) -> dict[str, float]:
    """Return the CPU time per fire of many tasks of 1 s, spread over it, in µs."""
    count, start = 0, time.time() + 0.5

    def tick() -> None:
        nonlocal count
        count += 1

    for n in range(MANY):
        scheduler.add(scheduler.prepare(f"task {n}", tick, start + n / MANY, 1))
    await asyncio.sleep(1.6)  # they have all begun
    first, began = count, time.process_time()
    await asyncio.sleep(SECONDS)
    return {"fire": 1e6 * (time.process_time() - began) / (count - first)}


async def at_once(scheduler: Any) -> dict[str, float]:
    """Return how late the slowest hundredth of many tasks is that are due at once, in ms."""
    late: list[float] = []
    start = time.time() + 1

    def tick() -> None:
        late.append(time.time() - start)

    for n in range(MANY):
        scheduler.add(scheduler.prepare(f"task {n}", tick, start, HOUR))
    gc.collect()
    while len(late) < MANY:  # noqa: ASYNC110 - the loop has nothing else to do
        await asyncio.sleep(0.5)
    return {"at once": 1e3 * sorted(late)[len(late) * 99 // 100]}


async def ticking(scheduler: Any) -> dict[str, float]:
    """Return how late one task of 10 ms is in the median, and its drift, both in ms."""
    times: list[float] = []
    start, ended = time.time() + 0.1, asyncio.Event()

    def tick() -> None:
        times.append(time.time())
        if len(times) == TICKS:
            ended.set()

    scheduler.add(scheduler.prepare("tick", tick, start, TICK_SECONDS))
    await ended.wait()
    late = [(at - start) % TICK_SECONDS for at in times]  # by the grid, whatever was skipped
    tenth = TICKS // 10
    drift = statistics.median(late[-tenth:]) - statistics.median(late[:tenth])
    return {"late": 1e3 * statistics.median(late), "drift": 1e3 * abs(drift) / 0.9}


async def main(scheduler: str, part: str) -> None:
    """Print one sample as JSON."""
    made: Any = SCHEDULERS[scheduler]()
    if part.startswith("add"):
        found = adding(made, int(part.split()[1]))
    elif part == "memory":
        found = memory(made)
    else:
        found = await {"fire": firing, "at once": at_once, "late": ticking}[part](made)
    print(json.dumps(found), flush=True)
    os._exit(0)  # timers of 100,000 tasks would take their time to go


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
