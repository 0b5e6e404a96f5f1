"""Changes as events while the database cannot be read."""

from __future__ import annotations

import asyncio
from typing import Any

from nbsession.core.errors import StoreBusyError
from nbsession.server.events.feed import MAX_ROWS, ChangeFeed


class Store:
    """Tasks that can be looked at only for so many times."""

    def __init__(self) -> None:
        self.looks = 0
        self.tasks: dict[str, dict[str, Any]] = {}
        self.refused = asyncio.Event()

    def find(self, name: str) -> dict[str, Any] | None:
        if self.looks <= 0:
            self.refused.set()
            message = "another server holds the database"
            raise StoreBusyError(message)
        self.looks -= 1
        return self.tasks.get(name)


async def _next(events: asyncio.Queue[dict[str, Any]]) -> dict[str, Any]:
    return await asyncio.wait_for(events.get(), 10)


def test_what_cannot_be_looked_at_is_told_later() -> None:
    async def run() -> None:
        store, events = Store(), asyncio.Queue[dict[str, Any]]()
        loop = asyncio.get_running_loop()
        feed = ChangeFeed(loop, events.put_nowait, lambda: True, store.find, lambda _: None)
        store.tasks = {name: {"name": name} for name in "ab"}
        store.looks = 1
        feed.tasks_changed(["a", "b", "gone"], [])
        feed.session_changed("k")
        first = await _next(events)
        assert (first["tasks"], first["removed"], first["ended"]) == ([{"name": "a"}], [], ["k"])
        assert first["incomplete"] is False
        store.refused.clear()
        await asyncio.wait_for(store.refused.wait(), 10)
        assert events.empty(), "an event that says nothing"
        assert feed.serial == 1
        store.looks = 10
        second = await _next(events)
        assert (second["serial"], second["tasks"]) == (2, [{"name": "b"}])
        assert second["removed"] == ["gone"]
        feed.close()

    asyncio.run(run())


def test_none_of_very_many_is_dropped() -> None:
    async def run() -> None:
        store, events = Store(), asyncio.Queue[dict[str, Any]]()
        loop = asyncio.get_running_loop()
        feed = ChangeFeed(loop, events.put_nowait, lambda: True, store.find, lambda _: None)
        store.looks = 10
        feed.tasks_changed([f"t{n}" for n in range(MAX_ROWS + 5)], [])
        first = await _next(events)
        assert (len(first["removed"]), first["incomplete"]) == (10, False)
        store.looks = MAX_ROWS
        second = await _next(events)
        assert (len(second["removed"]), second["incomplete"]) == (MAX_ROWS - 5, False)
        feed.close()

    asyncio.run(run())


def test_a_closed_feed_looks_at_nothing() -> None:
    async def run() -> None:
        store, events = Store(), asyncio.Queue[dict[str, Any]]()
        loop = asyncio.get_running_loop()
        feed = ChangeFeed(loop, events.put_nowait, lambda: True, store.find, lambda _: None)
        feed.close()
        feed.tasks_changed(["a"], [])
        assert feed._timer is None

    asyncio.run(run())
