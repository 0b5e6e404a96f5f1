"""Setup scripts: before any session, for every session, and never in the server's way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx
import pytest

from linked_tasks import owner_of
from setup_scripts import SEES_SESSIONS, SetupScript, workers
from visitors import write_notebook
from waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from hosts import Host

pytestmark = pytest.mark.server

StartHost = Callable[..., "Host"]

TICKS = """
def make():
    number = 0
    def tick():
        nonlocal number
        number += 1
        note("tick", number)
    return tick

state.schedule_task("tick", make(), period="100ms")
note("ran")
"""


@pytest.fixture
def script(tmp_path: Path) -> SetupScript:
    return SetupScript(tmp_path / "project" / "tasks.py")


def test_tasks_and_hooks(script: SetupScript, tmp_path: Path, start_host: StartHost) -> None:
    """Two scripts, one named as users do: relative to the folder the server was started in."""
    other = SetupScript(tmp_path / "h" / "root" / "more.py").write(SEES_SESSIONS + "note('ran')")
    script.write(TICKS + SEES_SESSIONS)
    host = start_host(
        "server",
        script.option,
        "--NBSession.setup=more.py",
        "--KernelManager.autorestart=False",
        home=tmp_path / "h",
    )
    eventually(lambda: len(script.of("tick")) > 2)
    tasks = host.http.get("nbsession/api/tasks").json()["tasks"]
    assert [(task["name"], task["owner"]) for task in tasks] == [("tick", str(script.path))]
    assert tasks[0]["callback"].endswith("make.<locals>.tick")
    numbers = [number for [number] in script.of("tick")]
    assert numbers == list(range(1, len(numbers) + 1)), "a closure keeps what it has"

    killed = host.start_kernel("lab/tree/k.ipynb", {"Cookie": "sid=a"}, "k.ipynb")
    ended = host.start_kernel("lab/tree/e.ipynb", {"Cookie": "sid=b"}, "e.ipynb")
    for each in (script, other):
        eventually(lambda each=each: len(each.of("created")) == 2)
        assert each.of("created") == [[killed, "a"], [ended, "b"]]
        assert len(each.of("ran")) == 1
    host.kernel_process(killed).kill()
    for each in (script, other):
        eventually(lambda each=each: each.of("destroyed") == [[killed, True]])
    host.http.delete(f"api/kernels/{ended}").raise_for_status()
    for each in (script, other):
        eventually(lambda each=each: [ended, True] in each.of("destroyed"))
    assert "sid" not in host.log


def test_it_has_run_before_the_first_session(script: SetupScript, start_host: StartHost) -> None:
    script.write("import time; time.sleep(1.5)\n" + SEES_SESSIONS + "note('ran')")
    host = start_host("lab", script.option)
    kernel = host.start_kernel("lab/tree/x.ipynb")
    eventually(lambda: script.of("created"))
    assert script.notes == [["ran"], ["created", kernel, None]]


def test_one_that_raises_and_is_mended(script: SetupScript, start_host: StartHost) -> None:
    script.write("def wrong():\n    1 / 0\nwrong()")
    host = start_host("server", script.option)
    eventually(lambda: "ZeroDivisionError" in host.log)
    assert str(script.path) in host.log
    assert "in wrong" in host.log
    assert host.http.get("nbsession/api/tasks").json()["tasks"] == []
    assert host.see(host.start_kernel("lab/tree/x.ipynb"), "state.request.host_kind") == "lab"
    script.write(TICKS)
    eventually(lambda: script.of("tick"))


@pytest.mark.parametrize("kind", ["not there", "a folder"])
def test_one_that_is_no_file(tmp_path: Path, start_host: StartHost, kind: str) -> None:
    path = tmp_path / "nothing.py"
    if kind == "a folder":
        path.mkdir()
    host = start_host("server", f"--NBSession.setup={path}")
    eventually(lambda: str(path) in host.log)
    assert host.see(host.start_kernel("lab/tree/x.ipynb"), "state.request.host_kind") == "lab"


def test_an_edit_takes_tasks_off(script: SetupScript, start_host: StartHost) -> None:
    script.write(TICKS + "state.schedule_task('other', make(), period='1h')")
    host = start_host("server", script.option)

    def names() -> list[str]:
        return [task["name"] for task in host.http.get("nbsession/api/tasks").json()["tasks"]]

    eventually(lambda: names() == ["other", "tick"])
    [worker] = workers(host)
    script.write(TICKS.replace("100ms", "50ms"))
    eventually(lambda: names() == ["tick"])
    task = host.http.get("nbsession/api/tasks/tick").json()
    assert task["schedule"] == {"period": "50ms"}
    assert task["run_count"] > 0, "the history is kept by the name"
    eventually(lambda: not worker.is_running())


def test_two_servers_in_one_folder(tmp_path: Path, start_host: StartHost) -> None:
    """Each runs and retires the tasks of its own script only, on one database."""
    root = tmp_path / "h" / "root"
    scripts = [SetupScript(root / f"s{n}.py") for n in range(2)]
    for n, script in enumerate(scripts):
        script.write(TICKS.replace('schedule_task("tick"', f'schedule_task("tick{n}"'))
    hosts = [
        start_host("server", script.option, home=tmp_path / "h") for n, script in enumerate(scripts)
    ]
    for script in scripts:
        eventually(lambda script=script: len(script.of("tick")) > 5)

    def editable(host: Host) -> dict[str, bool]:
        tasks = host.http.get("nbsession/api/tasks").json()["tasks"]
        return {task["name"]: task["editable"] for task in tasks}

    for n, host in enumerate(hosts):
        eventually(lambda host=host: len(editable(host)) == 2)
        assert editable(host) == {"tick0": n == 0, "tick1": n == 1}
        assert len(workers(host)) == 1
    refused = hosts[1].http.post("nbsession/api/tasks/tick0/run")
    assert (refused.status_code, refused.json()["kind"]) == (409, "not_runnable")
    for script in scripts:
        numbers = [number for [number] in script.of("tick")]
        assert numbers == list(range(1, len(numbers) + 1))


def test_voila(script: SetupScript, tmp_path: Path, start_host: StartHost) -> None:
    script.write(TICKS + SEES_SESSIONS)
    notebook = write_notebook(tmp_path / "v" / "root" / "x.ipynb", "print('hello')")
    host = start_host("voila", str(notebook), script.option, home=tmp_path / "v")
    eventually(lambda: len(script.of("tick")) > 2)
    with httpx.Client(base_url=host.url, timeout=60, cookies={"sid": "a"}) as browser:
        browser.get("").raise_for_status()
        eventually(lambda: script.of("created"))
        [[kernel, cookie]] = script.of("created")
        assert cookie == "a"
        xsrf = browser.cookies["_xsrf"]
        browser.post(f"voila/api/shutdown/{kernel}", data={"_xsrf": xsrf}).raise_for_status()
    eventually(lambda: script.of("destroyed") == [[kernel, True]])
    facts, owner = owner_of(host)
    assert (facts["app"], facts["root"]) == ("voila", str(host.root))
    assert [task["name"] for task in owner.get("tasks").json()["tasks"]] == ["tick"]
    [worker] = owner.get("status").json()["workers"]
    assert (worker["setup"], worker["problem"]) == (str(script.path), None)


SEES_QUERY = """
@state.on_session_created
def created(session):
    note("created", session.kernel_id, session.request.query)

@state.on_session_destroyed
def destroyed(session):
    note("destroyed", session.kernel_id, session.request.query)

note("ran")
"""


def test_hooks_see_the_query_of_a_page_in_jupyterlab(
    script: SetupScript, start_host: StartHost
) -> None:
    script.write(SEES_QUERY)
    host = start_host("server", script.option)
    eventually(lambda: script.of("ran"))

    def start(name: str) -> str:
        return host.start_kernel(f"lab/tree/{name}.ipynb", path=f"{name}.ipynb")

    says, silent, short = start("says"), start("silent"), start("short")
    host.http.put(f"nbsession/api/sessions/{says}/page", json={"query": "city=K%C3%B6ln"})
    host.http.delete(f"api/kernels/{short}").raise_for_status()
    eventually(lambda: len(script.of("created")) == 3, 20, "all are told of")
    created = dict(script.of("created"))
    assert created == {says: "city=K%C3%B6ln", silent: "", short: ""}
    eventually(lambda: script.of("destroyed") == [[short, ""]])
    assert script.notes.index(["created", short, ""]) < script.notes.index(["destroyed", short, ""])
