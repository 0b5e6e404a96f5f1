"""The engine: what can be asked and ordered of tasks."""

from __future__ import annotations

import asyncio
import gc
import weakref
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from engines import Bench, on_bench
from nbsession.core.errors import NoSuchTaskError, NotRunnableError
from nbsession.scheduler.abc import HistoryLimits
from nbsession.scheduler.stores.memory import MemoryStore
from scheduling import setup_spec

if TYPE_CHECKING:
    from nbsession.scheduler.engine.events import Changes


@on_bench
async def test_a_period_runs_at_once_and_then_on_its_grid(bench: Bench) -> None:
    task = bench.add("tick", period="10s")
    await asyncio.sleep(35)
    assert bench.times == [0, 10, 20, 30]
    assert (task.run_count, task.error_count, task.last_state) == (4, 0, "succeeded")
    assert bench.states("tick") == ["succeeded"] * 4
    assert bench.due("tick") == [0, 10, 20, 30]


@on_bench
async def test_nothing_given_runs_once_and_now(bench: Bench) -> None:
    task = bench.add("once")
    await asyncio.sleep(60)
    assert bench.times == [0]
    assert (task.state, task.due_us) == ("finished", None)


@on_bench
async def test_a_time_to_come_is_waited_for(bench: Bench) -> None:
    task = bench.add("later", at=bench.clock.now + timedelta(hours=3))
    await asyncio.sleep(3 * 3600 - 1)
    assert (bench.times, task.state) == ([], "scheduled")
    await asyncio.sleep(2)
    assert bench.times == [3 * 3600]


@on_bench
async def test_cron_follows_its_zone(bench: Bench) -> None:
    bench.add("daily", cron="30 10 * * *", tz="Europe/Berlin")  # 9:30 UTC in November
    await asyncio.sleep(25 * 3600)
    assert bench.times == [1800, 1800 + 86_400]


@on_bench
async def test_ten_thousand_ticks_have_no_drift(bench: Bench) -> None:
    bench.add("tick", period="100ms")
    await asyncio.sleep(1000)
    assert len(bench.times) == pytest.approx(10_000, abs=1)
    assert bench.times[-1] == pytest.approx(len(bench.times) / 10 - 0.1, abs=0.001)


@on_bench
async def test_the_same_task_again_changes_nothing(bench: Bench) -> None:
    task = bench.add("tick", period="10s")
    await asyncio.sleep(5)
    again, outcome = bench.declare("tick", period="10s")
    assert (again, outcome) == (task, "same")
    await asyncio.sleep(10)
    assert bench.times == [0, 10]


@on_bench
async def test_another_task_under_the_name_changes_nothing(bench: Bench) -> None:
    task = bench.add("tick", period="10s")
    others = ({"period": "1s"}, {"period": "10s", "overlap": "allow"}, {"callback": print})
    for other in others:
        again, outcome = bench.declare("tick", **{"period": "10s"} | other)
        assert (again, outcome) == (task, "exists")
    await asyncio.sleep(11)
    assert bench.times == [0, 10]


@on_bench
async def test_another_task_replaces_one_with_replace(bench: Bench) -> None:
    task = bench.add("tick", period="10s")
    await asyncio.sleep(5)
    replaced, outcome = bench.declare("tick", period="3s", replace=True)
    assert (replaced, outcome) == (task, "replaced")
    await asyncio.sleep(7)
    assert bench.times == [0, 5, 8, 11]
    assert len(bench.rows("tick")) == 4


@on_bench
async def test_a_paused_task_that_is_replaced_stays_paused(bench: Bench) -> None:
    bench.add("tick", period="10s")
    bench.engine.pause("tick")
    bench.declare("tick", period="3s", replace=True)
    await asyncio.sleep(7)
    assert bench.times == []
    bench.engine.resume("tick")
    await asyncio.sleep(3)
    assert bench.times == [9]


@on_bench
async def test_the_name_of_a_finished_task_may_be_used_again(bench: Bench) -> None:
    bench.add("once")
    await asyncio.sleep(5)
    assert bench.declare("once", period="10s")[1] == "replaced"
    await asyncio.sleep(1)
    assert bench.times == [0, 5]
    assert bench.declare("once")[1] == "exists"


@on_bench
async def test_a_setup_script_replaces_what_it_declared_and_keeps_the_grid(bench: Bench) -> None:
    first, _ = bench.engine.schedule(setup_spec("tick", period="1m"))
    due_us = first.due_us
    assert bench.engine.schedule(setup_spec("tick", period="1m"))[1] == "same"
    task, outcome = bench.engine.schedule(setup_spec("tick", period="2m"))
    assert (task.id, outcome) == (first.id, "replaced")
    assert task.spec.schedule == {"period": "2m"}
    assert due_us is not None
    other = bench.engine.schedule(setup_spec("tick", setup="/srv/other.py"))
    assert other == (task, "exists")


@on_bench
async def test_what_a_setup_script_no_longer_declares_goes(bench: Bench) -> None:
    bench.add("mine", period="1h")
    for name in ("one", "two"):
        bench.engine.schedule(setup_spec(name))
    bench.engine.schedule(setup_spec("other", setup="/srv/other.py"))
    bench.engine.retain("/srv/project/tasks.py", ["two"])
    assert [task.spec.name for task in bench.engine.tasks()] == ["mine", "other", "two"]


@on_bench
async def test_a_cancelled_task_runs_no_more_and_frees_its_name(bench: Bench) -> None:
    bench.add("tick", period="2s")
    await asyncio.sleep(0.5)
    bench.engine.cancel("tick")
    bench.add("tick", period="3s")
    await asyncio.sleep(7)
    assert bench.times == [0, 0.5, 3.5, 6.5]


@on_bench
async def test_an_unknown_name_is_an_error(bench: Bench) -> None:
    for order in (bench.engine.cancel, bench.engine.pause, bench.engine.start):
        with pytest.raises(NoSuchTaskError, match="no task named 'x'"):
            order("x")
    assert bench.engine.find("x") is None


@on_bench
async def test_a_task_that_waits_for_its_end_runs_once_more(bench: Bench) -> None:
    bench.add("tick", period="10s")
    await asyncio.sleep(5)
    bench.engine.cancel("tick", wait=True)
    assert bench.engine.tasks() == []
    bench.add("tick", lambda: bench.times.append(-bench.seconds()), period="100s")
    await asyncio.sleep(30)
    assert bench.times == [0, -5, 10]
    assert len(bench.store.tasks.load()) == 1


@on_bench
async def test_what_runs_when_its_task_waits_for_its_end_goes_on(bench: Bench) -> None:
    async def slow() -> None:
        await asyncio.sleep(3.5)
        bench.tick()

    bench.add("slow", slow, period="2s")
    await asyncio.sleep(1)
    bench.engine.cancel("slow", wait=True)  # the one due at 2 is skipped
    await asyncio.sleep(30)
    assert bench.times == [3.5, 7.5]
    assert bench.store.tasks.load() == []


@on_bench
async def test_a_task_without_a_next_run_ends_at_once(bench: Bench) -> None:
    bench.add("once")
    bench.add("paused", period="1s")
    bench.engine.pause("paused")
    await asyncio.sleep(1)
    for name in ("once", "paused"):
        bench.engine.cancel(name, wait=True)
    assert bench.store.tasks.load() == []


@on_bench
async def test_a_paused_task_is_never_due(bench: Bench) -> None:
    task = bench.add("tick", period="10s")
    await asyncio.sleep(5)
    assert bench.engine.pause("tick") is task
    assert (task.state, task.due_us) == ("paused", None)
    bench.engine.pause("tick")
    await asyncio.sleep(27)
    assert bench.engine.resume("tick") is task
    bench.engine.resume("tick")
    await asyncio.sleep(10)
    assert bench.times == [0, 40]
    assert bench.states("tick") == ["succeeded"] * 2


@on_bench
async def test_a_single_time_that_passes_while_paused_does_not_exist(bench: Bench) -> None:
    task = bench.add("later", at=bench.clock.now + timedelta(seconds=10))
    bench.engine.pause("later")
    await asyncio.sleep(20)
    bench.engine.resume("later")
    await asyncio.sleep(1)
    assert (bench.times, task.state) == ([], "finished")


@on_bench
async def test_a_run_by_hand_leaves_the_schedule_alone(bench: Bench) -> None:
    task = bench.add("tick", period="10s")
    await asyncio.sleep(4)
    run = await bench.engine.run_now("tick")
    assert run is not None
    assert (run.state, run.due_us) == ("succeeded", None)
    await asyncio.sleep(7)
    assert bench.times == [0, 4, 10]
    assert task.run_count == 3


@on_bench
async def test_a_paused_task_can_be_run_by_hand(bench: Bench) -> None:
    bench.add("tick", period="10s")
    bench.engine.pause("tick")
    await bench.engine.run_now("tick")
    assert bench.times == [0]


@on_bench
async def test_a_run_is_a_copy(bench: Bench) -> None:
    bench.add("slow", lambda: asyncio.sleep(1))
    copy = bench.engine.start("slow")
    await asyncio.sleep(2)
    assert copy.state in {"running", "skipped"}
    assert bench.engine.run(copy.id) is not bench.engine.run(copy.id)


@on_bench
async def test_an_unknown_run_is_none(bench: Bench) -> None:
    assert bench.engine.run(99) is None
    assert await bench.engine.finished(99) is None


@on_bench
async def test_tasks_are_listed_by_name(bench: Bench) -> None:
    for name in ("b", "a", "c"):
        bench.add(name, period="1h")
    assert [task.spec.name for task in bench.engine.tasks()] == ["a", "b", "c"]


@on_bench
async def test_changes_are_notified_once_per_turn(bench: Bench) -> None:
    told: list[Changes] = []
    unsubscribe = bench.engine.subscribe(told.append)
    for name in ("a", "b"):
        bench.add(name, period="10s")
    bench.engine.cancel("b")
    await asyncio.sleep(0)
    [changes] = told
    assert [task.spec.name for task in changes.tasks] == ["a"]
    assert changes.removed == ["b"]
    await asyncio.sleep(1)
    assert [run.state for changes in told[1:] for run in changes.runs][-1] == "succeeded"
    unsubscribe()
    unsubscribe()
    count = len(told)
    await asyncio.sleep(20)
    assert len(told) == count


@on_bench
async def test_a_subscriber_that_fails_is_logged(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Changes] = []
    bench.engine.subscribe(lambda _changes: 1 / 0)
    bench.engine.subscribe(told.append)
    bench.add("tick")
    await asyncio.sleep(1)
    assert told
    assert "ZeroDivisionError" in caplog.text


@on_bench
async def test_a_task_that_cannot_run_here_is_listed_only(bench: Bench) -> None:
    other = Bench(bench.clock, can_run=lambda spec: spec.name != "elsewhere")
    task = other.add("elsewhere", period="1s")
    other.add("here", period="1s")
    await asyncio.sleep(2.5)
    assert other.times == [0, 1, 2]
    assert task.state == "scheduled"
    with pytest.raises(NotRunnableError, match="'elsewhere' cannot run here"):
        other.engine.start("elsewhere")
    await other.engine.close()


@on_bench
async def test_a_cancelled_task_leaves_nothing_behind(bench: Bench) -> None:
    class Heavy:
        def __call__(self) -> None:
            pass

    heavy = Heavy()
    gone = weakref.ref(heavy)
    bench.add("heavy", heavy, period="1s")
    await asyncio.sleep(1)
    bench.engine.cancel("heavy")
    del heavy
    await asyncio.sleep(2)
    gc.collect()
    assert gone() is None


@on_bench
async def test_tasks_that_come_and_go_leave_no_timers(bench: Bench) -> None:
    for number in range(1000):
        bench.add("tick", at=bench.clock.now + timedelta(hours=number + 1))
        bench.engine.cancel("tick")
    assert len(bench.engine._dispatcher._timer._tasks) < 200


@on_bench
async def test_an_idle_engine_without_tasks_sleeps(bench: Bench) -> None:
    bench.add("tick", period="1s")
    await asyncio.sleep(1)
    bench.engine.cancel("tick")
    await asyncio.sleep(2)
    assert bench.engine._dispatcher._timer._handle is None


@on_bench
async def test_what_runs_when_the_engine_closes_is_cancelled(bench: Bench) -> None:
    other = Bench(bench.clock)

    def fail() -> None:
        other.tick()
        raise ValueError

    other.add("slow", lambda: asyncio.sleep(100), retries=5)
    other.add("fail", fail, retries=5)
    await asyncio.sleep(0.5)
    waiting = other.engine.finished(1)
    await other.engine.close()
    await asyncio.sleep(10)
    kept = [other.store.runs.get(number) for number in (1, 2)]
    assert [run and (run.state, run.reason) for run in kept] == [
        ("failed", "cancelled"),
        ("lost", "ended with its process"),
    ]
    assert waiting.done()
    assert other.times == [0]


@on_bench
async def test_old_runs_and_finished_tasks_go(bench: Bench) -> None:
    store = MemoryStore(HistoryLimits(seconds=1800), bench.clock)
    other = Bench(bench.clock, store)
    removed: list[str] = []
    other.engine.subscribe(lambda changes: removed.extend(changes.removed))
    other.add("once")
    other.add("hourly", period="1h")
    await asyncio.sleep(2.5 * 3600)
    assert removed == ["once"]
    assert [task.spec.name for task in other.engine.tasks()] == ["hourly"]
    assert len(other.rows("hourly")) == 1
    await other.engine.close()
