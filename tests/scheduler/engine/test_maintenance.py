"""What an engine looks after: when it prunes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engines import Bench, on_bench
from nbsession.core.tasks.run import current_run
from nbsession.scheduler.stores.memory import MemoryStore


class _Pruned(MemoryStore):
    """Notes when it is pruned, and has more to forget the first times."""

    shared = True

    def __init__(self, bench: Bench, times_more: int) -> None:
        super().__init__(clock=bench.clock)
        self._bench = bench
        self._times_more = times_more
        self.times: list[float] = []

    def prune(self) -> tuple[list[int], bool]:
        self.times.append(round(self._bench.seconds()))
        gone, _ = super().prune()
        return gone, len(self.times) <= self._times_more


@on_bench
async def test_a_server_that_lives_no_hour_prunes_too(bench: Bench) -> None:
    store = _Pruned(bench, 0)
    other = Bench(bench.clock, store)
    await asyncio.sleep(90)
    assert store.times == [60]
    await asyncio.sleep(3600)
    assert store.times == [60, 3660]
    await other.engine.close()


@on_bench
async def test_what_is_much_is_pruned_minute_by_minute(bench: Bench) -> None:
    store = _Pruned(bench, 3)
    other = Bench(bench.clock, store)
    await asyncio.sleep(7300)
    assert store.times == [60, 120, 180, 240, 3840]
    await other.engine.close()


@pytest.mark.parametrize("method", ["set_due", "follow_file"])
@on_bench
async def test_no_error_stops_what_comes_after_it(bench: Bench, method: str) -> None:
    class Failing(MemoryStore):
        shared = True
        beats = 0

        def beat(self) -> list[Any]:
            self.beats += 1
            return []

    def fail(*_args: object, **_options: object) -> None:
        raise ZeroDivisionError

    store = Failing(clock=bench.clock)
    other = Bench(bench.clock, store)
    other.add("ticks", period="1s")
    if method == "set_due":  # as the clock is set back
        other.engine._dispatcher._can_run = fail  # type: ignore[assignment]
        bench.clock.set_wall(-7_200)
    else:
        store.follow_file = fail  # type: ignore[assignment]
    await asyncio.sleep(60)
    assert store.beats > 10
    await other.engine.close()


@on_bench
async def test_no_error_stops_the_heartbeat(bench: Bench) -> None:
    class Failing(MemoryStore):
        shared = True
        beats = 0

        def beat(self) -> list[Any]:
            self.beats += 1
            if self.beats < 3:
                raise OverflowError
            return []

    def fail(*_args: object) -> None:
        raise OverflowError

    store = Failing(clock=bench.clock)
    store.runs.update = fail  # type: ignore[method-assign]
    other = Bench(bench.clock, store)

    async def work() -> None:
        current = current_run.get()
        assert current is not None
        for n in range(100):
            current.progress(n / 100)
            await asyncio.sleep(0.5)

    other.add("works", work)
    other.add("ticks", period="1s")
    await asyncio.sleep(60)
    assert store.beats > 10
    assert len(other.times) > 50
    assert other.states("works") == ["succeeded"]
    await other.engine.close()
