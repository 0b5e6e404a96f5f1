"""Callbacks that are called once: at the next turn, or after a while."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from nbsession.kernel.page.document import Timers
from turns import on_loop, runtime, until

if TYPE_CHECKING:
    from collections.abc import Callable


@on_loop(Timers)
async def test_next_tick_in_order_and_never_now(timers: Timers) -> None:
    seen: list[int] = []

    def remember(number: int) -> Callable[[], None]:
        return lambda: seen.append(number)

    for number in range(20):
        timers.next_tick(remember(number))
    assert seen == []
    await until(lambda: len(seen) == 20)
    assert seen == list(range(20))


@on_loop(Timers)
async def test_one_that_calls_for_itself_leaves_the_loop_to_others(timers: Timers) -> None:
    calls = 0

    def again() -> None:
        nonlocal calls
        calls += 1
        timers.next_tick(again)

    again()
    for _ in range(100):
        await asyncio.sleep(0)
    assert 10 < calls < 200


@on_loop(Timers)
async def test_timeouts_in_the_order_in_which_they_are_due(timers: Timers) -> None:
    seen: list[int] = []

    async def remember(ms: int) -> None:
        seen.append(ms)

    begun = time.monotonic()
    for ms in (60, 0, 30):
        timers.timeout(lambda ms=ms: remember(ms), ms)
    await until(lambda: len(seen) == 3)
    assert seen == [0, 30, 60]
    assert time.monotonic() - begun >= 0.06


@on_loop(Timers)
async def test_cancel(timers: Timers) -> None:
    seen: list[str] = []
    never = timers.timeout(lambda: seen.append("never"), 10)
    once = timers.timeout(lambda: seen.append("once"), 20)
    assert never.cancel()
    assert not never.cancel()
    await until(lambda: seen)
    assert seen == ["once"]
    assert not once.cancel()


@on_loop(Timers)
async def test_many_that_are_cancelled_are_not_kept(timers: Timers) -> None:
    for _ in range(10_000):
        timers.timeout(print, 1_000_000).cancel()
    assert len(timers._queue._settings) < 200


@on_loop(Timers)
async def test_from_a_thread_on_the_loop(timers: Timers) -> None:
    seen: list[int] = []
    await asyncio.to_thread(timers.timeout, lambda: seen.append(threading.get_ident()), 5)
    await asyncio.to_thread(timers.next_tick, lambda: seen.append(threading.get_ident()))
    await until(lambda: len(seen) == 2)
    assert set(seen) == {threading.get_ident()}


@on_loop(Timers)
async def test_an_error_is_shown(timers: Timers, capsys: pytest.CaptureFixture[str]) -> None:
    timers.next_tick(lambda: {}["missing"])
    await until(lambda: "KeyError: 'missing'" in capsys.readouterr().err)


@on_loop(Timers)
async def test_interrupted_before_the_first_one(
    timers: Timers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Ctrl-C may, at any line."""
    seen: list[int] = []
    queue = timers._queue

    def interrupt(_now: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(queue, "_next_due", interrupt)
        with pytest.raises(KeyboardInterrupt):
            queue._fire_due()
    timers.timeout(lambda: seen.append(1), 1)
    await until(lambda: seen)


@pytest.mark.parametrize("ms", [-1, 0.5, "1s", None])
@on_loop(Timers)
async def test_bad_input(timers: Timers, ms: Any) -> None:
    with pytest.raises(ValueError, match="timeout must be a whole number of milliseconds"):
        timers.timeout(print, ms)
    with pytest.raises(TypeError, match="must be callable"):
        timers.next_tick(None)  # type: ignore[arg-type]


def test_take_out() -> None:
    async def main() -> None:
        seen: list[int] = []
        with runtime() as made:
            timers = Timers(made)
            timers.next_tick(lambda: seen.append(1))
            timers.timeout(lambda: seen.append(1), 1)
        await asyncio.sleep(0.02)
        assert seen == []

    asyncio.run(main())


@on_loop(Timers)
async def test_what_a_timer_looks_like(timers: Timers) -> None:
    timer = timers.timeout(lambda: None, 10_000)
    assert repr(timer) == "<Timer, waiting>"
    timer.cancel()
    assert repr(timer) == "<Timer, called or removed>"
