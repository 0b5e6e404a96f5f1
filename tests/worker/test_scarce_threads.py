"""A worker that can start no more threads fails what needs one, and goes on."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from nbsession.worker.threads import ThreadPool
from workers import wait_for

if TYPE_CHECKING:
    from workers import Workers

JOBS = """
import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nbsession import state
from nbsession.worker import threads as pool

start = threading.Thread.start


def refuse(thread):
    raise RuntimeError("can't start new thread")


def keep_no_threads():
    pool._IDLE_SECONDS = 0


def greet():
    print("hello")


async def scarce(left):
    while sum(thread.name == "nbsession-task" for thread in threading.enumerate()) > left:
        await asyncio.sleep(0.01)
    threading.Thread.start = refuse


async def plenty():
    threading.Thread.start = start


def ask_later(path):
    Path(path).touch()
    while not Path(path + ".go").exists():
        time.sleep(0.01)
    print(len(state.tasks))


def soon(now):
    return now + timedelta(hours=1)
"""


@pytest.fixture(scope="module", autouse=True)
def _jobs(workers: Workers) -> None:
    # Once: a file that is written again is an edit, for which a fresh worker takes over.
    workers.write("scarcity.py", JOBS)


@pytest.fixture
def scarce(workers: Workers) -> Workers:
    workers.run("scarcity:plenty")
    workers.run("scarcity:keep_no_threads")
    return workers


def test_runs_and_trigger_code(scarce):
    (pid,) = scarce.pids()
    scarce.run("scarcity:scarce", 0)
    for process in (False, True):
        row = scarce.run("scarcity:greet", process=process)
        assert (row["state"], row["error"]) == ("failed", "RuntimeError: can't start new thread")
    target = {"kind": "import", "module": "scarcity", "qualname": "greet"}
    spec = {
        "name": "soon",
        "target": target,
        "trigger": {"kind": "code", "code": "callable", "tz": None},
        "args": [],
        "kwargs": {},
        "policies": {},
        "home": scarce.home().to_json(),
        "at_target": {**target, "qualname": "soon"},
    }
    scarce.service.schedule(spec, replace=False)
    scarce.run("scarcity:plenty")
    assert wait_for(lambda: scarce.service.show("soon")["next_run"])
    assert scarce.service.show("soon")["state"] == "scheduled"
    assert scarce.run("scarcity:greet")["output"] == "hello\n"
    assert scarce.pids() == [pid]


def test_requests_of_a_process(scarce, tmp_path):
    (pid,) = scarce.pids()
    path = tmp_path / "begun"
    name = scarce.begin("scarcity:ask_later", str(path), process=True)
    wait_for(path.exists)
    scarce.run("scarcity:scarce", 1)  # the one that supervises
    path.with_suffix(".go").touch()
    row = scarce.end(name)
    assert row["state"] == "failed"
    assert "can't start new thread" in row["error"]
    scarce.run("scarcity:plenty")
    assert scarce.pids() == [pid]


def test_a_job_without_a_thread_is_refused_and_not_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError

    pool, done = ThreadPool(), threading.Semaphore(0)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            pool.submit(lambda: pytest.fail("it was refused"))
    begun, go = threading.Event(), threading.Event()
    pool.submit(lambda: begun.set() or go.wait(30))
    assert begun.wait(30)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        pool.submit(done.release)  # by the thread that is there
    assert not done.acquire(timeout=0.1)
    go.set()
    assert done.acquire(timeout=30)
