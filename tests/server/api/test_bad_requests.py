"""Requests that mean nothing are refused with a message, and never as a failure of the server's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest

from described import described
from hosts import Host
from linked_tasks import declaration, write_jobs
from nbsession.core.environment import take_link
from nbsession.core.link_http import PROTOCOL, PROTOCOL_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.server

DEEP = b"[" * 50_000
REPLIES = """
kernel = get_ipython().kernel

async def answer(stream, ident, parent):
    kind = parent["content"]["action"]
    if kind == "describe":
        reply = {"status": "ok", "callbacks": [{"id": "0", "name": "x" * 2_000_000}], "tasks": []}
    else:
        reply = {"status": "error", "message": "no\\x1b[31m\\nforged line"}
    session = kernel.session
    if kind == "callback":
        parts = session.serialize(session.msg("nbsession_reply", reply, parent=parent), ident)
        parts[parts.index(b"<IDS|MSG>") + 1] = b"0" * 64
        stream.send_multipart(parts)
    else:
        session.send(stream, "nbsession_reply", reply, parent=parent, ident=ident)

kernel.control_handlers["nbsession_request"] = answer
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    host = Host("server", tmp_path_factory.mktemp("bad"))
    try:
        yield host.wait_ready()
    finally:
        host.stop()


@pytest.fixture(scope="module")
def kernel(host: Host) -> str:
    kernel = host.start_kernel("notebooks/x.ipynb")
    host.run(kernel, REPLIES)
    return kernel


@pytest.fixture(scope="module")
def link(host: Host, kernel: str) -> Iterator[httpx.Client]:
    """What a kernel's code can do with its own token."""
    address = take_link(host.environment_of(kernel))
    assert address is not None
    with httpx.Client(
        base_url=f"http://link/kernels/{kernel}/",
        transport=httpx.HTTPTransport(uds=address.url.removeprefix("unix:")),
        headers={"Authorization": f"Bearer {address.token}", PROTOCOL_HEADER: str(PROTOCOL)},
    ) as client:
        yield client


def _refused(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["kind"]) == (400, "bad_request"), answer.text
    assert answer.json()["message"]


@pytest.mark.parametrize("seconds", ["abc", "nan", "-1"])
def test_seconds(link: httpx.Client, seconds: str) -> None:
    _refused(link.get("session", params={"until": "page", "seconds": seconds}))


@pytest.mark.parametrize("path", ["log", "expiration", "news", "tasks", "tasks/none/cancel"])
@pytest.mark.parametrize(
    "body", [b"no json", b"\xff", b"[]", DEEP, b'{"x": NaN}'], ids=lambda body: str(body[:8])
)
def test_bodies(link: httpx.Client, path: str, body: bytes) -> None:
    _refused(link.post(path, content=body))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("log", {}),
        ("log", {"level": "info"}),
        ("log", {"level": "loud", "message": "x"}),
        ("log", {"level": 1, "message": "x"}),
        ("log", {"level": "info", "message": 1}),
        ("expiration", {}),
        ("expiration", {"blocked": 1}),
        ("expiration", {"blocked": None}),
    ],
)
def test_members(link: httpx.Client, path: str, body: dict[str, Any]) -> None:
    _refused(link.post(path, json=body))


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("home python", "/srv/\ud800"),
        ("home python", "bin/python"),
        ("home folder", "relative"),
        ("home folder", "/srv/\ud800"),
        ("target module", "jobs\x1b[31m"),
        ("target qualname", "work\n"),
        ("name", " spaces around "),
        ("name", "."),
        ("name", ".."),
        ("args", [[[1e999]]]),
        ("args", json.loads("[" * 200 + "]" * 200)),
        ("kwargs", {"x": json.loads("[" * 200 + "]" * 200)}),
        ("trigger kind", json.loads("[" * 200 + "]" * 200)),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_declarations(link: httpx.Client, host: Host, where: str, value: Any) -> None:
    posted = declaration(_folder(host), "wrong", period="1h")
    *parents, last = where.split()
    place = posted["spec"]
    for parent in parents:
        place = place[parent]
    place[last] = value
    # As a kernel can write it: half a character, and a number that no float holds.
    body = json.dumps(posted).replace("Infinity", "1e999")
    _refused(link.post("tasks", content=body.encode()))


def _folder(host: Host) -> Path:
    return write_jobs(host.root, "def work():\n    pass\n")


def test_a_kernel_that_answers_by_what_is_not_signed(host: Host, kernel: str) -> None:
    url = f"nbsession/api/sessions/{kernel}"
    headers = {"X-Tag": "secret-header", "Cookie": "sid=secret-cookie"}
    answer = host.http.post(f"{url}/callbacks/0", json={"running": True}, headers=headers)
    assert answer.status_code == 504
    assert described(answer)["kind"] == "silent_kernel"
    assert "cannot be read" in answer.json()["message"]
    assert "secret-" not in host.log
    assert "Traceback" not in host.log


def test_a_kernel_that_tells_too_much(host: Host, kernel: str) -> None:
    assert described(host.http.get(f"nbsession/api/sessions/{kernel}"))["callbacks"] == []
    assert "Traceback" not in host.log


def test_what_a_kernel_says_forges_no_line_of_the_log(host: Host, kernel: str) -> None:
    answer = host.http.post(f"nbsession/api/sessions/{kernel}/tasks/x/run")
    assert (answer.status_code, answer.json()["message"]) == (400, "no\x1b[31m\nforged line")
    assert "\\x1b[31m\\nforged line" in host.log
    assert "\nforged" not in host.log


@pytest.mark.parametrize("body", [b"\xff", b"[" * 60_000], ids=["no text", "deep"])
def test_bodies_over_rest(host: Host, body: bytes) -> None:
    for path in ("tasks/none/cancel", "sessions/none/callbacks/0"):
        answer = host.http.post(f"nbsession/api/{path}", content=body)
        assert answer.status_code == 400
        assert described(answer)["message"]


def test_names_that_are_other_places(link: httpx.Client) -> None:
    assert link.get(f"tasks/{quote('a/..', safe='')}").json()["kind"] == "no_such_task"
