"""The engine: what becomes of a run, and of occurrences that something is in the way of."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from dataclasses import replace as copy_with
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from engines import Bench, on_bench
from nbsession.core.errors import NoSuchTaskError
from nbsession.core.tasks.run import current_run
from scheduling import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbsession.core.tasks.run import Run
    from nbsession.scheduler.engine.events import Changes


def _span(bench: Bench, run: Run) -> tuple[float, float, int | None]:
    """Return the first and last instant of a row in seconds from the start, and its count."""
    assert run.due_us is not None
    assert run.until_us is not None
    return (
        (run.due_us - bench.begun_us) / SECOND,
        (run.until_us - bench.begun_us) / SECOND,
        run.count,
    )


def _slow(bench: Bench, seconds: float) -> Callable[[], object]:
    async def slow() -> None:
        bench.tick()
        await asyncio.sleep(seconds)

    return slow


@on_bench
async def test_an_occurrence_is_skipped_while_a_run_goes(bench: Bench) -> None:
    task = bench.add("slow", _slow(bench, 2.5), period="1s")
    await asyncio.sleep(3.9)
    assert bench.times == [0, 3]
    assert bench.states("slow") == ["succeeded", "skipped", "running"]
    skipped = bench.rows("slow")[1]
    assert skipped.reason == "the run before was still going"
    assert _span(bench, skipped) == (1, 2, 2)
    assert (task.state, task.run_count) == ("running", 1)


@on_bench
async def test_one_occurrence_is_queued_behind_a_run(bench: Bench) -> None:
    bench.add("slow", _slow(bench, 3.5), period="1s", overlap="queue")
    await asyncio.sleep(3.4)
    assert bench.states("slow") == ["running", "queued", "skipped"]
    assert _span(bench, bench.rows("slow")[2]) == (2, 3, 2)
    await asyncio.sleep(0.4)
    assert bench.times == [0, 3.5]
    assert bench.states("slow") == ["succeeded", "running", "skipped"]


@on_bench
async def test_runs_overlap_where_that_is_allowed(bench: Bench) -> None:
    task = bench.add("slow", _slow(bench, 2.5), period="1s", overlap="allow")
    await asyncio.sleep(2.1)
    assert bench.times == [0, 1, 2]
    assert task.open_runs == 3


@on_bench
async def test_a_run_by_hand_obeys_the_overlap_policy(bench: Bench) -> None:
    for overlap, states in (
        ("skip", ["running", "skipped"]),
        ("queue", ["running", "queued"]),
        ("allow", ["running", "running"]),
    ):
        bench.add(overlap, _slow(bench, 10), at=bench.clock.now, overlap=overlap)
        await asyncio.sleep(0.1)
        run = bench.engine.start(overlap)
        assert bench.states(overlap) == states
        assert run.state == states[1]
        ended = await bench.engine.finished(run.id)
        assert ended is not None
        assert ended.state == ("skipped" if overlap == "skip" else "succeeded")


@on_bench
async def test_what_was_missed_runs_once(bench: Bench) -> None:
    task = bench.add("tick", period="1s")
    await asyncio.sleep(0.5)
    bench.clock.set_wall(600)
    await asyncio.sleep(2)
    assert [time - 600 for time in bench.times[1:]] == pytest.approx([0.5 + 0.5, 2])
    assert task.run_count == 3
    assert bench.states("tick") == ["succeeded", "missed", "succeeded", "succeeded"]
    assert _span(bench, bench.rows("tick")[1]) == (1, 600, 600)
    assert bench.due("tick")[2:] == [601, 602]


@on_bench
async def test_missed_occurrences_are_left_out_with_misfire_skip(bench: Bench) -> None:
    bench.add("tick", period="20s", misfire="skip")
    await asyncio.sleep(1)
    bench.clock.set_wall(65)
    await asyncio.sleep(20)
    assert bench.times == [0, 80]
    assert bench.states("tick") == ["succeeded", "missed", "succeeded"]
    assert _span(bench, bench.rows("tick")[1]) == (20, 60, 3)
    assert bench.due("tick") == [0, 20, 80]


@on_bench
async def test_a_last_occurrence_within_the_grace_runs_all_the_same(bench: Bench) -> None:
    bench.add("tick", period="20s", misfire="skip", misfire_grace_us=8 * SECOND)
    await asyncio.sleep(1)
    bench.clock.set_wall(65)
    await asyncio.sleep(1)
    assert bench.states("tick") == ["succeeded", "missed", "succeeded"]
    assert _span(bench, bench.rows("tick")[1]) == (20, 40, 2)
    assert bench.due("tick") == [0, 20, 60]


@on_bench
async def test_a_time_in_the_past_runs_once_or_ends_the_task(bench: Bench) -> None:
    past = bench.clock.now - timedelta(hours=1)
    for misfire, state in (("run", "succeeded"), ("skip", "missed")):
        task = bench.add(misfire, at=past, misfire=misfire)
        await asyncio.sleep(1)
        assert bench.states(misfire) == [state]
        assert task.state == "finished"
    assert len(bench.times) == 1


@on_bench
@pytest.mark.parametrize(("days", "count"), [(3, 4319), (7, None)])
async def test_missed_cron_occurrences_are_counted_unless_they_are_many(
    bench: Bench, days: int, count: int | None
) -> None:
    bench.add("cron", cron="* * * * *", tz="UTC")
    await asyncio.sleep(90)
    asleep = days * 86_400
    bench.clock.set_wall(asleep)
    await asyncio.sleep(2)
    assert len(bench.times) == 2
    assert bench.states("cron") == ["succeeded", "missed", "succeeded"]
    assert _span(bench, bench.rows("cron")[1]) == (120, asleep, count)
    assert bench.due("cron")[2] == asleep + 60


@on_bench
async def test_a_blocking_run_is_not_caught_up(bench: Bench) -> None:
    def block() -> None:
        bench.tick()
        if len(bench.times) == 1:
            bench.clock.go_on(3)

    bench.add("block", block, period="500ms")
    await asyncio.sleep(4.1)
    assert bench.times == [0, pytest.approx(3, abs=0.06), 3.5, 4]
    assert bench.states("block")[:3] == ["succeeded", "missed", "succeeded"]
    assert _span(bench, bench.rows("block")[1]) == (0.5, 2.5, 5)


@on_bench
async def test_what_is_due_while_a_run_goes_is_skipped_also_where_it_was_missed(
    bench: Bench,
) -> None:
    bench.add("slow", _slow(bench, 60), period="1s")
    for _ in range(8):  # asleep again and again
        await asyncio.sleep(1.5)
        bench.clock.go_on(5)
    await asyncio.sleep(1)
    assert bench.states("slow") == ["running", "skipped"]
    assert _span(bench, bench.rows("slow")[1]) == (1, 53, 53)


@on_bench
async def test_time_asleep_pushes_no_run_out_of_the_history(bench: Bench) -> None:
    bench.add("tick", period="1s")
    await asyncio.sleep(9.5)
    for _ in range(30):
        bench.clock.go_on(115)
        await asyncio.sleep(1)
    states = bench.states("tick")
    assert states[:10] == ["succeeded"] * 10
    assert sum(run.count or 0 for run in bench.rows("tick")) == 10 + 30 * 116


@on_bench
async def test_a_run_by_hand_that_is_skipped_has_its_own_row(bench: Bench) -> None:
    bench.add("slow", _slow(bench, 10), period="1s")
    await asyncio.sleep(2.5)
    by_hand = bench.engine.start("slow")
    assert (by_hand.state, by_hand.due_us, by_hand.until_us, by_hand.count) == (
        ("skipped", None, None, 1)
    )
    await asyncio.sleep(3)
    running, skipped, asked = bench.rows("slow")
    assert running.state == "running"
    assert (_span(bench, skipped), asked.id) == ((1, 5, 5), by_hand.id)


@on_bench
async def test_a_row_that_grows_is_published_once_a_second(bench: Bench) -> None:
    told: list[tuple[float, Run]] = []
    slow = bench.add("slow", _slow(bench, 3.95), period="100ms")
    tasks: list[float] = []

    def note(changes: Changes) -> None:
        tasks.extend(bench.seconds() for task in changes.tasks if task is slow)
        rows = [copy_with(run) for run in changes.runs if run.state == "skipped"]
        told.extend((bench.seconds(), row) for row in rows)

    bench.engine.subscribe(note)
    await asyncio.sleep(9)
    first, second, _ = sorted({row.id for _, row in told})
    times = [moment for moment, row in told if row.id == first]
    assert times == pytest.approx([0.1, 1.1, 2.1, 3.1, 4.1], abs=0.05)
    counts = [row.count for _, row in told if row.id == first]
    assert counts == [1, *(pytest.approx(count, abs=1) for count in (10, 20, 30)), 39]
    assert [row.count for _, row in told if row.id == second][-1] == 39
    assert len(tasks) > 60, "of the next run is told each time"


@on_bench
async def test_an_error_is_stored_with_its_run(bench: Bench) -> None:
    async def later() -> None:
        await asyncio.sleep(1)
        raise KeyError("key")

    task = bench.add("now", lambda: 1 / 0, period="10s")
    bench.add("later", later)
    await asyncio.sleep(11)
    assert bench.states("now") == ["failed", "failed"]
    assert (task.run_count, task.error_count) == (2, 2)
    for name, error in (
        ("now", "ZeroDivisionError: division by zero"),
        ("later", "KeyError: 'key'"),
    ):
        run = bench.rows(name)[0]
        assert (run.error, run.reason) == (error, None)
        assert run.traceback is not None
        assert "test_runs.py" in run.traceback
        assert "inline.py" not in run.traceback


@on_bench
async def test_a_task_that_would_exit_has_failed(bench: Bench) -> None:
    def leave() -> None:
        raise SystemExit(3)

    bench.add("leave", leave)
    await asyncio.sleep(1)
    assert bench.rows("leave")[0].error == "SystemExit: 3"


@on_bench
async def test_a_callable_that_is_only_a_reference_has_failed(bench: Bench) -> None:
    from scheduling import a_spec

    bench.engine.schedule(a_spec())
    await asyncio.sleep(0.1)
    assert "is a reference" in str(bench.rows("report")[0].error)


@on_bench
async def test_a_failed_run_is_tried_again_after_ever_longer_pauses(bench: Bench) -> None:
    def fail() -> None:
        bench.tick()
        raise ValueError(len(bench.times))

    task = bench.add("fail", fail, retries=8)
    await asyncio.sleep(2)
    assert (task.state, bench.rows("fail")[0].tries) == ("running", 2)
    assert bench.rows("fail")[0].error == "ValueError: 2"
    await asyncio.sleep(1000)
    assert bench.times == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    [run] = bench.rows("fail")
    assert (run.state, run.tries, run.error) == ("failed", 9, "ValueError: 9")
    assert (task.run_count, task.error_count) == (1, 1)
    assert run.duration_seconds == 183


@on_bench
async def test_a_try_that_succeeds_is_the_last(bench: Bench) -> None:
    def fail_twice() -> None:
        bench.tick()
        if len(bench.times) < 3:
            raise ValueError

    bench.add("fail", fail_twice, retries=5)
    await asyncio.sleep(100)
    [run] = bench.rows("fail")
    assert bench.times == [0, 1, 3]
    assert (run.state, run.tries, run.error, run.traceback) == ("succeeded", 3, None, None)


@on_bench
async def test_a_time_limit_ends_an_async_run(bench: Bench) -> None:
    bench.add("slow", _slow(bench, 100), period="10s", timeout_us=3 * SECOND)
    await asyncio.sleep(12)
    runs = bench.rows("slow")
    assert [(run.state, run.reason) for run in runs] == [("failed", "timeout"), ("running", None)]
    assert runs[0].duration_seconds == 3


@on_bench
async def test_a_time_limit_covers_all_tries(bench: Bench) -> None:
    def fail() -> None:
        bench.tick()
        raise ValueError

    bench.add("fail", fail, retries=9, timeout_us=5 * SECOND)
    await asyncio.sleep(60)
    [run] = bench.rows("fail")
    assert bench.times == [0, 1, 3]
    assert (run.state, run.reason, run.duration_seconds) == ("failed", "timeout", 5)


@on_bench
async def test_a_run_that_swallows_its_time_limit_has_failed(bench: Bench) -> None:
    async def stubborn() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            await asyncio.sleep(1)

    bench.add("stubborn", stubborn, timeout_us=SECOND, retries=3)
    await asyncio.sleep(20)
    [run] = bench.rows("stubborn")
    assert (run.state, run.reason, run.tries, run.duration_seconds) == ("failed", "timeout", 1, 2)


@on_bench
async def test_a_running_async_task_is_cancelled(bench: Bench) -> None:
    bench.add("slow", _slow(bench, 100), retries=5)
    await asyncio.sleep(1)
    ended = bench.engine.finished(1)
    bench.engine.cancel("slow")
    run = await ended
    assert run is not None
    assert (run.state, run.reason, run.duration_seconds) == ("failed", "cancelled", 1)
    await asyncio.sleep(100)
    assert bench.times == [0]


@on_bench
async def test_a_queued_run_and_one_between_tries_are_cancelled(bench: Bench) -> None:
    def fail() -> None:
        raise ValueError

    bench.add("queue", _slow(bench, 100), period="1s", overlap="queue")
    bench.add("fail", fail, retries=5)
    await asyncio.sleep(1.5)
    runs = [*bench.engine.history("queue", 9), *bench.engine.history("fail", 9)]
    for name in ("queue", "fail"):
        bench.engine.cancel(name)
    await asyncio.sleep(10)
    ended = [bench.store.runs.get(run.id) for run in runs]
    assert [(run.state, run.reason) for run in ended if run] == [("failed", "cancelled")] * 3
    assert bench.times == [0]


@on_bench
async def test_a_task_that_cancels_itself_comes_to_its_own_end(bench: Bench) -> None:
    async def once() -> None:
        bench.engine.cancel("once")
        await asyncio.sleep(1)
        bench.tick()

    bench.add("once", once, period="10s")
    await asyncio.sleep(30)
    assert bench.times == [1]
    kept = bench.store.runs.get(1)
    assert kept is not None
    assert kept.state == "succeeded"


@on_bench
async def test_a_run_is_listed_until_it_ends_or_is_cancelled(bench: Bench) -> None:
    async def cancel_itself() -> None:
        bench.engine.cancel("cancels itself")
        await asyncio.sleep(10)

    stubborn = _Stubborn()
    bench.add("stubborn", stubborn.stay, period="10s")
    bench.add("ends with its next run", stubborn.stay, period="10s")
    bench.add("cancels itself", cancel_itself, period="10s")
    await asyncio.sleep(1)
    counts = [len(bench.engine.begun())]
    bench.engine.cancel("stubborn")
    bench.engine.cancel("ends with its next run", wait=True)
    counts.append(len(bench.engine.begun()))
    await asyncio.sleep(15)
    counts.append(len(bench.engine.begun()))
    stubborn.is_released = True
    assert counts == [3, 2, 1], "the code of the one that was cancelled goes on, but unwanted"


@on_bench
async def test_a_task_may_schedule_and_cancel_others(bench: Bench) -> None:
    def meddle() -> None:
        bench.add("new", period="10s")
        bench.engine.cancel("due too")

    bench.add("meddle", meddle, at=bench.clock.now + timedelta(seconds=5))
    bench.add("due too", at=bench.clock.now + timedelta(seconds=5))
    await asyncio.sleep(16)
    assert bench.times == [5, 15]
    with pytest.raises(NoSuchTaskError):
        bench.engine.history("due too", 1)


@on_bench
async def test_a_task_sees_its_run_and_reports_progress(bench: Bench) -> None:
    seen = []

    async def task() -> None:
        run = current_run.get()
        assert run is not None
        seen.append((run.id, run.task, run.due_us, run.attempt))
        run.progress(0.25, "loading")
        await asyncio.sleep(5)
        run.progress(1)

    bench.add("task", task)
    told: list[float | None] = []
    bench.engine.subscribe(lambda changes: told.extend(run.progress for run in changes.runs))
    await asyncio.sleep(1)
    [run] = bench.rows("task")
    assert seen == [(run.id, "task", run.due_us, 1)]
    assert (run.state, run.progress, run.progress_text) == ("running", 0.25, "loading")
    await asyncio.sleep(5)
    assert bench.rows("task")[0].progress == 1
    assert {0.25, 1} <= set(told)
    assert current_run.get() is None


@on_bench
async def test_a_threaded_sync_task_runs_in_a_thread(bench: Bench) -> None:
    threads, ended = [], asyncio.Event()
    loop = asyncio.get_running_loop()

    def task() -> None:
        run = current_run.get()
        assert run is not None
        run.progress(0.5)
        threads.append(threading.current_thread())
        loop.call_soon_threadsafe(ended.set)

    bench.add("task", task, threaded=True)
    await ended.wait()
    run = await bench.engine.finished(1)
    assert run is not None
    assert (run.state, run.progress) == ("succeeded", 0.5)
    assert threads[0] is not threading.current_thread()


@on_bench
async def test_many_tasks_due_at_once_leave_the_loop_its_turns(bench: Bench) -> None:
    def work() -> None:
        bench.tick()
        bench.clock.go_on(0.002)

    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.0001)
            turns += len(bench.times) < 100

    counting = asyncio.ensure_future(count())
    due = bench.clock.now + timedelta(seconds=1)
    for number in range(100):
        bench.add(f"task {number}", work, at=due)
    bench.clock.go_on(1)
    while len(bench.times) < 100:  # noqa: ASYNC110 - they know of no event
        await asyncio.sleep(0.001)
    counting.cancel()
    assert turns > 10


@on_bench
async def test_a_cancel_reaches_a_run_that_waits_for_its_turn(bench: Bench) -> None:
    def first() -> None:
        bench.clock.go_on(0.1)  # longer than a batch may take
        bench.tick()

    due = bench.clock.now + timedelta(seconds=1)
    bench.add("a", first, at=due)
    bench.add("b", at=due)
    while not bench.times:  # noqa: ASYNC110 - it knows of no event
        await asyncio.sleep(0.01)
    bench.engine.cancel("b")
    await asyncio.sleep(1)
    assert len(bench.times) == 1
    kept = bench.store.runs.get(2)
    assert kept is not None
    assert (kept.state, kept.reason) == ("failed", "cancelled")


class _Stubborn:
    """A callback that swallows every cancellation before it is released."""

    def __init__(self) -> None:
        self.is_released = False

    async def stay(self) -> None:
        while not self.is_released:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(100)


@on_bench
async def test_a_run_that_never_ends_fails_five_seconds_after_its_time_limit(bench: Bench) -> None:
    stubborn = _Stubborn()
    bench.add("stubborn", stubborn.stay, period="10s", timeout_us=2 * SECOND, retries=3)
    await asyncio.sleep(25)
    first, second, third = bench.rows("stubborn")
    assert (first.state, first.tries, first.duration_seconds) == ("failed", 1, 7)
    assert first.reason == "timeout; its code has not ended and may overlap the next run"
    assert (second.state, second.reason) == (first.state, first.reason)
    assert third.state == "running"
    stubborn.is_released = True


@on_bench
async def test_a_cancelled_run_that_never_ends_fails_five_seconds_later(bench: Bench) -> None:
    stubborn = _Stubborn()
    bench.add("stubborn", stubborn.stay, period="10s")
    await asyncio.sleep(1)
    ended = bench.engine.finished(1)
    bench.engine.cancel("stubborn")
    run = await ended
    assert run is not None
    assert (run.state, run.duration_seconds) == ("failed", 6)
    assert run.reason == "cancelled; its code has not ended and may overlap the next run"
    stubborn.is_released = True
