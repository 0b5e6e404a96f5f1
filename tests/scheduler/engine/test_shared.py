"""Two engines on one database."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from engines import Bench, ByName, on_bench
from fake_clock import run_fast
from nbsession.core.errors import NoSuchTaskError
from nbsession.core.tasks.run import current_run
from nbsession.scheduler.abc import HistoryLimits
from nbsession.scheduler.stores.sqlite.store import SqliteStore
from scheduling import SECOND, a_spec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from fake_clock import FakeClock


@asynccontextmanager
async def _pair(
    bench: Bench, folder: Path, **functions: Callable[..., Any]
) -> AsyncIterator[tuple[Bench, Bench]]:
    """Return two engines that call the same functions by the names of tasks."""
    joined = []
    for _ in range(2):
        log = logging.getLogger("tasks")
        store = SqliteStore(folder / "tasks.sqlite", bench.clock, log, HistoryLimits(runs=1000))
        joined.append(Bench(bench.clock, store, ByName(bench.clock, functions)))
    yield joined[0], joined[1]
    for each in joined:
        await each.engine.close()


@on_bench
async def test_every_occurrence_runs_on_one_of_them(bench: Bench, tmp_path: Path) -> None:
    names = [f"task{number}" for number in range(5)]
    async with _pair(bench, tmp_path, **dict.fromkeys(names, bench.tick)) as (one, two):
        for name in names:
            one.engine.schedule(a_spec(name))
        await asyncio.sleep(30.5)
        assert len(bench.times) == 31 * 5
        for name in names:
            rows = two.rows(name)
            assert [row.state for row in rows] == ["succeeded"] * 31
            assert len({row.due_us for row in rows}) == 31


@on_bench
async def test_two_engines_write_what_is_skipped_and_missed_into_one_row_each(
    bench: Bench, tmp_path: Path
) -> None:
    async def slow() -> None:
        bench.tick()
        await asyncio.sleep(19.5)

    async with _pair(bench, tmp_path, slow=slow) as (one, two):
        one.engine.schedule(a_spec("slow"))
        await asyncio.sleep(45)
        bench.clock.go_on(100)
        await asyncio.sleep(30)
        rows = two.rows("slow")
        began = [run for run in rows if run.started_us is not None]
        assert len(began) == len(bench.times)
        gaps = [run for run in rows if run.started_us is None]
        assert len(gaps) <= len(began) + 1
        spans = sorted((run.due_us or 0, run.until_us or 0, run.count or 0) for run in rows)
        for (_, until, _), (due, _, _) in pairwise(spans):
            assert due - until == SECOND, "each occurrence is in one row"
        assert all(until - due == (count - 1) * SECOND for due, until, count in spans)


@on_bench
async def test_one_hears_what_the_other_has_done(bench: Bench, tmp_path: Path) -> None:
    async with _pair(bench, tmp_path, report=bench.tick) as (one, two):
        removed: list[str] = []
        two.engine.subscribe(lambda changes: removed.extend(changes.removed))
        one.engine.schedule(a_spec(period="1h"))
        assert two.engine.get("report").spec == a_spec(period="1h")
        two.engine.pause("report")
        await asyncio.sleep(1.1)
        assert one.engine.get("report").state == "paused"
        one.engine.schedule(a_spec(period="10s"), replace=True)
        one.engine.resume("report")
        await asyncio.sleep(1.1)
        assert two.engine.get("report").spec == a_spec(period="10s")
        one.engine.cancel("report")
        await asyncio.sleep(1.1)
        assert removed == ["report"]
        with pytest.raises(NoSuchTaskError):
            two.engine.get("report")


@on_bench
async def test_one_name_is_one_task(bench: Bench, tmp_path: Path) -> None:
    async with _pair(bench, tmp_path, report=bench.tick) as (one, two):
        task, outcome = one.engine.schedule(a_spec())
        other, again = two.engine.schedule(a_spec())
        assert (outcome, again, task.id) == ("made", "same", other.id)
        assert two.engine.schedule(a_spec(period="5s"))[1] == "exists"


@on_bench
async def test_a_run_overlaps_none_of_the_other_engine(bench: Bench, tmp_path: Path) -> None:
    async def slow() -> None:
        bench.tick()
        await asyncio.sleep(2.5)

    async with _pair(bench, tmp_path, report=slow) as (one, two):
        one.engine.schedule(a_spec())
        await asyncio.sleep(12.5)
        assert bench.times == [0, 3, 6, 9, 12]
        assert {one.engine.get("report").state, two.engine.get("report").state} == {"running"}


@on_bench
async def test_a_queued_run_waits_for_the_other_engine(bench: Bench, tmp_path: Path) -> None:
    async def slow() -> None:
        bench.tick()
        await asyncio.sleep(5)

    async with _pair(bench, tmp_path, report=slow) as (one, two):
        one.engine.schedule(a_spec(period="1h", overlap="queue"))
        await asyncio.sleep(1)
        queued = two.engine.start("report")
        assert queued.state == "queued"
        run = await two.engine.finished(queued.id)
        assert run is not None
        assert run.state == "succeeded"
        assert bench.times == [0, pytest.approx(5, abs=1.1)]


@on_bench
async def test_a_run_is_cancelled_by_the_other_engine(bench: Bench, tmp_path: Path) -> None:
    async with _pair(bench, tmp_path, report=lambda: asyncio.sleep(100)) as (one, two):
        one.engine.schedule(a_spec(period="1h"))
        await asyncio.sleep(1)
        [run] = one.engine.history("report", 9)
        ended = one.engine.finished(run.id)
        two.engine.cancel("report")
        final = await ended
        assert final is not None
        assert (final.state, final.reason) == ("failed", "cancelled")


@on_bench
async def test_one_waits_for_a_run_of_the_other(bench: Bench, tmp_path: Path) -> None:
    async with _pair(bench, tmp_path, report=lambda: asyncio.sleep(3)) as (one, two):
        one.engine.schedule(a_spec(period="1h"))
        await asyncio.sleep(1)
        run = await two.engine.finished(one.engine.history("report", 1)[0].id)
        assert run is not None
        assert run.state == "succeeded"


@on_bench
async def test_one_more_run_is_one_more_on_either(bench: Bench, tmp_path: Path) -> None:
    async with _pair(bench, tmp_path, report=bench.tick) as (one, two):
        one.engine.schedule(a_spec(period="10s"))
        await asyncio.sleep(1)
        two.engine.cancel("report", wait=True)
        await asyncio.sleep(60)
        assert bench.times == [0, 10]
        assert one.store.tasks.load() == two.store.tasks.load() == []


@on_bench
async def test_a_busy_database_loses_nothing(bench: Bench, tmp_path: Path) -> None:
    async with _pair(bench, tmp_path, report=bench.tick) as (one, _):
        one.engine.schedule(a_spec(period="10s"))
        await asyncio.sleep(5)
        other = sqlite3.connect(tmp_path / "tasks.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        bench.clock.go_on(5)
        turns = bench.clock.looks
        await asyncio.sleep(3)
        assert bench.times == [0]
        assert bench.clock.looks - turns < 200
        other.execute("ROLLBACK")
        other.close()
        await asyncio.sleep(20)
        assert len(bench.times) == 4
        assert one.due("report") == [0, 10, 20, 30]


@on_bench
async def test_stored_tasks_go_on_when_an_engine_begins(bench: Bench, tmp_path: Path) -> None:
    async with _pair(bench, tmp_path, report=bench.tick) as (one, _):
        one.engine.schedule(a_spec(period="10s"))
        await asyncio.sleep(1)
    bench.clock.go_on(60)
    async with _pair(bench, tmp_path, report=bench.tick) as (one, _):
        await asyncio.sleep(10)
        assert bench.times == [0, 61, 70]
        assert one.states("report") == ["succeeded", "missed", "succeeded", "succeeded"]
        assert one.rows("report")[1].count == 5


def test_a_task_waits_until_it_can_run_here(tmp_path: Path) -> None:
    """As for a folder on a disk that comes late, and goes."""

    async def main(clock: FakeClock) -> None:
        is_here = False
        store = SqliteStore(tmp_path / "tasks.sqlite", clock, logging.getLogger("tasks"))
        functions: dict[str, Callable[..., Any]] = {}
        executor = ByName(clock, functions)
        bench = Bench(clock, store, executor, can_run=lambda _spec: is_here)
        functions["report"] = bench.tick
        bench.engine.schedule(a_spec("report", period="10s"))
        await asyncio.sleep(65)
        assert bench.times == []
        is_here = True
        await asyncio.sleep(30)
        assert bench.times[0] < 71
        assert bench.times[-2:] == [80, 90]
        ran = len(bench.times)
        is_here = False
        await asyncio.sleep(60)
        assert bench.states("report").count("succeeded") == len(bench.times) == ran
        is_here = True
        await asyncio.sleep(30)
        assert bench.times[-2:] == [170, 180]
        await bench.engine.close()

    run_fast(main)


@on_bench
async def test_progress_is_notified_before_it_is_stored(bench: Bench, tmp_path: Path) -> None:
    async def work() -> None:
        run = current_run.get()
        assert run is not None
        run.progress(0.4, "loading")
        await asyncio.sleep(0.5)

    async with _pair(bench, tmp_path, work=work) as (one, _):
        one.engine.schedule(a_spec("work", period="1h"))
        await asyncio.sleep(0.1)
        [row] = one.rows("work")
        assert (row.state, row.progress, row.progress_text) == ("running", 0.4, "loading")
        assert one.engine.run(row.id) == row
