"""Periodic callbacks' traits and who observes them, on a real loop, without a kernel."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import ipywidgets
import pytest
from traitlets import HasTraits, Int, TraitError, link

from nbsession.kernel.callbacks.registry import PeriodicCallbacks
from turns import on_loop, until


def nothing() -> None:
    pass


def add(callbacks: PeriodicCallbacks, callback: Any, period: Any = 10, **options: Any) -> Any:
    settings = {"count": None, "timeout": None, "start": True, **options}
    return callbacks.add(callback, period, **settings)


@pytest.mark.parametrize("period", [0, -1, 0.5, "1s", None, True, float("nan"), float("inf")])
@on_loop(PeriodicCallbacks)
async def test_period_that_is_none(callbacks: PeriodicCallbacks, period: Any) -> None:
    with pytest.raises(TraitError, match="period must be a whole number of milliseconds"):
        add(callbacks, nothing, period)
    periodic = add(callbacks, nothing, 500, start=False)
    with pytest.raises(TraitError, match=r"at least 1; 1 s is 1000: got"):
        periodic.period = period
    assert periodic.period == 500


@on_loop(PeriodicCallbacks)
async def test_other_bad_input(callbacks: PeriodicCallbacks) -> None:
    with pytest.raises(TypeError, match="must be callable, got NoneType"):
        add(callbacks, None)
    with pytest.raises(TraitError, match=r"count must be .* at least 1: got 0 .* None for no end"):
        add(callbacks, nothing, count=0)
    with pytest.raises(TraitError, match=r"timeout must be .* of milliseconds"):
        add(callbacks, nothing, timeout=0)
    periodic = add(callbacks, nothing, 200.0, start=False)  # as a FloatSlider has it
    assert (periodic.period, type(periodic.period)) == (200, int)
    for name in ("counter", "skipped", "errors", "last_error", "last_duration"):
        with pytest.raises(TraitError, match=f"{name} is read-only: it is counted; .* count, tim"):
            setattr(periodic, name, 1)
    with pytest.raises(TraitError):
        periodic.callback = "print"
    assert len(list(callbacks)) == 1


@on_loop(PeriodicCallbacks)
async def test_a_raising_observer_does_not_end_it(
    callbacks: PeriodicCallbacks, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[int] = []

    def fail(_change: object) -> None:
        raise LookupError("observer")

    periodic = add(callbacks, nothing, 5, count=3)
    periodic.observe(fail, ["counter", "running"])
    periodic.observe(lambda change: seen.append(change["new"]), "counter")
    await until(lambda: not periodic.running)
    assert seen == [1, 2, 3]
    assert "LookupError: observer" in capsys.readouterr().err


@on_loop(PeriodicCallbacks)
async def test_toggle_linked_both_ways(callbacks: PeriodicCallbacks) -> None:
    toggle = ipywidgets.ToggleButton(value=True)
    periodic = add(callbacks, nothing, 5)
    link((toggle, "value"), (periodic, "running"))
    assert toggle.value
    toggle.value = False
    assert not periodic.running
    seen = periodic.counter
    other = add(callbacks, nothing, 5, count=3)
    await until(lambda: not other.running)
    assert periodic.counter == seen
    toggle.value = True
    await until(lambda: periodic.counter > seen)
    periodic.stop()
    assert not toggle.value


@on_loop(PeriodicCallbacks)
async def test_counter_shown_live(callbacks: PeriodicCallbacks) -> None:
    class Shown(HasTraits):
        value = Int()

    shown = Shown()
    periodic = add(callbacks, nothing, 5, count=4)
    link((periodic, "counter"), (shown, "value"))
    await until(lambda: not periodic.running)
    assert shown.value == 4


@on_loop(PeriodicCallbacks)
async def test_count_lowered_below_what_was_called(callbacks: PeriodicCallbacks) -> None:
    periodic = add(callbacks, nothing, 5)
    await until(lambda: periodic.counter >= 3)
    periodic.count = 2
    assert not periodic.running


@on_loop(PeriodicCallbacks)
async def test_callback_replaced(callbacks: PeriodicCallbacks) -> None:
    seen: list[str] = []
    periodic = add(callbacks, lambda: seen.append("old"), 5)
    await until(lambda: seen)
    periodic.callback = lambda: seen.append("new")
    await until(lambda: seen[-1] == "new")


@on_loop(PeriodicCallbacks)
async def test_the_list_and_its_listeners(callbacks: PeriodicCallbacks) -> None:
    told = 0

    def observer() -> None:
        nonlocal told
        told += 1

    end = callbacks.listeners.add(observer)
    kept = [add(callbacks, nothing, 20) for _ in range(20)]
    assert [number for number, _ in callbacks.items()] == list(range(1, 21))
    assert list(callbacks) == kept
    told = 0
    kept[0].period = 30
    assert told == 1
    for periodic in kept:
        periodic.stop()
    assert told == 21
    end()
    kept[0].start()
    assert told == 21
    kept[0].stop()
    await asyncio.sleep(0)
    del kept, periodic
    gc.collect()
    assert list(callbacks) == []


@on_loop(PeriodicCallbacks)
async def test_listeners_are_notified_once_for_all_ticks_of_a_turn(
    callbacks: PeriodicCallbacks,
) -> None:
    told = 0

    def observer() -> None:
        nonlocal told
        told += 1

    kept = [add(callbacks, nothing, 20) for _ in range(50)]
    callbacks.listeners.add(observer)
    await until(lambda: sum(periodic.counter for periodic in kept) >= 500)
    assert 0 < told < 400
