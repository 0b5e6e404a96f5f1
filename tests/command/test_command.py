"""`jupyter nbsession`, as typed, against real servers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hosts import Host
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.server

SCRIPT = """
from nbsession import state

def greet(name="Ada"):
    print("hello", name)

def fail():
    raise ValueError("no such city")

if __name__ == "__main__":
    state.schedule_task("greet", greet, cron="0 9 * * mon", tz="Europe/Berlin")
    state.schedule_task("bad one/ü", fail, period="90m")
"""


class Jupyter:
    """The command, as this server's user gives it."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def __call__(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            [Path(sys.executable).with_name("jupyter"), "nbsession", *words],
            env=self.host.environment,
            cwd=self.host.root,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))


@pytest.fixture(scope="module", params=["server", "voila"])
def jupyter(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Jupyter]:
    home = tmp_path_factory.mktemp(request.param)
    (home / "setup.py").write_text(SCRIPT)
    host = Host(request.param, home, f"--NBSession.setup={home / 'setup.py'}")
    try:
        host.wait_ready()
        jupyter = Jupyter(host)
        eventually(lambda: len(jupyter.json("tasks")) == 2, what="the setup script has run")
        yield jupyter
    finally:
        host.stop()


def test_list(jupyter: Jupyter) -> None:
    head, first, second = jupyter("tasks", "list").splitlines()
    assert head.split() == ["NAME", "SCHEDULE", "STATE", "NEXT", "LAST", "RUNS", "ERRORS"]
    assert first.startswith("bad one/ü")
    assert "every 1h30m" in first
    assert second.startswith("greet")
    assert "0 9 * * mon" in second
    assert "Europe/Berlin" in second
    assert {task["name"] for task in jupyter.json("tasks", "list")} == {"bad one/ü", "greet"}


def test_run_and_show(jupyter: Jupyter) -> None:
    printed = jupyter("tasks", "run", "greet", "--wait")
    assert "hello Ada" in printed
    assert "succeeded" in printed
    shown = jupyter("tasks", "show", "greet")
    assert "by hand" in shown
    assert "greet" in shown
    task = jupyter.json("tasks", "show", "greet")
    assert task["runs"][0]["state"] == "succeeded"
    assert task["run_count"] == 1


def test_a_run_that_fails(jupyter: Jupyter) -> None:
    printed = jupyter("tasks", "run", "bad one/ü", "--wait", code=1)
    assert "ValueError: no such city" in printed
    assert "Traceback" in printed
    assert "ValueError: no such city" in jupyter("tasks", "show", "bad one/ü")


def test_pause_and_resume(jupyter: Jupyter) -> None:
    jupyter("tasks", "pause", "greet")
    [task] = [task for task in jupyter.json("tasks") if task["name"] == "greet"]
    assert (task["state"], task["next_run"]) == ("paused", None)
    jupyter("tasks", "resume", "greet")
    [task] = [task for task in jupyter.json("tasks") if task["name"] == "greet"]
    assert task["state"] == "scheduled"
    assert task["next_run"] is not None


def test_cancel(jupyter: Jupyter) -> None:
    jupyter("tasks", "cancel", "bad one/ü")
    assert [task["name"] for task in jupyter.json("tasks")] == ["greet"]
    assert "no task named" in jupyter("tasks", "show", "bad one/ü", code=1)


def test_doctor(jupyter: Jupyter) -> None:
    checks = {check["part"]: check for check in jupyter.json("doctor")}
    assert checks["server extension"]["verdict"] == "good"
    assert checks["JupyterLab extension"]["verdict"] == "good"
    assert checks["Voilà"]["verdict"] == "good"
    app = "voila" if jupyter.host.app == "voila" else "jupyter_server"
    server = f"{app} {jupyter.host.process.pid}"
    assert checks[server]["verdict"] == "good"
    assert "setup.py" in checks[f"{server} worker"]["found"]
    assert jupyter.host.url.rstrip("/") in checks[server]["found"]
    assert f"ok  {server}" in jupyter("doctor")


def test_the_wrong_server_is_told(jupyter: Jupyter) -> None:
    pid = str(jupyter.host.process.pid)
    assert jupyter("tasks", "list", "--server", pid)
    told = jupyter("tasks", "list", "--server", "1", code=1)
    assert "--server" in told
    assert pid in told


ODD = ["-v", "--json", "--x=1", "-h", "-", "a/b?c#d%2F", "日本 x"]


def test_tasks_with_odd_names(tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text(
        "from nbsession import state\n\ndef work():\n    print('worked')\n\n"
        f"for name in {ODD!r}:\n    state.schedule_task(name, work, period='1h', at=None)\n"
    )
    host = Host("server", tmp_path / "home", f"--NBSession.setup={tmp_path / 'setup.py'}")
    try:
        host.wait_ready()
        jupyter = Jupyter(host)
        eventually(lambda: len(jupyter.json("tasks")) == len(ODD), what="the script has run")
        for name in ODD:
            marked = ["--", name] if name in ("--json", "-h") else [name]
            assert "worked" in jupyter("tasks", "run", "--wait", *marked)
            assert name in jupyter("tasks", "show", *marked)
        assert jupyter("tasks", "pause", "-v") == "-v: paused\n"
        assert jupyter("tasks", "resume", "-v") == "-v: resumed\n"
        assert jupyter("tasks", "cancel", "-v") == "-v: cancelled\n"
        assert "no task named" in jupyter("tasks", "show", "-v", code=1)
        assert "begins with a hyphen" in " ".join(jupyter("tasks", "show", "--help").split())
    finally:
        host.stop()


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Jupyter]:
    host = Host("server", tmp_path / "home")
    host.wait_ready()
    host.stop()
    host.tmp.mkdir()
    yield Jupyter(host)
    host.tmp.rmdir()


def test_without_a_server(stopped: Jupyter) -> None:
    assert "no server with nbsession is running" in stopped("tasks", code=1)
    assert "none is running" in stopped("doctor")


def test_doctor_tells_what_is_switched_off(stopped: Jupyter) -> None:
    config = stopped.host.home / "config"
    (config / "jupyter_server_config.d").mkdir(parents=True)
    (config / "jupyter_server_config.d" / "off.json").write_text(
        json.dumps({"ServerApp": {"jpserver_extensions": {"nbsession": False}}})
    )
    (config / "voila.json").write_text(
        json.dumps({"VoilaConfiguration": {"multi_kernel_manager_class": "mine.Manager"}})
    )
    stopped.host.environment["JUPYTER_PREFER_ENV_PATH"] = "0"  # else the venv's files count more
    told = stopped("doctor", code=1)
    assert "jupyter server extension enable nbsession" in told
    assert "mine.Manager" in told
