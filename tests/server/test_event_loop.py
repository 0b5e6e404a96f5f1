"""An interrupt that is raised again when the loop goes on does not keep the server from its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from nbsession.server.services import run_on_stopped

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def _interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("interrupts", range(3))
def test_it_comes_to_its_end(loop: asyncio.AbstractEventLoop, interrupts: int) -> None:
    for _ in range(interrupts):
        loop.call_soon(_interrupt)
    done: list[int] = []

    async def end() -> None:
        for number in range(5):
            await asyncio.sleep(0)
            done.append(number)

    run_on_stopped(loop, end())
    assert done == [0, 1, 2, 3, 4]


def test_a_signal_that_stops_the_loop_again(loop: asyncio.AbstractEventLoop) -> None:
    """As the handler of SIGTERM of Voilà does, each time."""
    done: list[int] = []

    async def end() -> None:
        for number in range(3):
            loop.call_soon(loop.stop)
            await asyncio.sleep(0.01)
            done.append(number)

    run_on_stopped(loop, end())
    assert done == [0, 1, 2]


def test_an_error_of_its_own_is_raised(loop: asyncio.AbstractEventLoop) -> None:
    async def fail() -> None:
        raise ValueError("no good")

    with pytest.raises(ValueError, match="no good"):
        run_on_stopped(loop, fail())


def test_who_insists_is_obeyed(loop: asyncio.AbstractEventLoop) -> None:
    async def wait() -> None:
        for _ in range(100):
            loop.call_soon(_interrupt)
            await asyncio.sleep(0)

    with pytest.raises(KeyboardInterrupt):
        run_on_stopped(loop, wait())
    [task] = asyncio.all_tasks(loop)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
