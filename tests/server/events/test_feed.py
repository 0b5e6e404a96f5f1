"""Changes as events: gathered, few, numbered, and made only if there are listeners."""

from __future__ import annotations

import asyncio
import json
import os
from base64 import b64encode
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from described import SPEC, validate
from nbsession.core.tasks.run import Run
from nbsession.server.events.feed import (
    MAX_ROWS,
    SCHEMA_ID,
    SECONDS_BETWEEN,
    ChangeFeed,
    has_listeners,
    register,
)

if TYPE_CHECKING:
    from hosts import Host


class Receiver:
    """Everything that a feed has emitted, and when."""

    def __init__(self) -> None:
        self.on = True
        self.events: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.tasks: dict[str, Any] = {}
        self.sessions: dict[str, Any] = {}
        self.loop = asyncio.get_running_loop()
        self.feed = ChangeFeed(
            self.loop, self._note, lambda: self.on, self.tasks.get, self.sessions.get
        )
        self._arrived = asyncio.Event()

    def _note(self, data: dict[str, Any]) -> None:
        self.events.append(data)
        self.times.append(self.loop.time())
        self._arrived.set()

    async def next(self) -> dict[str, Any]:
        self._arrived.clear()
        await asyncio.wait_for(self._arrived.wait(), 10)
        return self.events[-1]


def test_one_event_for_all_that_changed() -> None:
    async def run() -> None:
        receiver = Receiver()
        receiver.tasks["a"] = {"name": "a", "state": "running"}
        receiver.sessions["k"] = {"kernel_id": "k", "callbacks": [], "tasks": []}
        long_run = Run(id=7, task="a", state="running", output="x" * 10_000, traceback="secret")
        receiver.feed.tasks_changed(["a", "gone"], [long_run])
        receiver.feed.tasks_changed(["a"], [])
        receiver.feed.session_changed("k")
        receiver.feed.session_changed("ended")
        event = await receiver.next()
        assert (event["serial"], event["tasks"], event["removed"]) == (
            1,
            [receiver.tasks["a"]],
            ["gone"],
        )
        assert (event["sessions"], event["ended"]) == ([receiver.sessions["k"]], ["ended"])
        assert [run["id"] for run in event["runs"]] == [7]
        assert "secret" not in str(event)
        assert len(str(event)) < 1000

    asyncio.run(run())


def test_four_per_second_at_most() -> None:
    async def run() -> None:
        receiver = Receiver()
        ends = receiver.loop.time() + 4 * SECONDS_BETWEEN
        while receiver.loop.time() < ends:
            receiver.feed.session_changed("k")
            await asyncio.sleep(0.001)
        assert [event["serial"] for event in receiver.events] == [1, 2, 3, 4][
            : len(receiver.events)
        ]
        assert all(
            later - earlier >= SECONDS_BETWEEN * 0.99 for earlier, later in pairwise(receiver.times)
        )

    asyncio.run(run())


def test_nothing_is_made_for_nobody_but_the_gap_is_seen() -> None:
    async def run() -> None:
        receiver = Receiver()
        receiver.on = False
        receiver.feed.session_changed("k")
        receiver.feed.tasks_changed(["a"], [])
        receiver.on = True
        receiver.feed.session_changed("k")
        event = await receiver.next()
        assert event["serial"] == 3
        assert event["removed"] == []

    asyncio.run(run())


def test_more_than_an_event_holds() -> None:
    async def run() -> None:
        receiver = Receiver()
        receiver.feed.tasks_changed([f"t{n}" for n in range(MAX_ROWS + 1)], [])
        event = await receiver.next()
        assert event["incomplete"] is True
        assert len(event["removed"]) == MAX_ROWS

    asyncio.run(run())


def test_a_feed_that_is_closed_says_nothing() -> None:
    async def run() -> None:
        receiver = Receiver()
        receiver.feed.session_changed("k")
        receiver.feed.close()
        receiver.feed.session_changed("k")
        assert receiver.feed._timer is not None
        assert receiver.feed._timer.cancelled()

    asyncio.run(run())


def test_the_schema_is_known_once_and_listeners_are_seen() -> None:
    from jupyter_events import EventLogger

    logger = EventLogger()
    register(logger)
    register(logger)
    assert (files("nbsession") / "server/events/changes.yaml").is_file()
    assert not has_listeners(logger)

    async def run() -> None:
        got: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()

        async def listener(logger: EventLogger, schema_id: str, data: dict[str, Any]) -> None:
            got.put_nowait((schema_id, data))

        logger.add_listener(listener=listener)
        assert has_listeners(logger)
        receiver = Receiver()
        receiver.feed = ChangeFeed(
            receiver.loop,
            lambda data: logger.emit(schema_id=SCHEMA_ID, data=data),
            lambda: has_listeners(logger),
            receiver.tasks.get,
            receiver.sessions.get,
        )
        receiver.feed.session_changed("k")
        schema_id, data = await asyncio.wait_for(got.get(), 10)
        assert (schema_id, data["ended"]) == (SCHEMA_ID, ["k"])
        logger.remove_listener(listener=listener)
        assert not has_listeners(logger)

    asyncio.run(run())


@pytest.mark.server
def test_over_the_socket_that_browsers_listen_on(server: Host) -> None:
    async def run() -> None:
        address = server.url.replace("http", "ws") + "api/events/subscribe"
        request = HTTPRequest(address, headers={"Authorization": f"token {server.token}"})
        socket = await websocket_connect(request)

        async def event(fits: Any) -> dict[str, Any]:
            async with asyncio.timeout(20):
                while True:
                    data = json.loads(await socket.read_message())
                    if data["schema_id"] == SCHEMA_ID and fits(data):
                        assert "secret" not in str(data)
                        return dict(data)

        secret = b64encode(os.urandom(9)).decode()
        kernel = await asyncio.to_thread(
            server.start_kernel,
            "notebooks/x.ipynb?secret-query=1",
            {"Cookie": f"sid=secret-{secret}", "X-Tag": "secret-header"},
        )
        begun = await event(lambda data: data["sessions"])
        [session] = begun["sessions"]
        assert (session["kernel_id"], session["host_kind"]) == (kernel, "notebook")
        validate(SPEC["components"]["schemas"]["Session"], session)
        row = {"id": "0", "name": "tick", "period": 5, "running": True, "counter": 1}
        link = server.link_of(kernel)
        await asyncio.to_thread(link.post, "news", {"callbacks": [row]})
        reported = await event(lambda data: data["sessions"] and data["sessions"][0]["callbacks"])
        assert reported["sessions"][0]["callbacks"] == [row]
        assert reported["serial"] > begun["serial"]
        await asyncio.to_thread(server.http.delete, f"api/kernels/{kernel}")
        assert (await event(lambda data: data["ended"]))["ended"] == [kernel]
        socket.close()

    asyncio.run(run())
