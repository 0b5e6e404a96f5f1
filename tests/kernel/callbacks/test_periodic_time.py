"""When periodic callbacks are called, on a real loop, without a kernel."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import ipywidgets
from traitlets import link

from nbsession.kernel.callbacks.registry import PeriodicCallbacks
from turns import on_loop, until


def nothing() -> None:
    pass


def add(callbacks: PeriodicCallbacks, callback: Any, period: Any = 10, **options: Any) -> Any:
    settings = {"count": None, "timeout": None, "start": True, **options}
    return callbacks.add(callback, period, **settings)


@on_loop(PeriodicCallbacks)
async def test_first_call_one_period_after_the_start(callbacks: PeriodicCallbacks) -> None:
    calls: list[float] = []
    begun = time.monotonic()
    periodic = add(callbacks, lambda: calls.append(time.monotonic() - begun), 60, count=2)
    assert (periodic.running, periodic.counter) == (True, 0)
    await until(lambda: not periodic.running)
    assert calls[0] >= 0.06
    assert calls[1] >= 0.12
    assert (periodic.counter, periodic.errors, periodic.last_error) == (2, 0, None)
    assert periodic.last_duration < 50


@on_loop(PeriodicCallbacks)
async def test_no_drift(callbacks: PeriodicCallbacks) -> None:
    """100 ticks of 20 ms were 186 ms late with relative sleeps."""
    late: list[float] = []
    begun = time.monotonic()

    def tick() -> None:
        number = periodic.counter + periodic.skipped  # it may be counted before or after the call
        late.append(time.monotonic() - begun - 0.02 * number)

    periodic = add(callbacks, tick, 20)
    await until(lambda: periodic.counter + periodic.skipped >= 100, 20)
    # Whatever else the machine does, one of the last is not disturbed.
    assert -0.005 < min(late[-30:]) < 0.06


@on_loop(PeriodicCallbacks)
async def test_timeout_between_ticks(callbacks: PeriodicCallbacks) -> None:
    periodic = add(callbacks, nothing, 100_000, timeout=100)
    order: list[object] = []
    periodic.observe(lambda _: order.append("timeout"), "running")
    for ms in (90, 300):
        asyncio.get_running_loop().call_later(ms / 1000, order.append, ms)
    await until(lambda: len(order) == 3)
    assert order == [90, "timeout", 300]
    assert periodic.counter == 0


@on_loop(PeriodicCallbacks)
async def test_tick_at_the_very_timeout_comes(callbacks: PeriodicCallbacks) -> None:
    periodic = add(callbacks, nothing, 200, timeout=800)
    await until(lambda: not periodic.running)
    assert periodic.counter + periodic.skipped == 4


@on_loop(PeriodicCallbacks)
async def test_timeout_set_later_counts_from_the_start(callbacks: PeriodicCallbacks) -> None:
    periodic = add(callbacks, nothing, 10)
    await until(lambda: periodic.counter >= 2)
    periodic.timeout = 10
    await until(lambda: not periodic.running)
    periodic.timeout = None
    before = periodic.counter
    periodic.start()
    await until(lambda: periodic.counter >= before + 3)
    assert periodic.running


@on_loop(PeriodicCallbacks)
async def test_no_tick_after_a_timeout_that_a_busy_loop_missed(
    callbacks: PeriodicCallbacks,
) -> None:
    periodic = add(callbacks, nothing, 20, timeout=50)
    time.sleep(0.15)  # noqa: ASYNC251 - as a cell does
    await until(lambda: not periodic.running)
    assert periodic.counter == 0


@on_loop(PeriodicCallbacks)
async def test_period_change_keeps_count_and_timeout(callbacks: PeriodicCallbacks) -> None:
    """Five calls in all, where a change after three used to give eight."""
    periodic = add(callbacks, nothing, 10, count=5, timeout=10_000)
    await until(lambda: periodic.counter == 3)
    periodic.period = 15
    await until(lambda: not periodic.running)
    assert periodic.counter == 5
    timed = add(callbacks, nothing, 50, timeout=400)
    await until(lambda: timed.counter >= 1)
    timed.period = 20
    await until(lambda: not timed.running)
    assert timed.counter + timed.skipped <= 19, "a timeout from the change on has 20 more"


@on_loop(PeriodicCallbacks)
async def test_period_change_is_followed_at_once(callbacks: PeriodicCallbacks) -> None:
    periodic = add(callbacks, nothing, 100_000)
    periodic.period = 10
    await until(lambda: periodic.counter >= 2)
    periodic.period = 100_000
    seen = periodic.counter
    other = add(callbacks, nothing, 20)
    await until(lambda: other.counter >= 3)
    assert periodic.counter == seen


@on_loop(PeriodicCallbacks)
async def test_period_dragged_by_a_slider_still_ticks(callbacks: PeriodicCallbacks) -> None:
    slider = ipywidgets.IntSlider(60, min=1, max=1000)
    periodic = add(callbacks, nothing, 60)
    link((slider, "value"), (periodic, "period"))

    async def drag() -> None:
        while periodic.counter < 2:
            slider.value = 61 if slider.value == 60 else 60
            await asyncio.sleep(0.01)

    await asyncio.wait_for(drag(), 5)


@on_loop(PeriodicCallbacks)
async def test_blocked_loop_skips_and_does_not_burst(callbacks: PeriodicCallbacks) -> None:
    periodic = add(callbacks, nothing, 50)
    await until(lambda: periodic.counter == 1)
    time.sleep(0.33)  # noqa: ASYNC251 - as a cell does
    assert periodic.counter == 1
    await until(lambda: periodic.counter >= 2)
    assert periodic.counter == 2
    assert periodic.skipped >= 4


@on_loop(PeriodicCallbacks)
async def test_async_callback_does_not_overlap(callbacks: PeriodicCallbacks) -> None:
    at_once = most = 0

    async def slow() -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.05)
        at_once -= 1

    periodic = add(callbacks, slow, 10)
    await until(lambda: periodic.counter >= 4)
    assert most == 1
    assert periodic.skipped >= 12
    assert periodic.last_duration >= 50
    for _ in range(5):  # nor by starting it again
        periodic.stop()
        periodic.start()
        await asyncio.sleep(0.015)
    assert most == 1


@on_loop(PeriodicCallbacks)
async def test_slow_sync_callback_leaves_the_loop_to_others(callbacks: PeriodicCallbacks) -> None:
    """60 ms of work every 50 ms froze the loop: one turn in 3.6 s."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.create_task(other())
    periodic = add(callbacks, lambda: time.sleep(0.03), 10)
    await until(lambda: periodic.counter >= 10)
    task.cancel()
    assert turns >= 50
    assert periodic.skipped >= 18


@on_loop(PeriodicCallbacks)
async def test_many_slow_callbacks_leave_the_loop_to_others(callbacks: PeriodicCallbacks) -> None:
    kept = [add(callbacks, lambda: time.sleep(0.001), 1) for _ in range(100)]
    ticks: list[int] = []
    for _ in range(5):
        await asyncio.sleep(0)
        ticks.append(sum(periodic.counter for periodic in kept))
    assert ticks[-1] < 250


@on_loop(PeriodicCallbacks)
async def test_a_thousand_of_10_ms(callbacks: PeriodicCallbacks) -> None:
    """Panel does 1,500 ticks a second here; the benchmark has the numbers."""
    kept = [add(callbacks, nothing, 10) for _ in range(1000)]
    begun = time.process_time()
    first = sum(periodic.counter for periodic in kept)
    await asyncio.sleep(1)
    ticks = sum(periodic.counter for periodic in kept) - first
    assert (time.process_time() - begun) / ticks < 20e-6
