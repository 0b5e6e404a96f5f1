"""`state.execute` on a real loop, without a kernel."""

from __future__ import annotations

import asyncio
import gc
import threading
from functools import partial
from typing import Any

import pytest

from nbsession.kernel.callbacks import execute as execution
from nbsession.kernel.callbacks.execute import LoopExecutor
from turns import on_loop, runtime, until


def fail() -> None:
    raise LookupError("as always")


async def fail_later() -> None:
    await asyncio.sleep(0)
    raise LookupError("as always")


@on_loop(LoopExecutor)
async def test_auto_on_the_main_thread_is_now(executor: LoopExecutor) -> None:
    future = executor.execute(lambda: 7, "auto")
    assert future.done()
    assert future.result() == 7
    assert await future == 7


@on_loop(LoopExecutor)
async def test_true_is_the_next_turn(executor: LoopExecutor) -> None:
    seen: list[int] = []
    future = executor.execute(partial(seen.append, 1), schedule=True)
    assert not future.done()
    with pytest.raises(RuntimeError, match="use `await future` instead"):
        future.result()
    with pytest.raises(RuntimeError, match="use `await future` instead"):
        future.exception(timeout=1)
    await future
    assert seen == [1]


@on_loop(LoopExecutor)
async def test_async_callbacks(executor: LoopExecutor) -> None:
    async def answer() -> str:
        await asyncio.sleep(0)
        return threading.current_thread().name

    class Answer:
        async def __call__(self) -> str:
            return await answer()

    here = threading.current_thread().name
    call = partial(lambda make: make(), answer)
    for callback in (answer, partial(answer), Answer(), call):
        for schedule in ("auto", True, False):
            future = executor.execute(callback, schedule)  # type: ignore[arg-type]
            assert not future.done()
            assert await future == here
        assert await executor.execute(callback, "thread") != here


@on_loop(LoopExecutor)
async def test_from_a_thread(executor: LoopExecutor) -> None:
    def work() -> tuple[int, Any, Any]:
        where = executor.execute(threading.get_ident, "auto").result(10)
        with pytest.raises(RuntimeError, match=r'schedule="auto" or True'):
            executor.execute(fail, schedule=False)
        with pytest.raises(LookupError):
            executor.execute(fail, schedule=True).result(10)
        return where, executor.execute(fail_later, "auto").exception(10), None

    where, error, _ = await asyncio.to_thread(work)
    assert where == threading.get_ident()
    assert isinstance(error, LookupError)


@on_loop(LoopExecutor)
async def test_in_a_thread(executor: LoopExecutor) -> None:
    future = executor.execute(threading.get_ident, "thread")
    assert await future != threading.get_ident()


@on_loop(LoopExecutor)
async def test_order_is_kept(executor: LoopExecutor) -> None:
    seen: list[int] = []
    futures = [
        executor.execute(partial(seen.append, number), schedule=True) for number in range(50)
    ]
    await asyncio.gather(*map(asyncio.wrap_future, futures))
    assert seen == list(range(50))


@on_loop(LoopExecutor)
async def test_bad_input(executor: LoopExecutor) -> None:
    with pytest.raises(TypeError, match="must be callable, got int"):
        executor.execute(5, "auto")  # type: ignore[arg-type]
    for schedule in ("now", None, 2, 1):
        with pytest.raises(ValueError, match='must be "auto", True, False or "thread"'):
            executor.execute(fail, schedule)  # type: ignore[arg-type]


@on_loop(LoopExecutor)
async def test_cancel(executor: LoopExecutor) -> None:
    seen: list[str] = []

    async def long() -> None:
        seen.append("begun")
        try:
            await asyncio.sleep(60)
        finally:
            seen.append("ended")

    assert executor.execute(partial(seen.append, "never"), schedule=True).cancel()
    for schedule in (True, "thread"):
        future = executor.execute(long, schedule)  # type: ignore[arg-type]
        await until(lambda: seen == ["begun"])
        assert future.running()
        assert future.cancel()
        assert future.cancelled()
        await until(lambda: seen == ["begun", "ended"])
        seen.clear()
    waiting = asyncio.ensure_future(asyncio.wrap_future(executor.execute(long, "auto")))
    await until(lambda: seen)
    waiting.cancel()
    await until(lambda: seen == ["begun", "ended"])


@on_loop(LoopExecutor)
async def test_a_sync_one_that_runs_is_not_cancelled(executor: LoopExecutor) -> None:
    go_on = threading.Event()
    future = executor.execute(go_on.wait, "thread")
    await until(future.running)
    assert not future.cancel()
    go_on.set()
    assert await future


@pytest.mark.parametrize("schedule", ["auto", True, False, "thread"])
@pytest.mark.parametrize("callback", [fail, fail_later])
@on_loop(LoopExecutor)
async def test_error_that_nobody_asks_for_is_shown_at_once(
    executor: LoopExecutor, callback: Any, schedule: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[str] = []

    def look() -> bool:
        shown.append(capsys.readouterr().err)
        return "LookupError: as always" in shown[-1]

    gc.disable()  # not only when the collector comes along
    try:
        executor.execute(callback, schedule)
        await until(look, execution.ERROR_SECONDS / 2)
    finally:
        gc.enable()
    assert "".join(shown).count("LookupError: as always") == 1


@on_loop(LoopExecutor)
async def test_error_of_a_future_that_is_held_is_shown_after_a_while(
    executor: LoopExecutor, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "ERROR_SECONDS", 0.1)
    future = executor.execute(fail, "auto")
    await asyncio.sleep(0)
    assert capsys.readouterr().err == ""
    await until(lambda: "LookupError: as always" in capsys.readouterr().err)
    with pytest.raises(LookupError):
        await future


@on_loop(LoopExecutor)
async def test_error_that_somebody_asks_for_is_not_shown(
    executor: LoopExecutor, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "ERROR_SECONDS", 0.2)
    for callback in (fail, fail_later):
        with pytest.raises(LookupError):
            await executor.execute(callback, schedule=True)
        error = await asyncio.to_thread(lambda c=callback: executor.execute(c, "auto").exception())
        assert isinstance(error, LookupError)
    done = executor.execute(fail, "auto")
    assert isinstance(done.exception(), LookupError)
    del done
    gc.collect()
    await until(lambda: not executor._queue._settings)
    assert capsys.readouterr().err == ""


def test_busy_to_the_end() -> None:
    async def main() -> None:
        with runtime() as made:
            executor = LoopExecutor(made)
            go_on = asyncio.Event()
            future = executor.execute(go_on.wait, "auto")
            await asyncio.sleep(0)
            assert made.busy
            go_on.set()
            await future
            await until(lambda: not made.busy)

    asyncio.run(main())


def test_take_out_cancels_what_waits_and_what_runs() -> None:
    async def main() -> None:
        seen: list[int] = []
        with runtime() as made:
            executor = LoopExecutor(made)
            running = executor.execute(partial(asyncio.sleep, 60), "auto")
            await until(running.running)
            waiting = executor.execute(partial(seen.append, 1), schedule=True)
        assert waiting.cancelled()
        await until(running.cancelled)
        assert seen == []
        assert not made.busy

    asyncio.run(main())
