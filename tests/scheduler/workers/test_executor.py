"""Workers that crash, are killed, cannot start, are out of date, or end with their server."""

from __future__ import annotations

import os
import sys
import venv
from typing import TYPE_CHECKING

import psutil
import pytest

from nbsession.core.tasks.spec import Home
from workers import Workers, is_alive, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOBS = """
import asyncio
import ctypes
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nbsession import state


def which():
    print(os.getpid())


def wait_for_file(path):
    while not Path(path).exists():
        time.sleep(0.01)
    print("first version")


def crash():
    ctypes.string_at(0)


async def block_loop():
    time.sleep(60)


def mark(path):
    Path(path).write_text(str(os.getpid()))
    time.sleep(60)


async def note_end(path):
    Path(path).write_text("begun")
    try:
        await asyncio.sleep(60)
    finally:
        Path(path).write_text("ended")


def base():
    print(state.base_url)


def soon(now):
    return now + timedelta(hours=1)


def never(now):
    raise ValueError("no more")


def stuck(now):
    Path("asked").touch()
    time.sleep(60)
"""


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    workers = Workers(tmp_path, base_url="/hub/x/")
    workers.write("jobs.py", JOBS)
    yield workers
    workers.close()


def pid_of(workers: Workers) -> int:
    return int(workers.run("jobs:which")["output"])


def test_an_edit_has_a_fresh_worker_take_over_and_the_old_one_finish(workers, tmp_path):
    path = tmp_path / "go"
    old = pid_of(workers)
    running = workers.begin("jobs:wait_for_file", str(path))
    workers.row(running)
    # As long as before, and within the same second: what Python's bytecode cache would not notice.
    workers.write("jobs.py", JOBS.replace("first version", "other version"))
    # A look at the sources that took long, on a busy machine, is not repeated at once.
    new = wait_for(lambda: (pid := pid_of(workers)) != old and pid)
    path.touch()
    assert workers.end(running)["output"] == "first version\n"
    assert workers.run("jobs:wait_for_file", str(path))["output"] == "other version\n"
    wait_for(lambda: not is_alive(old))
    assert pid_of(workers) == new


def test_a_crash_loses_what_runs_and_nothing_else(workers):
    first = pid_of(workers)
    row = workers.run("jobs:crash")
    assert (row["state"], row["reason"]) == ("lost", "the worker was ended by SIGSEGV")
    assert pid_of(workers) != first
    assert "Fatal Python error: Segmentation fault" in workers.logged()
    assert "in crash" in workers.logged()


def test_a_killed_worker_is_started_again(workers, tmp_path):
    path = tmp_path / "pid"
    name = workers.begin("jobs:mark", str(path), process=True)
    other = workers.begin("jobs:block_loop")
    child = int(wait_for(lambda: path.exists() and path.read_text()))
    pid = workers.kill_worker()
    assert {workers.end(each)["state"] for each in (name, other)} == {"lost"}
    wait_for(lambda: not is_alive(child))
    assert workers.end(name)["reason"] == "the worker was ended by SIGKILL"
    assert pid_of(workers) != pid


def test_where_the_server_is(workers):
    for process in (False, True):
        assert workers.run("jobs:base", process=process)["output"] == "/hub/x/\n"


def test_what_cannot_start_fails_clearly(workers, tmp_path):
    row = workers.run("jobs:which", home=workers.home("/nowhere/python"))
    assert row["state"] == "failed"
    assert "no worker can be started with /nowhere/python" in row["error"]
    gone = Home(sys.executable, str(tmp_path / "gone"))
    assert "is not there" in workers.run("jobs:which", home=gone)["error"]
    assert pid_of(workers)


@pytest.mark.parametrize("part", ["WorkerOutput", "socket.socketpair", "launch_worker"])
@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), RuntimeError("no thread")])
def test_a_server_that_has_nothing_left_to_start_with(workers, monkeypatch, part, error):
    def fail(*_args, **_options):
        raise error

    before = psutil.Process().num_fds()
    with monkeypatch.context() as patched:
        patched.setattr(f"nbsession.scheduler.workers.process.{part}", fail)
        row = workers.run("jobs:which")
    assert row["state"] == "failed"
    assert f"no worker can be started with {sys.executable}: {error}" in row["error"]
    assert psutil.Process().num_fds() == before
    wait_for(lambda: workers.run("jobs:which")["state"] == "succeeded")


def test_a_folder_whose_existence_cannot_be_checked(workers):
    home = Home(sys.executable, f"/{'x' * 300}")
    assert "is not there" in workers.run("jobs:which", home=home)["error"]


def test_a_check_that_fails_is_not_the_last_one(workers, monkeypatch):
    pid_of(workers)
    (slot,) = workers.executor._slots.values()
    checks = []

    def check():
        checks.append(1)
        raise RuntimeError

    monkeypatch.setattr("nbsession.scheduler.workers.executor.CHECK_SECONDS", 0.01)
    monkeypatch.setattr(slot, "check", check)
    wait_for(lambda: len(checks) > 2)


def test_an_environment_without_nbsession(workers, tmp_path):
    venv.create(tmp_path / "venv", with_pip=False)
    row = workers.run("jobs:which", home=workers.home(str(tmp_path / "venv/bin/python")))
    assert row["state"] == "failed"
    assert "has no nbsession" in row["error"]
    assert "-m pip install nbsession==" in row["error"]


def test_an_nbsession_of_another_protocol(workers, tmp_path):
    python = tmp_path / "python"
    python.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c '\n"
        "import socket, sys, time\n"
        "line = socket.socket(fileno=int(sys.argv[-1]))\n"
        'line.sendall(b"{\\"op\\":\\"hello\\",\\"protocol\\":99,\\"version\\":\\"9.9\\"}\\n")\n'
        'line.recv(1)\n\' "$@"\n'
    )
    python.chmod(0o755)
    error = workers.run("jobs:which", home=workers.home(str(python)))["error"]
    assert "is version 9.9" in error
    assert "install one version in both" in error


def test_the_code_of_a_trigger_is_called_in_the_worker(workers):
    spec = _code_spec(workers, "jobs:soon")
    workers.service.schedule(spec, replace=False)
    assert wait_for(lambda: workers.service.show("soon")["next_run"])
    spec = _code_spec(workers, "jobs:never")
    workers.service.schedule(spec, replace=False)
    wait_for(lambda: workers.service.show("never")["last_error"])
    assert "ValueError: no more" in workers.service.show("never")["last_error"]


def test_trigger_code_is_called_again_if_its_retired_worker_dies(workers):
    old = pid_of(workers)
    workers.service.schedule(_code_spec(workers, "jobs:stuck"), replace=False)
    wait_for((workers.folder / "asked").exists)
    workers.write("jobs.py", JOBS.replace("    time.sleep(60)", "    return now + timedelta(1)"))
    new = wait_for(lambda: (pid := pid_of(workers)) != old and pid)
    os.kill(old, 9)
    assert wait_for(lambda: workers.service.show("stuck")["next_run"])
    assert workers.pids() == [new]


def _code_spec(workers: Workers, at: str) -> dict:
    module, qualname = at.split(":")
    return {
        "name": qualname,
        "target": {"kind": "import", "module": module, "qualname": "which"},
        "trigger": {"kind": "code", "code": "callable", "tz": None},
        "args": [],
        "kwargs": {},
        "policies": {},
        "home": workers.home().to_json(),
        "at_target": {"kind": "import", "module": module, "qualname": qualname},
    }


def test_the_end_leaves_nothing_behind(tmp_path):
    workers = Workers(tmp_path)
    workers.write("jobs.py", JOBS)
    path = tmp_path / "pid"
    pid = pid_of(workers)
    workers.begin("jobs:mark", str(path), process=True)
    child = int(wait_for(lambda: path.exists() and path.read_text()))
    begun = [tmp_path / name for name in ("loop", "thread")]
    for each in begun:
        workers.begin("jobs:note_end", str(each), threaded=each.name == "thread")
        wait_for(each.exists)
    workers.close()
    assert not is_alive(pid)
    assert not is_alive(child)
    assert [each.read_text() for each in begun] == ["ended", "ended"]


def test_an_idle_worker_ends_unless_something_is_to_run_there(workers, monkeypatch):
    monkeypatch.setattr("nbsession.scheduler.workers.supervisor.IDLE_SECONDS", 0)
    planned = workers.begin("jobs:which", schedule={"cron": "@yearly"})
    row = workers.service.run_now(planned)
    assert workers.service.wait_for_run(row["id"], 30)["state"] == "succeeded"
    (pid,) = workers.pids()
    assert pid_of(workers) == pid
    workers.call(_check(workers))
    assert workers.pids() == [pid]
    workers.service.cancel(planned, wait=False)
    wait_for(lambda: not workers.pids())
    wait_for(lambda: not is_alive(pid))
    assert pid_of(workers) != pid


async def _check(workers: Workers) -> None:
    for slot in workers.executor._slots.values():
        slot.check()
