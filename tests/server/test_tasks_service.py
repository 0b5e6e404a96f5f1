"""When a server's scheduler is made, where it keeps tasks, and which of them it may run."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from described import described
from linked_tasks import any_link, declaration, history, wait_for_runs, write_jobs
from nbsession.core.errors import StoreBusyError
from nbsession.core.tasks.spec import Home, TaskSpec
from nbsession.scheduler.engine.store_writer import patiently
from nbsession.server.tasks import RunnableHomes, configured_database
from setup_scripts import workers
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from hosts import Host

server_test = pytest.mark.server

API = "nbsession/api/tasks"
JOBS = "def work():\n    print('done')\n"


def _kept(host: Host) -> list[Path]:
    return [path for path in (host.home / "data").glob("nbsession/**/*") if path.is_file()]


@server_test
def test_none_without_tasks(start_host: Callable[..., Host]) -> None:
    host = start_host("server")
    link = any_link(host)
    assert described(host.http.get(API))["tasks"] == []
    assert link.get("tasks") == {"tasks": []}
    assert link.get("runs/1") is None
    assert host.http.get(f"{API}/none").status_code == 404
    assert _kept(host) == []
    assert workers(host) == []


def test_what_a_server_imports() -> None:
    code = (
        "import sys, nbsession.server.extension, nbsession.server.voila\n"
        "late = ('nbsession.scheduler.engine.engine', 'nbsession.scheduler.workers.executor',"
        " 'nbsession.scheduler.stores.sqlite.store', 'nbsession.core.schedule.triggers',"
        " 'croniter', 'ipywidgets', 'anywidget')\n"
        "print([name for name in late if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert printed.stdout.strip() == b"[]"


@server_test
def test_tasks_outlive_the_server(tmp_path: Path, start_host: Callable[..., Host]) -> None:
    home = tmp_path / "h"
    folder = write_jobs(home / "root", JOBS)
    first = start_host("server", home=home)
    link = any_link(first)
    link.post("tasks", declaration(folder, "hourly", period="1h"))
    link.post("tasks", declaration(folder, "paused", period="1h"))
    link.post("tasks/paused/pause", {})
    [run] = wait_for_runs(link, "hourly", 1, lambda run: run["state"] == "succeeded")
    before = link.get("tasks/hourly")
    first.stop()

    second = start_host("server", home=home)
    after = described(second.http.get(f"{API}/hourly"))
    assert after["next_run"] == before["next_run"], "the stored grid goes on"
    assert (after["state"], after["run_count"]) == ("scheduled", 1)
    assert described(second.http.get(f"{API}/paused"))["state"] == "paused"
    assert history(any_link(second), "hourly") == [run]
    assert workers(second) == [], "nothing is due"


@server_test
@pytest.mark.parametrize("database", [":memory:", "folder"])
def test_tasks_that_are_not_kept(
    tmp_path: Path, start_host: Callable[..., Host], database: str
) -> None:
    home = tmp_path / "h"
    folder = write_jobs(home / "root", JOBS)
    (home / "root" / "folder").mkdir()
    host = start_host("server", f"--NBSession.database={database}", home=home)
    link = any_link(host)
    link.post("tasks", declaration(folder, "once"))
    wait_for_runs(link, "once", 1, lambda run: run["state"] == "succeeded")
    problem = described(host.http.get(API))["problem"]
    if database == "folder":
        assert str(folder / "folder") in problem
        assert f"nbsession: {problem}" in host.log
    else:
        assert problem is None
    assert _kept(host) == []


def test_where_tasks_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    usual = configured_database("", str(tmp_path / "project"))
    assert usual is not None
    assert usual.is_relative_to(tmp_path / "data" / "nbsession")
    assert usual == configured_database("", f"{tmp_path}/project/")
    assert usual != configured_database("", str(tmp_path / "other"))
    assert configured_database(":memory:", str(tmp_path)) is None
    assert configured_database("mine.db", "/somewhere") == tmp_path / "mine.db"
    assert configured_database("~/mine.db", "/somewhere") == Path("~/mine.db").expanduser()


@pytest.mark.parametrize(
    ("home", "python", "runs"),
    [
        (None, None, False),
        (Home(sys.executable, "HERE"), None, True),
        (Home(sys.executable, "HERE", "HERE/mine.py"), None, True),
        (Home(sys.executable, "HERE", "HERE/other.py"), None, False),
        (Home(sys.executable, "HERE/gone"), None, False),
        (Home(sys.executable, f"/{'x' * 300}"), None, False),
        (Home("/not/there", "HERE"), None, False),
        (Home("/not/there", "HERE"), sys.executable, True),
    ],
    ids=str,
)
def test_what_can_run_here(
    tmp_path: Path, home: Home | None, python: str | None, runs: bool
) -> None:
    homes = RunnableHomes([f"{tmp_path}/mine.py"], python)
    if home is not None:
        setup = home.setup and home.setup.replace("HERE", str(tmp_path))
        home = Home(home.python, home.folder.replace("HERE", str(tmp_path)), setup)
    posted = declaration(tmp_path, "task", period="1h")["spec"]
    spec = TaskSpec.from_json({**posted, "home": home and home.to_json()})
    assert homes.can_run(spec) is runs


def test_patience_with_a_database_that_others_hold() -> None:
    answers = [StoreBusyError("held"), StoreBusyError("held"), "there"]

    def ask() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert asyncio.run(patiently(ask)) == "there"


@server_test
def test_a_server_hears_of_the_first_task_of_another(
    tmp_path: Path, start_host: Callable[..., Host]
) -> None:
    """A task that one server makes is there for the other, which had none when it started."""
    home = tmp_path / "h"
    folder = write_jobs(home / "root", JOBS)
    idle, busy = (start_host("server", home=home) for _ in range(2))
    link = any_link(busy)
    link.post("tasks", declaration(folder, "shared", period="1h"))
    eventually(lambda: [task["name"] for task in idle.http.get(API).json()["tasks"]] == ["shared"])
    wait_for_runs(link, "shared", 1, lambda run: run["state"] == "succeeded")
    idle.http.post(f"{API}/shared/run").raise_for_status()
    wait_for_runs(link, "shared", 2, lambda run: run["state"] == "succeeded")
