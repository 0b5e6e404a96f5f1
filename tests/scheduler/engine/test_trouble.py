"""The engine: a store that fails for a while."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from engines import Bench, on_bench
from fake_clock import run_fast
from nbsession.core.errors import StoreBusyError, StoreError
from nbsession.core.schedule.triggers import CronTrigger
from nbsession.scheduler.engine.store_writer import StoreWriter
from nbsession.scheduler.stores.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fake_clock import FakeClock
    from nbsession.scheduler.abc import Claim, Claimed


class _Failing(MemoryStore):
    """Fails at what writes, while it has an error."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock=clock)
        self.error: StoreError | None = None
        self.calls = 0

        for name in ("add", "set_due", "remove"):
            self._wrap(self.tasks, name)
        for name in ("claim", "start_queued", "finish"):
            self._wrap(self.runs, name)

    def _wrap(self, part: Any, name: str) -> None:
        method = getattr(part, name)

        def checked(*args: Any, **options: Any) -> Any:
            self.calls += 1
            if self.error is not None:
                raise self.error
            return method(*args, **options)

        setattr(part, name, checked)


@on_bench
async def test_a_store_that_fails_is_tried_each_second_and_logged_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    store = _Failing(bench.clock)
    other = Bench(bench.clock, store)
    task = other.add("tick", period="10s")
    await asyncio.sleep(5)
    store.error, store.calls = StoreError("the disk is full: make room"), 0
    await asyncio.sleep(30)
    assert other.times == [0]
    assert 20 < store.calls < 40
    assert caplog.text.count("the disk is full: make room") == 1
    store.error = None
    await asyncio.sleep(10)
    assert other.times == [0, pytest.approx(35, abs=1.1), 40]
    assert other.states("tick") == ["succeeded", "missed", "succeeded", "succeeded"]
    assert other.rows("tick")[1].count == 2
    assert caplog.text.count("can be stored again") == 1
    assert task.run_count == 3
    await other.engine.close()


@on_bench
async def test_a_busy_store_is_tried_again_shortly(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    store = _Failing(bench.clock)
    other = Bench(bench.clock, store)
    other.add("tick", period="10s")
    await asyncio.sleep(9)
    store.error, store.calls = StoreBusyError("busy"), 0
    await asyncio.sleep(1.05)
    store.error = None
    await asyncio.sleep(1)
    assert other.times == [0, pytest.approx(10.1, abs=0.05)]
    assert store.calls < 8
    assert not caplog.text
    await other.engine.close()


@on_bench
async def test_the_end_of_a_run_is_not_lost(bench: Bench) -> None:
    store = _Failing(bench.clock)
    other = Bench(bench.clock, store)
    task = other.add("slow", lambda: asyncio.sleep(3), period="100s", overlap="queue")
    await asyncio.sleep(1)
    queued = other.engine.finished(other.engine.start("slow").id)
    store.error = StoreBusyError("busy")
    await asyncio.sleep(10)
    assert (task.open_runs, task.run_count) == (2, 0)
    store.error = None
    run = await queued
    assert run is not None
    assert run.state == "succeeded"
    assert other.states("slow") == ["succeeded"] * 2
    assert task.run_count == 2
    await other.engine.close()


@on_bench
async def test_the_answer_of_code_and_a_last_run_are_not_lost(bench: Bench) -> None:
    from datetime import timedelta

    store = _Failing(bench.clock)
    other = Bench(bench.clock, store)
    begun = bench.clock.now
    other.add("code", at=iter([begun + timedelta(seconds=20)]))
    other.add("last", lambda: asyncio.sleep(3), period="10s")
    await asyncio.sleep(0)
    store.error = StoreError("no")
    await asyncio.sleep(1)
    store.error = None
    await asyncio.sleep(5)
    other.engine.cancel("last", wait=True)
    await asyncio.sleep(6)  # its last run goes
    store.error = StoreError("no")
    await asyncio.sleep(4)
    store.error = None
    await asyncio.sleep(30)
    assert other.times == [20]
    assert [task.spec.name for task in store.tasks.load()] == ["code"]
    await other.engine.close()


@on_bench
async def test_a_change_that_cannot_be_stored_changes_nothing(bench: Bench) -> None:
    store = _Failing(bench.clock)
    other = Bench(bench.clock, store)
    store.error = StoreError("the disk is full")
    with pytest.raises(StoreError, match="disk is full"):
        other.add("tick", period="1s")
    assert other.engine.tasks() == []
    store.error = None
    other.add("tick", period="1s")
    store.error = StoreError("the disk is full")
    with pytest.raises(StoreError, match="disk is full"):
        other.engine.cancel("tick")
    assert other.engine.find("tick") is not None
    store.error = None
    await other.engine.close()


def test_what_could_not_be_written_is_tried_a_last_time() -> None:
    async def main(clock: FakeClock) -> None:
        store = _Failing(clock)
        bench = Bench(clock, store)
        task = bench.add("once", lambda: asyncio.sleep(1))
        await asyncio.sleep(0.5)
        store.error = StoreError("no")
        await asyncio.sleep(1)
        store.error = None
        await bench.engine.close()
        assert task.run_count == 1

    run_fast(main)


@on_bench
async def test_a_trigger_that_fails_ends_its_own_task_only(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = bench.add("bad", cron="* * * * *", tz="UTC")
    good = bench.add("good", period="1m")

    def fail(_trigger: CronTrigger, _instant_us: int) -> int:
        raise LookupError("the zone has gone")

    monkeypatch.setattr(CronTrigger, "next_after", fail)
    await asyncio.sleep(150)
    assert (bad.state, bad.ended_by) == ("finished", "LookupError('the zone has gone')")
    assert good.run_count == 3


@pytest.mark.parametrize("order", ["pause", "replace"])
@on_bench
async def test_an_answer_that_came_before_a_change(bench: Bench, order: str) -> None:
    """The store was busy when the code answered; meanwhile its task was paused, or is another."""
    store = _Failing(bench.clock)
    own = Bench(bench.clock, store)
    own.add("tick", at=lambda now: now + timedelta(seconds=5))
    store.error = StoreBusyError("busy")
    await asyncio.sleep(0.01)
    store.error = None
    if order == "pause":
        own.engine.pause("tick")
    else:
        tomorrow = own.clock.now + timedelta(days=1)
        assert own.declare("tick", at=tomorrow, replace=True)[1] == "replaced"
    await asyncio.sleep(60)
    assert own.times == []
    await own.engine.close()


@on_bench
async def test_a_fault_in_the_store_loses_no_task(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryStore(clock=bench.clock)
    own = Bench(bench.clock, store)
    own.add("tick", period="10s")
    await asyncio.sleep(5)
    claim, faults = store.runs.claim, [RuntimeError("a fault")]

    def faulty(claims: Sequence[Claim]) -> list[Claimed]:
        if faults:
            raise faults.pop()
        return claim(claims)

    store.runs.claim = faulty  # type: ignore[method-assign]
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    await asyncio.sleep(30)
    assert own.times == [0, pytest.approx(10, abs=1.1), 20, 30]
    await own.engine.close()


@on_bench
async def test_calls_that_write_others_are_tried_as_often_as_single_ones(bench: Bench) -> None:
    loop, tries, told = asyncio.get_running_loop(), [], []
    log = logging.getLogger("test-writer")

    def write() -> None:
        tries.append(loop.time())
        if len(tries) < 5:
            raise StoreBusyError("busy")

    writer = StoreWriter(loop, log, lambda: told.append("recovered"))
    writer.write(writer.write, write)
    writer.write(tries.append, "later")
    assert len(tries) == 1
    await asyncio.sleep(3)
    assert told == ["recovered"]
    assert len(tries) == 6
    assert tries[-1] == "later"
    assert len(set(tries)) == 6


@on_bench
async def test_a_call_with_a_defect_does_not_stop_those_after_it(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    written: list[int] = []
    writer = StoreWriter(asyncio.get_running_loop(), logging.getLogger("test-writer"), lambda: None)
    writer.write(lambda: 1 / 0)
    writer.write(written.append, 1)
    assert written == [1]
    assert "ZeroDivisionError" in caplog.text


@on_bench
async def test_a_close_that_fails_closes_the_store(bench: Bench) -> None:
    own = Bench(bench.clock)
    closed: list[str] = []
    own.store.close = lambda: closed.append("store")  # type: ignore[method-assign]

    async def fail() -> None:
        raise RuntimeError("a fault")

    own.engine._executor.close = fail  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="a fault"):
        await own.engine.close()
    assert closed == ["store"]
