"""The engine: triggers that are code."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from engines import Bench, on_bench

if TYPE_CHECKING:
    from collections.abc import Iterator


@on_bench
async def test_a_callable_is_asked_when_scheduled_and_after_each_due_time(bench: Bench) -> None:
    asked: list[datetime] = []

    def at(now: datetime) -> datetime | None:
        asked.append(now)
        return now + timedelta(minutes=10) if len(asked) < 4 else None

    begun = bench.clock.now
    task = bench.add("code", at=at)
    await asyncio.sleep(3600)
    assert bench.times == [600, 1200, 1800]
    assert asked == [begun + timedelta(minutes=10 * number) for number in range(4)]
    assert asked[0].utcoffset() == timedelta(0)
    assert (task.state, task.ended_by) == ("finished", None)


@on_bench
async def test_an_iterator_gives_its_times_in_turn(bench: Bench) -> None:
    times = iter([bench.clock.now + timedelta(seconds=second) for second in (5, 7, 30)])
    task = bench.add("code", at=times)
    assert task.state == "scheduled"
    await asyncio.sleep(60)
    assert bench.times == [5, 7, 30]
    assert task.state == "finished"


@on_bench
async def test_times_that_an_iterator_gives_too_late_run_once(bench: Bench) -> None:
    now = bench.clock.now
    bench.add("code", at=iter([now + timedelta(minutes=minute) for minute in (-9, -8, -7, 1)]))
    await asyncio.sleep(120)
    assert bench.times == [0, 60]
    assert bench.states("code") == ["missed", "succeeded", "succeeded"]
    assert bench.due("code") == [-540, -420, 60]
    missed = bench.rows("code")[0]
    assert (missed.until, missed.count) == (now - timedelta(minutes=8), 2)


@on_bench
async def test_a_long_past_of_an_iterator_leaves_the_loop_its_turns(bench: Bench) -> None:
    begun = bench.clock.now

    def every_second() -> Iterator[datetime]:
        at = begun - timedelta(hours=5)
        while True:
            yield at
            at += timedelta(seconds=1)

    bench.add("code", at=every_second(), misfire="skip")
    other = bench.add("other", period="1s")
    await asyncio.sleep(2)
    assert other.run_count == 3
    [missed, *_] = bench.rows("code")
    assert (missed.state, missed.count) == ("missed", None)
    assert missed.due == begun - timedelta(hours=5)


@on_bench
async def test_an_exception_ends_the_task_and_is_its_last_error(bench: Bench) -> None:
    def at(now: datetime) -> datetime:
        if bench.times:
            raise LookupError("no more")
        return now + timedelta(seconds=5)

    task = bench.add("code", at=at)
    await asyncio.sleep(20)
    assert bench.times == [5]
    assert (task.state, task.ended_by) == ("finished", "LookupError: no more")


@on_bench
async def test_an_answer_that_is_no_time_ends_the_task(bench: Bench) -> None:
    task = bench.add("code", at=lambda _now: "10:00")
    await asyncio.sleep(1)
    assert task.state == "finished"
    assert "'10:00'" in str(task.ended_by)


@on_bench
async def test_a_callable_that_stands_still_ends_its_task(bench: Bench) -> None:
    moment = datetime(2026, 11, 22, 8, tzinfo=UTC)
    task = bench.add("code", at=lambda _now: moment)
    await asyncio.sleep(10)
    assert bench.times == [0]
    assert task.state == "finished"
    assert "not after 2026-11-22T08:00:00Z" in str(task.ended_by)


@on_bench
async def test_pausing_loses_no_time_that_the_code_has_given(bench: Bench) -> None:
    now = bench.clock.now
    bench.add("code", at=iter([now + timedelta(seconds=second) for second in (10, 20, 30)]))
    await asyncio.sleep(1)
    bench.engine.pause("code")
    await asyncio.sleep(1)
    bench.engine.resume("code")
    await asyncio.sleep(10)
    assert bench.times == [10]
    bench.engine.pause("code")
    await asyncio.sleep(15)
    bench.engine.resume("code")
    await asyncio.sleep(20)
    assert bench.times == [10, 30]


@on_bench
async def test_a_cancelled_task_is_asked_nothing_any_more(bench: Bench) -> None:
    asked = 0

    def at(now: datetime) -> datetime:
        nonlocal asked
        asked += 1
        return now + timedelta(seconds=1)

    bench.add("code", at=at)
    bench.engine.cancel("code")
    await asyncio.sleep(5)
    assert (asked, bench.times) == (0, [])


@on_bench
async def test_one_more_run_of_code_is_the_last(bench: Bench) -> None:
    bench.add("code", at=lambda now: now + timedelta(seconds=10))
    await asyncio.sleep(1)
    bench.engine.cancel("code", wait=True)
    await asyncio.sleep(100)
    assert bench.times == [10]
    assert bench.store.tasks.load() == []


@on_bench
async def test_a_change_while_code_is_asked_counts(bench: Bench) -> None:
    bench.add("code", at=lambda now: now + timedelta(seconds=10))
    bench.declare("code", period="3s", replace=True)
    await asyncio.sleep(7)
    assert bench.times == [0, 3, 6]
    with pytest.raises(KeyError):
        bench.engine.pause("other")


@on_bench
async def test_a_late_time_of_an_iterator_does_not_wait_for_the_next_alarm(bench: Bench) -> None:
    bench.add("early", period="1h")
    await asyncio.sleep(0.1)
    task = bench.add("late", at=iter([bench.clock.now - timedelta(hours=1)]))
    await asyncio.sleep(0.1)
    assert task.state == "finished"
    assert bench.states("late") == ["succeeded"]


@on_bench
async def test_times_that_a_callable_says_too_late_run_once(bench: Bench) -> None:
    now = bench.clock.now
    times = iter([now + timedelta(minutes=minute) for minute in (-9, -8, -7, 1)])
    bench.add("code", at=lambda _: next(times, None))
    await asyncio.sleep(120)
    assert bench.times == [0, 60]
    assert bench.states("code") == ["missed", "succeeded", "succeeded"]
    assert bench.rows("code")[0].count == 2


@on_bench
async def test_a_callable_that_never_leaves_the_past_ends(bench: Bench) -> None:
    steps = itertools.count(1)
    long_ago = bench.clock.now - timedelta(days=1)
    task = bench.add("past", at=lambda _: long_ago + timedelta(microseconds=next(steps)))
    await asyncio.sleep(5)
    assert task.state == "finished"
    assert "10,000 times in a row" in (task.ended_by or "")


@on_bench
async def test_a_callable_that_says_now_is_no_hot_loop(bench: Bench) -> None:
    bench.add("now", at=lambda now: now)
    await asyncio.sleep(5)
    assert len(bench.times) <= 60


@on_bench
@pytest.mark.parametrize("error", [SystemExit("enough"), asyncio.CancelledError("enough")])
async def test_code_that_wants_to_end_everything_ends_its_task(
    bench: Bench, error: BaseException
) -> None:
    def at(_now: datetime) -> datetime:
        raise error

    task = bench.add("tick", at=at)
    await asyncio.sleep(10)
    assert task.state == "finished"
    assert task.ended_by == f"{type(error).__name__}: enough"


@on_bench
async def test_one_more_run_is_the_next_one_that_is_not_too_late(bench: Bench) -> None:
    bench.add("tick", at=lambda now: now + timedelta(hours=1), misfire="skip")
    await asyncio.sleep(5)
    bench.engine.cancel("tick", wait=True)
    bench.clock.set_wall(5400)
    await asyncio.sleep(3 * 3600)
    assert len(bench.times) == 1


@on_bench
async def test_a_long_error_is_cut(bench: Bench) -> None:
    def fail() -> None:
        raise ValueError("x" * 10_000_000)

    bench.add("fails", fail, at=bench.clock.now)
    await asyncio.sleep(1)
    run = bench.rows("fails")[0]
    assert run.error is not None
    assert len(run.error) < 2_100
    assert run.error.startswith("ValueError: xxx")
