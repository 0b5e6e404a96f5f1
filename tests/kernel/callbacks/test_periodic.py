"""The life of periodic callbacks on a real loop, without a kernel."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from traitlets import TraitError

from nbsession.kernel.callbacks.registry import PeriodicCallbacks
from turns import on_loop, runtime, until

if TYPE_CHECKING:
    from nbsession.kernel.callbacks.periodic import PeriodicCallback


def nothing() -> None:
    pass


def add(callbacks: PeriodicCallbacks, callback: Any, period: Any = 10, **options: Any) -> Any:
    settings = {"count": None, "timeout": None, "start": True, **options}
    return callbacks.add(callback, period, **settings)


@on_loop(PeriodicCallbacks)
async def test_each_start_counts_anew_and_the_counter_goes_on(callbacks: PeriodicCallbacks) -> None:
    periodic = add(callbacks, nothing, 5, count=3)
    periodic.start()  # does nothing
    await until(lambda: not periodic.running)
    assert periodic.counter == 3
    periodic.start()
    await until(lambda: not periodic.running)
    assert periodic.counter == 6


@on_loop(PeriodicCallbacks)
async def test_stop_inside_lets_it_finish(callbacks: PeriodicCallbacks) -> None:
    seen: list[str] = []

    async def once() -> None:
        seen.append("in")
        periodic.stop()
        periodic.period = 20
        await asyncio.sleep(0.01)
        seen.append("out")

    periodic = add(callbacks, once)
    await until(lambda: periodic.counter)
    assert seen == ["in", "out"]
    assert not periodic.running


@on_loop(PeriodicCallbacks)
async def test_an_exception_is_counted_and_it_goes_on(callbacks: PeriodicCallbacks) -> None:
    def fail() -> None:
        raise LookupError("as always")

    async def fail_later() -> None:
        await asyncio.sleep(0)
        raise LookupError("as always")

    for callback in (fail, fail_later):
        periodic = add(callbacks, callback, 5, count=5)
        await until(lambda periodic=periodic: not periodic.running)
        assert (periodic.counter, periodic.errors) == (5, 5)
        assert isinstance(periodic.last_error, LookupError)


@on_loop(PeriodicCallbacks)
async def test_an_error_is_shown_once_until_another_comes(
    callbacks: PeriodicCallbacks, capsys: pytest.CaptureFixture[str]
) -> None:
    words = iter(["one", "one", "one", "two", "two"])

    def fail() -> None:
        raise LookupError(next(words))

    periodic = add(callbacks, fail, 5, count=5)
    await until(lambda: not periodic.running)
    assert periodic.errors == 5
    shown = capsys.readouterr().err
    assert (shown.count("LookupError: one"), shown.count("LookupError: two")) == (1, 1)


@on_loop(PeriodicCallbacks)
async def test_start_and_stop_from_threads(callbacks: PeriodicCallbacks) -> None:
    threads: set[int] = set()
    periodic = add(callbacks, lambda: threads.add(threading.get_ident()), 1)

    def drive() -> None:
        for _ in range(200):
            periodic.stop()
            periodic.start()

    drivers = [threading.Thread(target=drive) for _ in range(4)]
    for driver in drivers:
        driver.start()
    await until(lambda: not any(driver.is_alive() for driver in drivers))
    periodic.start()
    seen = periodic.counter
    await until(lambda: periodic.counter > seen + 3)
    await asyncio.to_thread(periodic.stop)
    assert not periodic.running
    seen = periodic.counter
    other = add(callbacks, nothing, 5, count=3)
    await until(lambda: not other.running)
    assert periodic.counter == seen
    assert threads == {threading.get_ident()}


@on_loop(PeriodicCallbacks)
async def test_one_that_nobody_holds_goes_on(callbacks: PeriodicCallbacks) -> None:
    calls: list[int] = []
    add(callbacks, lambda: calls.append(1), 5)
    gc.collect()
    await until(lambda: len(calls) >= 3)
    assert [repr(each).split(",")[1] for each in callbacks] == [" running"]


def test_take_out_stops_all() -> None:
    async def main() -> None:
        with runtime() as made:
            callbacks = PeriodicCallbacks(made)
            periodic: PeriodicCallback = add(callbacks, nothing, 5)
            cancelled = asyncio.Event()

            async def long() -> None:
                try:
                    await asyncio.sleep(60)
                finally:
                    cancelled.set()

            slow = add(callbacks, long, 5)
            await until(lambda: slow.skipped == 0 and periodic.counter > 2)
        assert not periodic.running
        seen = periodic.counter
        await asyncio.wait_for(cancelled.wait(), 5)
        await asyncio.sleep(0.03)
        assert periodic.counter == seen
        with pytest.raises(RuntimeError, match="taken out by %unload_ext"):
            periodic.start()
        assert not periodic.running
        assert not made.busy

    asyncio.run(main())


def test_busy_while_called() -> None:
    async def main() -> None:
        changes: list[bool] = []
        with runtime() as made:
            made.busy_listeners.add(changes.append)
            callbacks = PeriodicCallbacks(made)
            seen: list[bool] = []
            periodic = add(callbacks, lambda: seen.append(bool(made.busy)), 5, count=3)
            await until(lambda: not periodic.running)
            assert seen == [True] * 3
            assert not made.busy
        assert changes == [True, False] * 3

    asyncio.run(main())


SCRIPT = """
import threading, time
from nbsession import state
threads = set()
periodic = state.add_periodic_callback(lambda: threads.add(threading.get_ident()), 5, count=3)
while periodic.running:
    time.sleep(0.005)
loop_thread = state.execute(threading.get_ident, schedule=True).result(10)
print(periodic.counter, threads == {loop_thread}, loop_thread != threading.get_ident())
seen = state.defer(lambda: 6 * 7)
while "42" not in str(seen.outputs):
    time.sleep(0.005)
"""


@pytest.mark.parametrize("python", [["-c"], ["-m", "IPython", "--no-banner", "-c"]])
def test_plain_process_and_terminal(python: list[str]) -> None:
    run = subprocess.run(
        [sys.executable, *python, SCRIPT], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout == "3 True True\n"


@on_loop(PeriodicCallbacks)
async def test_a_callback_that_cancels_itself_is_counted_and_shown(
    callbacks: PeriodicCallbacks, capsys: pytest.CaptureFixture[str]
) -> None:
    async def awaits_what_was_cancelled() -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.cancel("by another")
        await future

    def cancels() -> None:
        raise asyncio.CancelledError("here")

    for callback, words in ((awaits_what_was_cancelled, "by another"), (cancels, "here")):
        periodic = add(callbacks, callback, 5, count=2)
        await until(lambda periodic=periodic: not periodic.running)
        assert (periodic.counter, periodic.errors) == (2, 2)
        shown = capsys.readouterr().err
        assert f"CancelledError: {words}" in shown
        assert f"in {callback.__name__}" in shown


def test_one_that_ends_with_its_session_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    async def wait() -> None:
        await asyncio.sleep(60)

    async def main() -> Any:
        with runtime() as made:
            periodic = add(PeriodicCallbacks(made), wait, 1)
            await until(lambda: made.busy)
        await until(lambda: not made.busy)
        return periodic

    assert asyncio.run(main()).errors == 0
    assert capsys.readouterr().err == ""


@on_loop(PeriodicCallbacks)
async def test_generator_functions_are_refused(callbacks: PeriodicCallbacks) -> None:
    def steps() -> Any:
        yield

    async def later() -> Any:
        yield

    periodic = add(callbacks, nothing, start=False)
    for generator in (steps, later):
        says = rf"{generator.__name__} runs nothing, as it is a generator: .* lambda: next\(steps\)"
        with pytest.raises(TypeError, match=says):
            add(callbacks, generator)
        with pytest.raises(TraitError, match=says):
            periodic.callback = generator
    assert list(callbacks) == [periodic]
    assert periodic.callback is nothing
