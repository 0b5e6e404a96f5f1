"""Callbacks that are called once: at the next turn, or after a while."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from nbsession.kernel.page.document import Document
from played_pages import PlayedPages
from turns import on_loop, runtime, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbsession.kernel.runtime.runtime import Runtime


def make_document(made: Runtime) -> Document:
    assert made.main_loop.is_here()  # and not another thread's, which may use it first
    return Document(made, None, PlayedPages(), None)  # type: ignore[arg-type]


@on_loop(make_document)
async def test_next_tick_in_order_and_never_now(document: Document) -> None:
    seen: list[int] = []

    def remember(number: int) -> Callable[[], None]:
        return lambda: seen.append(number)

    for number in range(20):
        document.add_next_tick_callback(remember(number))
    assert seen == []
    await until(lambda: len(seen) == 20)
    assert seen == list(range(20))


@on_loop(make_document)
async def test_one_that_calls_for_itself_leaves_the_loop_to_others(document: Document) -> None:
    calls = 0

    def again() -> None:
        nonlocal calls
        calls += 1
        document.add_next_tick_callback(again)

    again()
    for _ in range(100):
        await asyncio.sleep(0)
    assert 10 < calls < 200


@on_loop(make_document)
async def test_timeouts_in_the_order_in_which_they_are_due(document: Document) -> None:
    seen: list[int] = []

    async def remember(ms: int) -> None:
        seen.append(ms)

    begun = time.monotonic()
    for ms in (60, 0, 30):
        document.add_timeout_callback(lambda ms=ms: remember(ms), ms)
    await until(lambda: len(seen) == 3)
    assert seen == [0, 30, 60]
    assert time.monotonic() - begun >= 0.06


@on_loop(make_document)
async def test_cancel(document: Document) -> None:
    seen: list[str] = []
    never = document.add_timeout_callback(lambda: seen.append("never"), 10)
    once = document.add_timeout_callback(lambda: seen.append("once"), 20)
    assert never.cancel()
    assert not never.cancel()
    await until(lambda: seen)
    assert seen == ["once"]
    assert not once.cancel()


@on_loop(make_document)
async def test_many_that_are_cancelled_are_not_kept(document: Document) -> None:
    for _ in range(10_000):
        document.add_timeout_callback(print, 1_000_000).cancel()
    assert len(document._queue._settings) < 200


@on_loop(make_document)
async def test_from_a_thread_on_the_loop(document: Document) -> None:
    seen: list[int] = []
    await asyncio.to_thread(
        document.add_timeout_callback, lambda: seen.append(threading.get_ident()), 5
    )
    await asyncio.to_thread(
        document.add_next_tick_callback, lambda: seen.append(threading.get_ident())
    )
    await until(lambda: len(seen) == 2)
    assert set(seen) == {threading.get_ident()}


@on_loop(make_document)
async def test_an_error_is_shown(document: Document, capsys: pytest.CaptureFixture[str]) -> None:
    document.add_next_tick_callback(lambda: {}["missing"])
    await until(lambda: "KeyError: 'missing'" in capsys.readouterr().err)


@on_loop(make_document)
async def test_interrupted_before_the_first_one(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Ctrl-C may, at any line."""
    seen: list[int] = []
    queue = document._queue

    def interrupt(_now: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(queue, "_next_due", interrupt)
        with pytest.raises(KeyboardInterrupt):
            queue._fire_due()
    document.add_timeout_callback(lambda: seen.append(1), 1)
    await until(lambda: seen)


@pytest.mark.parametrize("ms", [-1, 0.5, "1s", None])
@on_loop(make_document)
async def test_bad_input(document: Document, ms: Any) -> None:
    with pytest.raises(ValueError, match="timeout must be a whole number of milliseconds"):
        document.add_timeout_callback(print, ms)
    with pytest.raises(TypeError, match="must be callable"):
        document.add_next_tick_callback(None)  # type: ignore[arg-type]


def test_take_out() -> None:
    async def main() -> None:
        seen: list[int] = []
        with runtime() as made:
            document = make_document(made)
            document.add_next_tick_callback(lambda: seen.append(1))
            document.add_timeout_callback(lambda: seen.append(1), 1)
        await asyncio.sleep(0.02)
        assert seen == []

    asyncio.run(main())


@on_loop(make_document)
async def test_what_a_timer_looks_like(document: Document) -> None:
    timer = document.add_timeout_callback(lambda: None, 10_000)
    assert repr(timer) == "<Timer, waiting>"
    timer.cancel()
    assert repr(timer) == "<Timer, called or removed>"
