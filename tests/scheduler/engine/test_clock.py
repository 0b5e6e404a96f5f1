"""The engine: a wall clock that is set."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from engines import Bench, on_bench


@on_bench
async def test_a_clock_set_forward_is_noticed_within_a_second(bench: Bench) -> None:
    bench.add("later", at=bench.clock.now + timedelta(hours=1))
    await asyncio.sleep(10)
    bench.clock.set_wall(2 * 3600)
    await asyncio.sleep(1.1)
    assert bench.times == [pytest.approx(2 * 3600 + 10, abs=1.1)]


@on_bench
async def test_a_clock_set_back_moves_the_grid_of_a_period(bench: Bench) -> None:
    bench.add("tick", period="10s")
    await asyncio.sleep(25)
    bench.clock.set_wall(-3600)
    await asyncio.sleep(24)
    assert [time % 3600 for time in bench.times] == [0, 10, 20, 30, 40]
    rows = bench.rows("tick")
    assert [row.state for row in rows] == ["succeeded"] * 5
    assert len({row.due_us for row in rows}) == 5


@on_bench
async def test_a_small_step_back_runs_nothing_twice(bench: Bench) -> None:
    bench.add("tick", period="1s")
    await asyncio.sleep(2.5)
    bench.clock.set_wall(-0.9)
    await asyncio.sleep(2)
    due = bench.due("tick")
    assert due == [0, 1, 2, 3]
    assert bench.times == [0, 1, 2, 3]


@on_bench
async def test_cron_and_single_times_follow_the_wall_clock(bench: Bench) -> None:
    bench.add("cron", cron="0 * * * *", tz="UTC")
    bench.add("once", at=bench.clock.now + timedelta(hours=2))
    await asyncio.sleep(5400)
    assert bench.times == [3600]
    bench.clock.set_wall(-3600)
    await asyncio.sleep(5500)
    assert bench.times == [3600, 7200, 7200]  # nothing twice, and nothing before it is due


@on_bench
async def test_a_start_to_come_is_not_moved(bench: Bench) -> None:
    task = bench.add("later", at=bench.clock.now + timedelta(days=1), period="1m")
    due_us = task.due_us
    await asyncio.sleep(5)
    bench.clock.set_wall(-10)
    await asyncio.sleep(5)
    assert task.due_us == due_us


@on_bench
async def test_once_and_now_is_not_put_off_by_a_clock_set_back(bench: Bench) -> None:
    bench.add("now")
    bench.clock.set_wall(-7200)
    await asyncio.sleep(2)
    assert len(bench.times) == 1


@on_bench
async def test_a_paused_task_resumes_by_the_clock_of_then(bench: Bench) -> None:
    bench.add("tick", period="1m")
    await asyncio.sleep(5)
    bench.engine.pause("tick")
    bench.clock.set_wall(-86_400)
    await asyncio.sleep(5)
    bench.engine.resume("tick")
    await asyncio.sleep(121)
    assert len(bench.times) == 3


@on_bench
async def test_retries_and_time_limits_do_not_heed_the_wall_clock(bench: Bench) -> None:
    def fail() -> None:
        bench.times.append(bench.clock.monotonic())
        raise ValueError

    bench.add("fail", fail, retries=2)
    bench.add("slow", lambda: asyncio.sleep(100), timeout_us=5_000_000)
    await asyncio.sleep(0.5)
    bench.clock.set_wall(-3600)
    await asyncio.sleep(4)
    assert bench.times == pytest.approx([0, 1, 3])
    await asyncio.sleep(1)
    assert bench.rows("slow")[0].reason == "timeout"


@on_bench
async def test_a_run_that_is_late_says_so(bench: Bench) -> None:
    bench.add("late", at=bench.clock.now - timedelta(hours=1))
    bench.add("fair", at=bench.clock.now)
    await asyncio.sleep(0.1)
    assert [(run.state, run.reason) for run in bench.rows("late")] == [("succeeded", "late by 1h")]
    assert [(run.state, run.reason) for run in bench.rows("fair")] == [("succeeded", None)]


@on_bench
async def test_a_clock_that_was_years_ahead_for_a_moment(bench: Bench) -> None:
    bench.add("cron", cron="* * * * *", tz="UTC")
    await asyncio.sleep(70)
    years = 4 * 365 * 24 * 3600
    bench.clock.set_wall(years)
    await asyncio.sleep(70)
    bench.clock.set_wall(-years)
    bench.times.clear()
    await asyncio.sleep(120)
    assert bench.times == [180, 240]
