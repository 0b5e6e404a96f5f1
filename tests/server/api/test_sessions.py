"""Sessions over REST: their rows, and actions in their kernels."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from described import described
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hosts import Host

pytestmark = pytest.mark.server

API = "nbsession/api/sessions"

ANSWERS = """
kernel = get_ipython().kernel
row = dict(id="0", name="tick", period=500, running=True, counter=3, count=None, timeout=None,
           skipped=0, last_error=None)

async def answer(stream, ident, parent):
    request = parent["content"]
    reply = {"status": "ok", "callbacks": [row], "tasks": []}
    if request["action"] == "callback" and request["id"] != "0":
        reply = {"status": "error", "kind": "no_such_callback", "message": "no callback 7 is there"}
    elif request["action"] == "callback":
        row.update(request["set"])
    elif request["action"] == "task":
        reply = {"status": "error", "kind": "bad_request", "message": repr(sorted(request.items()))}
    kernel.session.send(stream, "nbsession_reply", reply, parent=parent, ident=ident)

kernel.control_handlers["nbsession_request"] = answer
"""
"""A kernel's side, said in short: what the server makes of its replies is looked at here."""


@pytest.fixture(scope="module")
def kernel(server: Host) -> str:
    headers = {"Cookie": "sid=secret-cookie", "X-Tag": "secret-header"}
    kernel = server.start_kernel("notebooks/x.ipynb?key=secret-query", headers)
    server.run(kernel, ANSWERS)
    return kernel


def _post_report(server: Host, kernel: str, name: str = "beat") -> dict[str, object]:
    row = {"id": "1", "name": name, "period": 100, "running": False, "counter": 0}
    server.link_of(kernel).post("news", {"callbacks": [row], "tasks": []})
    return row


def test_list(server: Host, kernel: str) -> None:
    row = _post_report(server, kernel)
    answer = server.http.get(API)
    listed = described(answer)
    [session] = [each for each in listed["sessions"] if each["kernel_id"] == kernel]
    assert session["callbacks"] == [row]
    assert (session["host_kind"], session["app_url"]) == ("notebook", "/notebooks/x.ipynb")
    assert session["linked"] is True
    assert listed["writable"] is True
    assert "secret" not in answer.text


def test_a_session_as_it_is_now_also_while_a_cell_runs(server: Host, kernel: str) -> None:
    _post_report(server, kernel)
    with ThreadPoolExecutor() as pool, server.client(kernel) as client:
        client.execute("import time; time.sleep(3)")
        found = list(pool.map(lambda _: server.http.get(f"{API}/{kernel}"), range(4)))
    assert [described(each)["callbacks"][0]["name"] for each in found] == ["tick"] * 4


def test_one_that_does_not_answer(server: Host) -> None:
    kernel = server.start_kernel("lab/tree/silent.ipynb", path="silent.ipynb")
    session = described(server.http.get(f"{API}/{kernel}"))
    assert (session["callbacks"], session["linked"]) == ([], False)
    answer = server.http.post(f"{API}/{kernel}/callbacks/0", json={"running": True})
    assert answer.status_code == 504
    assert "has not loaded nbsession" in described(answer)["message"]


def test_callbacks(server: Host, kernel: str) -> None:
    def post(callback: str, body: object, status: int) -> dict[str, object]:
        answer = server.http.post(f"{API}/{kernel}/callbacks/{callback}", json=body)
        assert answer.status_code == status, answer.text
        return described(answer)

    assert post("0", {"running": False}, 200)["callbacks"][0]["running"] is False
    assert post("0", {"period": 40}, 200)["callbacks"][0]["period"] == 40
    assert post("7", {"running": False}, 404)["message"] == "no callback 7 is there"
    for wrong in ({}, [], "x", {"running": 1}, {"period": True}, {"running": True, "period": 1}):
        assert post("0", wrong, 400)["kind"] == "bad_request"
    assert post("0", {"running": "x" * 70_000}, 413)


def test_tasks_of_a_kernel(server: Host, kernel: str) -> None:
    answer = server.http.post(f"{API}/{kernel}/tasks/50%25%2Fa%20b/pause")
    expected = "[('action', 'task'), ('name', '50%/a b'), ('order', 'pause')]"
    assert described(answer) == {"kind": "bad_request", "message": expected}
    assert server.http.post(f"{API}/{kernel}/tasks/x/explode").status_code == 400


@pytest.mark.parametrize("path", ["", "/callbacks/0", "/tasks/x/run"])
def test_no_such_session(server: Host, path: str) -> None:
    send = server.http.post if path else server.http.get
    answer = send(f"{API}/none{path}", **({"json": {"running": True}} if path else {}))
    assert answer.status_code == 404
    assert described(answer)["kind"] == "no_such_session"


def test_news_that_are_none(server: Host, kernel: str) -> None:
    link = server.link_of(kernel)
    for wrong in ({"callbacks": 1}, {"tasks": [1]}, {"callbacks": {}}):
        with pytest.raises(OSError, match="lists of objects"):
            link.post("news", wrong)


def test_what_an_ended_kernel_told_is_gone(server: Host) -> None:
    kernel = server.start_kernel("lab/tree/ends.ipynb", path="ends.ipynb")
    _post_report(server, kernel)

    def callbacks() -> list[object]:
        sessions = described(server.http.get(API))["sessions"]
        return [each["callbacks"] for each in sessions if each["kernel_id"] == kernel]

    assert callbacks() != [[]]
    server.http.post(f"api/kernels/{kernel}/restart").raise_for_status()
    assert callbacks() == [[]]
    server.http.delete(f"api/kernels/{kernel}").raise_for_status()
    eventually(lambda: callbacks() == [])


READ_ONLY = """
from jupyter_server.auth import Authorizer

class ReadOnly(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        return resource != "nbsession" or action == "read"
"""


def test_a_user_who_may_only_read(tmp_path: Path, start_host: Callable[..., Host]) -> None:
    (tmp_path / "leave.py").write_text(READ_ONLY)
    host = start_host(
        "server",
        "--ServerApp.authorizer_class=leave.ReadOnly",
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert described(host.http.get(API))["writable"] is False
    assert described(host.http.get("nbsession/api/tasks"))["writable"] is False
    for path in ("sessions/x/callbacks/0", "sessions/x/tasks/t/run", "tasks/t/pause"):
        answer = host.http.post(f"nbsession/api/{path}", json={"running": True})
        assert answer.status_code == 403
        described(answer)
    assert host.http.delete("nbsession/api/tasks/t").status_code == 403
