"""Requests that wait while another process holds the database."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from typing import TYPE_CHECKING

import pytest

from engines import ByName
from fake_clock import FakeClock, run_fast
from nbsession.core.errors import StoreBusyError
from nbsession.scheduler.engine.engine import Engine
from nbsession.scheduler.engine.store_writer import BUSY_SECONDS, patiently
from nbsession.scheduler.stores.sqlite.store import SqliteStore
from scheduling import a_spec

if TYPE_CHECKING:
    from pathlib import Path


class Database:
    """Is held by another process, or not."""

    def __init__(self) -> None:
        self.is_held = True
        self.asked: list[str] = []

    def ask(self, name: str) -> str:
        self.asked.append(name)
        if self.is_held:
            message = "held"
            raise StoreBusyError(message)
        return name.upper()

    async def wait(self, name: str) -> str:
        return await patiently(lambda: self.ask(name))


def test_one_request_tries_for_all() -> None:
    async def main(_clock: FakeClock) -> None:
        database = Database()
        waiting = [asyncio.ensure_future(database.wait(name)) for name in "abcdef"]
        await asyncio.sleep(1)
        assert database.asked[:6] == list("abcdef")
        assert set(database.asked[6:]) == {"a"}
        assert 10 < len(database.asked[6:]) < 30
        waiting.pop(2).cancel()
        waiting.pop(0).cancel()
        await asyncio.sleep(0)
        database.asked.clear()
        database.is_held = False
        assert await asyncio.gather(*waiting) == ["B", "D", "E", "F"]
        assert database.asked == ["b", "d", "e", "f"]  # in their order
        assert await database.wait("g") == "G"

    run_fast(main)


def test_each_gives_up_after_its_own_time() -> None:
    async def main(clock: FakeClock) -> None:
        database = Database()

        async def given_up(name: str) -> float:
            began = clock.monotonic()
            with pytest.raises(StoreBusyError, match="held"):
                await database.wait(name)
            return clock.monotonic() - began

        first = asyncio.ensure_future(given_up("a"))
        await asyncio.sleep(BUSY_SECONDS - 1)
        second = asyncio.ensure_future(given_up("b"))
        await asyncio.sleep(0)
        for waiting in (first, second):
            assert BUSY_SECONDS <= await waiting < BUSY_SECONDS + 0.2

    run_fast(main)


def test_other_errors_are_raised_to_the_caller() -> None:
    async def main(_clock: FakeClock) -> None:
        database = Database()

        def fail() -> None:
            database.ask("fail")
            raise LookupError

        failing = asyncio.ensure_future(patiently(fail))
        other = asyncio.ensure_future(database.wait("a"))
        await asyncio.sleep(1)
        database.is_held = False
        with pytest.raises(LookupError):
            await failing
        assert await other == "A"

    run_fast(main)


def test_a_held_database_leaves_the_loop_free(tmp_path: Path) -> None:
    """On the real clock: what counts is the time that the loop is blocked."""
    path = tmp_path / "tasks.sqlite"
    blocked: list[float] = []

    async def main() -> None:
        clock = FakeClock()
        store = SqliteStore(path, clock, logging.getLogger("tasks"))
        engine = Engine(store, ByName(clock, {}), clock, logging.getLogger("tasks"))
        engine.open()
        engine.schedule(a_spec("report", period="1h"))
        late = SqliteStore(path, clock, logging.getLogger("tasks"), waits=False)

        def noted(ask: object) -> None:
            began = time.thread_time(), time.perf_counter()
            try:
                ask()  # type: ignore[operator]
            finally:
                slept = time.perf_counter() - began[1] - (time.thread_time() - began[0])
                blocked.append(slept)

        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            orders = [lambda: engine.pause("report")] * 20 + [late.open]
            waiting = [patiently(lambda order=order: noted(order)) for order in orders]
            done = await asyncio.gather(*waiting, return_exceptions=True)
            assert {type(error) for error in done} == {StoreBusyError}
            other.execute("ROLLBACK")
        await engine.close()

    asyncio.run(main())
    assert len(blocked) < 21 + 2.5 * BUSY_SECONDS / 0.05
    assert sum(blocked) < 0.2 * BUSY_SECONDS, "20 that wait for 0.1 s each would be all of it"
    assert sorted(blocked)[len(blocked) * 9 // 10] < 0.02
