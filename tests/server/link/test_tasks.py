"""Tasks over the link: what kernels and the owner may ask and order."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest

from linked_tasks import (
    any_link,
    declaration,
    ended,
    history,
    owner_of,
    wait_for_runs,
    write_jobs,
)
from nbsession.core.environment import __version__
from nbsession.core.errors import LinkError
from nbsession.core.link_http import PROTOCOL, PROTOCOL_HEADER
from waiting import eventually

if TYPE_CHECKING:
    from hosts import Host
    from nbsession.kernel.link.client import Link

pytestmark = pytest.mark.server

JOBS = """
import time

def work(text="done"):
    print(text)

def fail():
    raise ValueError("no good")

def hold(path):
    while not __import__("os").path.exists(path):
        time.sleep(0.01)
"""


@pytest.fixture(scope="module")
def folder(server: Host) -> Path:
    return write_jobs(server.root, JOBS)


@pytest.fixture(scope="module")
def link(server: Host, folder: Path) -> Link:
    return any_link(server)


def test_once_now(link: Link, folder: Path) -> None:
    made = link.post("tasks", declaration(folder, "once", args=("hello",)))
    assert made["outcome"] == "made"
    assert made["task"]["callback"] == "jobs:work"
    [run] = wait_for_runs(link, "once", 1, lambda run: run["state"] == "succeeded")
    assert run["output"] == "hello\n"
    task = link.get("tasks/once")
    assert (task["state"], task["next_run"], task["run_count"]) == ("finished", None, 1)
    assert "once" in [each["name"] for each in link.get("tasks")["tasks"]]


def test_the_same_again_and_another(link: Link, folder: Path) -> None:
    hourly = declaration(folder, "again", period="1h", at=None)
    assert link.post("tasks", hourly)["outcome"] == "made"
    assert link.post("tasks", hourly)["outcome"] == "same"
    other = declaration(folder, "again", period="2h")
    assert link.post("tasks", other)["outcome"] == "exists"
    assert link.get("tasks/again")["schedule"] == {"period": "1h"}
    assert link.post("tasks", {**other, "replace": True})["outcome"] == "replaced"
    assert link.get("tasks/again")["schedule"] == {"period": "2h"}


def test_twenty_kernels_at_once_make_one_task(link: Link, folder: Path) -> None:
    posted = declaration(folder, "shared", period="1h")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: link.post("tasks", posted), range(20)))
    assert sorted(answer["outcome"] for answer in answers) == ["made"] + ["same"] * 19
    wait_for_runs(link, "shared", 1, lambda run: run["state"] == "succeeded")
    assert len(history(link, "shared")) == 1


def test_actions(link: Link, folder: Path) -> None:
    name = "50%/a b ünï"
    path = f"tasks/{quote(name, safe='')}"
    link.post("tasks", declaration(folder, name, "fail", period="1h"))
    eventually(lambda: link.get(path)["run_count"] == 1)
    assert link.post(f"{path}/pause", {})["state"] == "paused"
    assert link.get(path)["next_run"] is None
    assert link.post(f"{path}/resume", {})["next_run"] is not None
    run = ended(link, link.post(f"{path}/run", {}))
    assert (run["state"], run["due"], run["error"]) == ("failed", None, "ValueError: no good")
    assert "jobs.py" in run["traceback"]
    assert link.get(path)["error_count"] == 2
    assert link.get(f"{path}/runs?limit=1")["runs"][0]["id"] == run["id"]
    link.post(f"{path}/cancel", {"wait": True})
    assert _status(link, "get", path) == (404, "no_such_task")


def test_a_held_answer_comes_when_the_run_ends(link: Link, folder: Path, tmp_path: Path) -> None:
    link.post(
        "tasks", declaration(folder, "hold", "hold", period="1h", args=(str(tmp_path / "x"),))
    )
    [run] = wait_for_runs(link, "hold", 1, lambda run: run["state"] == "running")
    assert link.get(f"runs/{run['id']}")["state"] == "running"
    with ThreadPoolExecutor() as pool:
        held = pool.submit(link.get, f"runs/{run['id']}?seconds=50", 50)
        assert link.get("tasks/hold")["state"] == "running"
        (tmp_path / "x").touch()
        assert held.result()["state"] == "succeeded"
    assert link.get("runs/999999?seconds=50", 50) is None


def _status(link: Link, method: str, path: str, *body: Any) -> tuple[int, str]:
    with pytest.raises(LinkError) as refused:
        getattr(link, method)(path, *body)
    return refused.value.status, refused.value.kind


def _changed(posted: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a declaration with other members, dotted in the names' way: ``home__folder``."""
    changed = json.loads(json.dumps(posted))
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = changed["spec"]
        for parent in parents:
            place = place[parent]
        place[last] = value
    return changed


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": 5},
        {"name": "x" * 201},
        {"name": "a\x07b"},
        {"target__kind": "setup"},
        {"target__kind": "local"},
        {"target__module": None},
        {"target": None},
        {"trigger": {"kind": "period"}},
        {"trigger": {"kind": "code"}},
        {"trigger": []},
        {"home": None},
        {"home__setup": "/somewhere/tasks.py"},
        {"home__folder": "/not/there"},
        {"home__folder": 7},
        {"home__python": "/not/there/python"},
        {"home__python": ""},
        {"policies__overlap": "perhaps"},
        {"policies__timeout_us": -1},
        {"policies__retries": "many"},
        {"policies__unheard_of": 1},
        {"kwargs": [1]},
        {"args": 5},
        {"at_target": {"kind": "import", "module": "jobs", "qualname": "work"}},
    ],
    ids=str,
)
def test_no_task(link: Link, folder: Path, changes: dict[str, Any]) -> None:
    posted = _changed(declaration(folder, "wrong", period="1h"), **changes)
    assert _status(link, "post", "tasks", posted) == (400, "bad_request")


def test_bad_requests(link: Link, folder: Path) -> None:
    posted = declaration(folder, "wrong", period="1h")
    for body in ({}, {"spec": []}, {**posted, "replace": 1}):
        assert _status(link, "post", "tasks", body) == (400, "bad_request")
    link.post("tasks", declaration(folder, "there", period="1h"))
    for path in ("there/runs?limit=0", "there/runs?limit=x", "there/runs?limit=-1"):
        assert _status(link, "get", f"tasks/{path}") == (400, "bad_request")
    assert _status(link, "post", "tasks/there/explode", {}) == (400, "bad_request")
    assert _status(link, "post", "tasks/there/cancel", {"wait": "yes"}) == (400, "bad_request")
    assert _status(link, "get", "runs/1?seconds=soon") == (400, "bad_request")
    for order in ("pause", "resume", "run", "cancel"):
        assert _status(link, "post", f"tasks/none/{order}", {}) == (404, "no_such_task")
    assert "wrong" not in [task["name"] for task in link.get("tasks")["tasks"]]


def test_arguments_as_large_as_they_may_be(link: Link, folder: Path) -> None:
    link.post("tasks", declaration(folder, "large", period="1h", args=("x" * 900_000,)))
    too_large = declaration(folder, "larger", period="1h", args=("x" * 1_100_000,))
    with pytest.raises(LinkError):
        link.post("tasks", too_large)
    assert link.get("tasks/large")["name"] == "large"


# -- the owner -----------------------------------------------------------------------------------


def test_the_owner_gets_in_by_a_file_for_no_one_else(
    server: Host, link: Link, folder: Path
) -> None:
    [path] = server.runtime.glob("nbsession-*.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    facts, owner = owner_of(server)
    assert facts["pid"] == server.process.pid
    assert (facts["app"], facts["root"]) == ("jupyter_server", str(server.root))
    assert (facts["url"], server.token in path.read_text()) == (server.url, False)
    link.post("tasks", declaration(folder, "of the owner", period="1h"))
    names = [task["name"] for task in owner.get("tasks").json()["tasks"]]
    assert "of the owner" in names
    assert owner.post("tasks/of%20the%20owner/pause", json={}).json()["state"] == "paused"
    status = owner.get("status").json()
    assert (status["version"], status["problem"]) == (__version__, None)
    assert status["tasks"] == len(names)
    assert Path(status["database"]).is_file()
    assert [session["linked"] for session in status["sessions"]] == [True]
    assert [worker["problem"] for worker in status["workers"]] == [None]
    assert owner.get("tasks", headers={"Authorization": "Bearer guess"}).status_code == 403
    for path in ("session", "news", "log"):
        assert owner.get(path).status_code == 404


def test_kernels_do_not_get_the_owners_answers(server: Host, link: Link) -> None:
    kernel_id, token = link._address.kernel_id, link._address.token
    transport = httpx.HTTPTransport(uds=link._address.url.removeprefix("unix:"))
    client = httpx.Client(
        base_url="http://link",
        transport=transport,
        headers={"Authorization": f"Bearer {token}", PROTOCOL_HEADER: str(PROTOCOL)},
    )
    assert client.get("/owner/status").status_code == 403
    assert client.get("/owner/tasks").status_code == 403
    assert client.get(f"/kernels/{kernel_id}/tasks").status_code == 200
    assert client.get(f"/kernels/{kernel_id}/status").status_code == 404
