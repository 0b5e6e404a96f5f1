"""What lists say of themselves, and runs without their texts."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from described import described
from linked_tasks import any_link, declaration, wait_for_runs, write_jobs

if TYPE_CHECKING:
    from hosts import Host

pytestmark = pytest.mark.server

JOBS = """
def work():
    print("long")
    raise ValueError("no good")
"""


def test_runs_without_texts(server: Host) -> None:
    folder = write_jobs(server.root, JOBS)
    link = any_link(server)
    link.post("tasks", declaration(folder, "a", period="1h"))
    wait_for_runs(link, "a", 1, lambda run: run["state"] == "failed")
    url = "nbsession/api/tasks/a/runs"
    [full] = described(server.http.get(url))["runs"]
    assert (full["output"], "ValueError" in full["traceback"]) == ("long\n", True)
    assert described(server.http.get(f"{url}?text=true"))["runs"] == [full]
    [brief] = described(server.http.get(f"{url}?limit=50&text=false"))["runs"]
    texts = {"output": full["output"], "traceback": full["traceback"]}
    assert {**brief, **texts} == full
    assert not brief.keys() & texts.keys()
    assert described(server.http.get(f"{url}/{brief['id']}")) == full
    assert server.http.get(f"{url}?text=0").status_code == 400


def test_lists_tell_the_serial_of_the_last_event(server: Host) -> None:
    def serials() -> list[int]:
        paths = ("nbsession/api/tasks", "nbsession/api/sessions")
        return [described(server.http.get(path))["serial"] for path in paths]

    async def run() -> None:
        address = server.url.replace("http", "ws") + "api/events/subscribe"
        request = HTTPRequest(address, headers={"Authorization": f"token {server.token}"})
        socket = await websocket_connect(request)
        before = await asyncio.to_thread(serials)
        await asyncio.to_thread(server.start_kernel, "lab/tree/b.ipynb", path="b.ipynb")
        async with asyncio.timeout(20):
            data = json.loads(await socket.read_message())
            while data["schema_id"] != "urn:nbsession:changes:v1":
                data = json.loads(await socket.read_message())
        assert data["serial"] > max(before)
        assert min(await asyncio.to_thread(serials)) >= data["serial"]
        socket.close()

    asyncio.run(run())
