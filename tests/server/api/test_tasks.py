"""Global tasks over REST."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from described import SPEC, described, validate
from linked_tasks import FINAL, any_link, declaration, write_jobs
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hosts import Host
    from nbsession.kernel.link.client import Link

pytestmark = pytest.mark.server

API = "nbsession/api/tasks"

JOBS = """
from nbsession import state

def work():
    print("secret-output")
    state.run.progress(0.5, "half")
    raise ValueError("no good")

async def endless():
    import asyncio
    await asyncio.Event().wait()
"""


@pytest.fixture(scope="module")
def folder(server: Host) -> Path:
    return write_jobs(server.root, JOBS)


@pytest.fixture(scope="module")
def link(server: Host, folder: Path) -> Link:
    return any_link(server)


@pytest.fixture(scope="module")
def task(server: Host, link: Link, folder: Path) -> str:
    """A task that has run once, and is due in an hour."""
    link.post("tasks", declaration(folder, "a/b 5%", period="1h", args=()))
    url = f"{API}/a%2Fb%205%25"
    eventually(lambda: server.http.get(url).json()["run_count"] == 1)
    return url


def test_lists(server: Host, task: str) -> None:
    listed = described(server.http.get(API))
    assert (listed["writable"], listed["problem"]) == (True, None)
    assert "a/b 5%" in [each["name"] for each in listed["tasks"]]
    assert described(server.http.get(task))["name"] == "a/b 5%"
    runs = described(server.http.get(f"{task}/runs?limit=1"))["runs"]
    assert (runs[0]["state"], runs[0]["progress_text"]) == ("failed", "half")
    assert described(server.http.get(f"{task}/runs/{runs[0]['id']}")) == runs[0]


def test_actions(server: Host, task: str) -> None:
    assert described(server.http.post(f"{task}/pause"))["state"] == "paused"
    assert described(server.http.post(f"{task}/resume", json={}))["state"] != "paused"
    run = described(server.http.post(f"{task}/run"))

    def is_final() -> bool:
        return described(server.http.get(f"{task}/runs/{run['id']}"))["state"] in FINAL

    eventually(is_final)


@pytest.mark.parametrize("by", ["delete", "cancel"])
def test_cancel_ends_what_runs(server: Host, link: Link, folder: Path, by: str) -> None:
    name = f"endless-{by}"
    link.post("tasks", declaration(folder, name, "endless", period="1h"))
    eventually(lambda: server.http.get(f"{API}/{name}").json()["state"] == "running")
    [run] = server.http.get(f"{API}/{name}/runs").json()["runs"]
    if by == "delete":
        answer = server.http.delete(f"{API}/{name}")
        assert answer.status_code == 204
    else:
        answer = server.http.post(f"{API}/{name}/cancel", json={"wait": False})
        assert answer.json() == {"name": name}
    described(answer)
    ended = eventually(lambda: (found := link.get(f"runs/{run['id']}"))["state"] in FINAL and found)
    assert (ended["state"], ended["reason"]) == ("failed", "cancelled")
    assert described(server.http.get(f"{API}/{name}"))["kind"] == "no_such_task"


@pytest.mark.parametrize(
    ("status", "method", "path", "body"),
    [
        (404, "get", "none", None),
        (404, "delete", "none", None),
        (404, "get", "none/runs", None),
        (404, "get", "none/runs/1", None),
        (404, "get", "a%2Fb%205%25/runs/999999", None),
        (404, "post", "none/run", b""),
        (400, "get", "a%2Fb%205%25/runs?limit=some", None),
        (400, "post", "a%2Fb%205%25/cancel", b"[]"),
        (400, "post", "a%2Fb%205%25/cancel", b"no json"),
        (400, "post", "a%2Fb%205%25/cancel", b'{"wait": 1}'),
        (413, "post", "a%2Fb%205%25/cancel", b'"' + b"x" * 70_000 + b'"'),
    ],
)
@pytest.mark.usefixtures("task")
def test_errors(server: Host, status: int, method: str, path: str, body: bytes | None) -> None:
    answer = server.http.request(method, f"{API}/{path}", content=body)
    assert answer.status_code == status, answer.text
    assert described(answer)["message"]


def test_only_known_orders_and_methods(server: Host, task: str) -> None:
    assert server.http.post(f"{task}/explode").status_code == 400
    assert server.http.put(task, json={}).status_code == 405
    assert server.http.post(API, json={}).status_code == 405


def test_login_and_xsrf(server: Host, task: str) -> None:
    stranger = type(server.http)(base_url=server.url, headers={"Authorization": "token wrong"})
    for method, path in (("get", API), ("get", task), ("post", f"{task}/run"), ("delete", task)):
        assert stranger.request(method, path).status_code == 403
    browser = type(server.http)(base_url=server.url)
    browser.get("login").raise_for_status()  # sets the cookie `_xsrf`
    browser.get("api/status", params={"token": server.token}).raise_for_status()
    assert browser.get(API).status_code == 200
    assert browser.post(f"{task}/run").status_code == 403
    assert browser.delete(task).status_code == 403
    xsrf = {"X-XSRFToken": browser.cookies["_xsrf"]}
    assert browser.post(f"{task}/pause", headers=xsrf).status_code == 200


def test_changes_are_told_as_events(server: Host, link: Link, folder: Path) -> None:
    async def run() -> None:
        address = server.url.replace("http", "ws") + "api/events/subscribe"
        request = HTTPRequest(address, headers={"Authorization": f"token {server.token}"})
        socket = await websocket_connect(request)

        async def event(fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
            async with asyncio.timeout(20):
                while True:
                    data = json.loads(await socket.read_message())
                    if data["schema_id"] == "urn:nbsession:changes:v1" and fits(data):
                        assert "secret" not in str(data)
                        return data

        posted = declaration(folder, "told", period="1h", args=())
        posted["spec"]["kwargs"] = {}
        await asyncio.to_thread(link.post, "tasks", posted)
        data = await event(lambda data: any(run["state"] == "failed" for run in data["runs"]))
        [failed] = [run for run in data["runs"] if run["state"] == "failed"]
        assert failed["error"] == "ValueError: no good"
        for task in data["tasks"]:
            validate(SPEC["components"]["schemas"]["Task"], task)
        for each in data["runs"]:
            validate(SPEC["components"]["schemas"]["Run"], each)
        await asyncio.to_thread(link.post, "tasks/told/cancel", {})
        assert "told" in (await event(lambda data: data["removed"]))["removed"]
        socket.close()

    asyncio.run(run())
