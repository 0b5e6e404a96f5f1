"""Global tasks through SQLite and a worker: how late, how many, and at what price."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import table

from nbsession.core.schedule.clock import SystemClock
from nbsession.core.schedule.instant import SECOND_US
from nbsession.core.schedule.triggers import PeriodTrigger
from nbsession.core.tasks.spec import Home, Target, TaskSpec
from nbsession.scheduler.api.service import EngineTaskService
from nbsession.scheduler.engine.engine import Engine
from nbsession.scheduler.stores.sqlite.store import SqliteStore
from nbsession.scheduler.workers.executor import WorkerExecutor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROUNDS = 5
LATENCY_SECONDS = 5
LATENCY_PERIOD_US = 25_000
FLOOD_SECONDS = 5
FLOOD_TASKS = 2_200
IDLE_SECONDS = 10
IDLE_TASKS = 10_000

_MODULE = """
import json, time
from nbsession import state

late_us = []

def sync():
    late_us.append(time.time_ns() // 1000 - state.run.due_us)

async def coroutine():
    late_us.append(time.time_ns() // 1000 - state.run.due_us)

def tell():
    late_us[:] = late_us[5:]
    print(json.dumps(sorted(late_us)))
"""


class _Scheduler:
    """An engine on a database of its own, with workers."""

    def __init__(self, folder: str) -> None:
        Path(folder, "timed.py").write_text(_MODULE, encoding="utf-8")
        self._home = Home(sys.executable, folder)
        log = logging.getLogger("benchmark")
        clock = SystemClock()
        self.executor = WorkerExecutor(log)
        store = SqliteStore(Path(folder, "tasks.sqlite"), clock, log)
        self.engine = Engine(store, self.executor, clock, log)
        self.engine.open()
        self.service = EngineTaskService(self.engine, asyncio.get_running_loop())
        self.executor.service = self.service

    def add(self, name: str, function: str, start_us: int, period_us: int) -> None:
        """Schedule a function of the module on a grid."""
        target = Target("import", "timed", function)
        trigger = PeriodTrigger(start_us, period_us)
        self.engine.schedule(TaskSpec(name, target, trigger, home=self._home))

    async def run(self, function: str) -> str:
        """Run a function of the module once; return what it prints."""
        name = f"once-{function}"
        self.add(name, function, time.time_ns() // 1000 + 10**12, 10**12)
        run = await self.engine.run_now(name)
        self.engine.cancel(name)
        if run is None or run.state != "succeeded":
            raise RuntimeError(f"{function}: {run}")
        return run.output

    @property
    def worker(self) -> psutil.Process:
        """The worker's process."""
        return psutil.Process(self.executor.status()[0]["pid"])


@asynccontextmanager
async def _scheduler() -> AsyncIterator[_Scheduler]:
    with tempfile.TemporaryDirectory() as folder:
        scheduler = _Scheduler(folder)
        try:
            await scheduler.run("tell")  # starts the worker, imports the module
            yield scheduler
        finally:
            await scheduler.engine.close()


def _cpu_us(*processes: psutil.Process) -> float:
    times = [process.cpu_times() for process in processes]
    return sum(each.user + each.system for each in times) * 1e6


async def _latency(function: str) -> table.Sample:
    """Let one task be due again and again on a quiet server."""
    async with _scheduler() as scheduler:
        begin_us = time.time_ns() // 1000 + LATENCY_PERIOD_US
        scheduler.add("one", function, begin_us, LATENCY_PERIOD_US)
        await asyncio.sleep(LATENCY_SECONDS)
        scheduler.engine.cancel("one")
        late_us = json.loads(await scheduler.run("tell"))
        worker_mib = scheduler.worker.memory_info().rss / 2**20
    return {**_percentiles(late_us), "worker MiB": worker_mib}


async def _bare() -> table.Sample:
    """Do the same with nothing but the loop: what the machine is late by."""
    loop = asyncio.get_running_loop()
    late_us: list[float] = []
    begin = loop.time() + LATENCY_PERIOD_US / 1e6
    for number in range(LATENCY_SECONDS * SECOND_US // LATENCY_PERIOD_US):
        due = begin + number * LATENCY_PERIOD_US / 1e6
        loop.call_at(due, lambda due=due: late_us.append((loop.time() - due) * 1e6))
    await asyncio.sleep(LATENCY_SECONDS + 0.2)
    return _percentiles(sorted(late_us))


def _percentiles(late_us: list[float]) -> dict[str, float]:
    return {
        "p50 ms": late_us[len(late_us) // 2] / 1000,
        "p99 ms": late_us[len(late_us) * 99 // 100] / 1000,
    }


async def _flood(function: str) -> table.Sample:
    """Have more due each second than is promised, spread over the second."""
    async with _scheduler() as scheduler:
        begin_us = time.time_ns() // 1000 + 2 * SECOND_US
        for number in range(FLOOD_TASKS):
            start_us = begin_us + number * SECOND_US // FLOOD_TASKS
            scheduler.add(f"task {number}", function, start_us, SECOND_US)
        await asyncio.sleep((begin_us - time.time_ns() // 1000) / 1e6 + 1)
        processes = psutil.Process(), scheduler.worker
        tasks = scheduler.engine.tasks()
        before, cpu_us = sum(task.run_count for task in tasks), _cpu_us(*processes)
        begin = time.perf_counter()
        await asyncio.sleep(FLOOD_SECONDS)
        fires = sum(task.run_count for task in tasks) - before
        seconds, cpu_us = time.perf_counter() - begin, _cpu_us(*processes) - cpu_us
        worker_mib = scheduler.worker.memory_info().rss / 2**20
        for task in tasks:
            scheduler.engine.cancel(task.spec.name)
    return {"fires/s": fires / seconds, "µs CPU/fire": cpu_us / fires, "worker MiB": worker_mib}


async def _idle() -> table.Sample:
    """Hold many tasks that are due in an hour."""
    async with _scheduler() as scheduler:
        start_us = time.time_ns() // 1000 + 3600 * SECOND_US
        for number in range(IDLE_TASKS):
            scheduler.add(f"task {number}", "sync", start_us + number, 3600 * SECOND_US)
        await asyncio.sleep(1)
        processes = psutil.Process(), scheduler.worker
        cpu_us = _cpu_us(*processes)
        begin = time.perf_counter()
        await asyncio.sleep(IDLE_SECONDS)
        used_us = _cpu_us(*processes) - cpu_us
        return {"% of a core": used_us / (time.perf_counter() - begin) / 1e4}


def measure(rounds: int | None) -> table.Report:
    """Measure global tasks, from the database to the callable."""
    report = table.Report("Global tasks through SQLite and a worker")
    report.take(
        {
            "one async task": lambda: asyncio.run(_latency("coroutine")),
            "one sync task": lambda: asyncio.run(_latency("sync")),
            "bare: call_at, no task at all": lambda: asyncio.run(_bare()),
            f"{FLOOD_TASKS} async tasks of 1 s": lambda: asyncio.run(_flood("coroutine")),
            f"{FLOOD_TASKS} sync tasks of 1 s": lambda: asyncio.run(_flood("sync")),
            f"{IDLE_TASKS} idle tasks": lambda: asyncio.run(_idle()),
        },
        rounds or ROUNDS,
    )
    for kind in ("async", "sync"):
        report.expect(f"due → first line, {kind}, p50, ms", f"one {kind} task", "p50 ms", 2)
        report.expect(f"due → first line, {kind}, p99, ms", f"one {kind} task", "p99 ms", 6)
        flood = f"{FLOOD_TASKS} {kind} tasks of 1 s"
        report.expect(f"CPU per fire in both processes, {kind}, µs", flood, "µs CPU/fire", 200)
        report.expect(f"worker's RSS, {kind}, MiB", flood, "worker MiB", 40)
        late = 2_000 - report.median(flood, "fires/s")
        report.expect_count(f"fires/s short of 2,000, {kind}", max(0.0, late), 0)
    report.expect("10,000 tasks, idle, % of a core", f"{IDLE_TASKS} idle tasks", "% of a core", 0.1)
    report.notes.append("jupyter-scheduler looks for due jobs every 10 s")
    return report


if __name__ == "__main__":
    table.main(measure)
