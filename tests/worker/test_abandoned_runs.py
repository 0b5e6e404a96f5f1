"""Runs whose code does not end though they were cancelled."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from nbsession.core.session import SessionContext
from nbsession.scheduler.engine import attempts
from nbsession.scheduler.workers import supervisor
from workers import Workers, is_alive, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOBS = """
import asyncio
import ctypes
import os
import time
from contextlib import suppress
from pathlib import Path


def which():
    print(os.getpid())


async def stay():
    print("begun in", os.getpid())
    Path("begun").touch()
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)


async def block(path):
    Path(path).touch()
    time.sleep(600)


async def other():
    await asyncio.sleep(600)


async def queued():
    print(os.getpid())


def hold():
    ctypes.PyDLL(None).sleep(600)


def wait_for_file(path):
    while not Path(path).exists():
        time.sleep(0.01)
    print(os.getpid())
"""


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    workers = Workers(tmp_path)
    workers.write("jobs.py", JOBS)
    yield workers
    workers.close()


@pytest.fixture
def quick(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> Workers:
    """Return workers that are given up after half a second."""
    monkeypatch.setattr(attempts, "ABANDON_SECONDS", 0.5)
    return workers


def pid_of(workers: Workers) -> int:
    return int(workers.run("jobs:which")["output"])


def ended(workers: Workers, run_id: int) -> dict[str, Any]:
    """Return a run once it is final; its task may have been removed."""
    return wait_for(
        lambda: (r := workers.service.wait_for_run(run_id, 1)) and r["state"] != "running" and r
    )


def test_a_time_limit_that_is_swallowed_five_real_seconds(workers):
    old = pid_of(workers)
    row = workers.run("jobs:stay", timeout_us=3_000_000)
    assert (row["state"], row["error"]) == ("failed", None)
    assert row["reason"] == "timeout; its code has not ended and may overlap the next run"
    assert row["output"] == f"begun in {old}\n"
    assert pid_of(workers) != old
    wait_for(lambda: not is_alive(old))


@pytest.mark.parametrize("threaded", [False, True])
def test_a_cancellation_that_is_swallowed(quick, threaded):
    old = pid_of(quick)
    name = quick.begin("jobs:stay", threaded=threaded)
    run_id = quick.row(name)["id"]
    wait_for((quick.folder / "begun").exists)
    quick.service.cancel(name, wait=False)
    row = ended(quick, run_id)
    assert row["state"] == "failed"
    assert row["reason"] == "cancelled; its code has not ended and may overlap the next run"
    assert pid_of(quick) != old


def test_the_next_occurrences_come(quick):
    name = quick.begin("jobs:stay", schedule={"period": "2s"}, timeout_us=1_000_000)

    def abandoned() -> list[dict[str, Any]]:
        rows = quick.service.history(name, 99)
        return [row for row in rows if row["state"] == "failed" and ";" in row["reason"]]

    wait_for(lambda: len(abandoned()) >= 3)
    rows = abandoned()
    assert len({row["output"] for row in rows}) == len(rows), "each in a worker of its own"
    quick.service.cancel(name, wait=False)


def test_what_else_runs_in_the_old_worker_comes_to_its_end(quick, tmp_path):
    path = tmp_path / "go"
    old = pid_of(quick)
    slow = quick.begin("jobs:wait_for_file", str(path))
    quick.row(slow)
    quick.run("jobs:stay", timeout_us=3_000_000)
    assert pid_of(quick) != old
    assert is_alive(old)
    path.touch()
    assert quick.end(slow)["output"] == f"{old}\n"
    wait_for(lambda: not is_alive(old))


def test_a_loop_that_does_not_answer(quick, monkeypatch, tmp_path):
    monkeypatch.setattr(supervisor, "LOOP_SECONDS", 2)
    old = pid_of(quick)
    other = quick.begin("jobs:other")
    wait_for(lambda: quick.row(other)["state"] == "running")
    quick.run("jobs:queued")
    path = tmp_path / "blocking"
    blocking = quick.begin("jobs:block", str(path), timeout_us=3_000_000)
    row = quick.row(blocking)
    wait_for(path.exists)
    queued = quick.begin("jobs:queued")
    assert ended(quick, row["id"])["reason"].startswith("timeout; its code has not ended")
    lost = quick.end(other)
    assert lost["state"] == "lost"
    assert "its event loop has not answered for 2 s" in lost["reason"]
    assert int(quick.end(queued)["output"]) != old, "what had not begun was given to the next one"
    assert not is_alive(old)


def test_a_worker_that_answers_nothing(quick, monkeypatch):
    monkeypatch.setattr(supervisor, "LOOP_SECONDS", 2)
    old = pid_of(quick)
    name = quick.begin("jobs:stay", timeout_us=3_000_000)
    row = quick.row(name)
    wait_for((quick.folder / "begun").exists)
    held = quick.begin("jobs:hold")
    assert ended(quick, row["id"])["reason"].startswith("timeout")
    assert quick.end(held)["state"] == "lost"
    assert pid_of(quick) != old


def test_a_sync_run_goes_on_to_its_own_end(quick, tmp_path):
    path = tmp_path / "go"
    old = pid_of(quick)
    name = quick.begin("jobs:wait_for_file", str(path))
    run_id = quick.row(name)["id"]
    quick.service.cancel(name, wait=False)
    quick.run("jobs:stay", timeout_us=3_000_000)  # later than the other one is given up
    assert quick.service.run(run_id)["state"] == "running"
    path.touch()
    row = ended(quick, run_id)
    assert (row["state"], row["output"]) == ("succeeded", f"{old}\n")


def test_a_task_of_a_setup_script(own_workers, monkeypatch):
    monkeypatch.setattr(attempts, "ABANDON_SECONDS", 0.5)
    own_workers.write(
        "setup.py",
        JOBS
        + """
from datetime import timedelta
from nbsession import state

state.on_session_created(lambda: print("created in", os.getpid()))
state.schedule_task("stay", stay, period="1h", timeout=3)
state.schedule_task("which", which, period="1h")
""",
    )
    own_workers.start_setups()
    [old] = own_workers.pids()
    row = own_workers.end("stay")
    assert row["reason"].startswith("timeout; its code has not ended")
    run = own_workers.service.run_now("which")
    row = ended(own_workers, run["id"])
    assert (row["state"], row["error"]) == ("succeeded", None)
    assert int(row["output"]) != old
    own_workers.notify("created", SessionContext("s", "k", datetime.now(UTC)).to_json())
    own_workers.call(own_workers.executor.hook_drain())
    assert f"created in {int(row['output'])}" in own_workers.logged()
    assert own_workers.service.show("stay")["run_count"] == 1
    wait_for(lambda: not is_alive(old))
