"""Tasks that kill their worker, and their neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from workers import Workers, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOBS = """
import asyncio
import ctypes
import os
import time
from pathlib import Path


def crash():
    time.sleep(0.1)
    ctypes.string_at(0)


def which():
    print(os.getpid())


def tick():
    print(os.getpid())


async def stay(path):
    while not Path(path).exists():
        await asyncio.sleep(0.01)
    print(os.getpid())


def die():
    os._exit(7)


async def block():
    Path("blocked").touch()
    time.sleep(600)


async def note():
    with open("notes", "a") as file:
        file.write("x")
"""
OTHER = """
import os


def die():
    time = __import__("time")
    time.sleep(0.1)
    os._exit(7)
"""


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    workers = Workers(tmp_path)
    workers.write("jobs.py", JOBS)
    workers.write("other.py", OTHER)
    yield workers
    workers.close()


def isolated(workers: Workers, name: str) -> list[dict[str, Any]]:
    """Return the runs of a task that had a process of their own, the newest first."""
    rows = workers.service.history(name, 100)
    return [row for row in rows if "in a process of its own" in (row["reason"] or "")]


def test_a_task_that_kills_its_worker_again_and_again(workers):
    killer = workers.begin("jobs:crash", schedule={"period": "500ms"})
    neighbour = workers.begin("jobs:tick", schedule={"period": "200ms"})
    wait_for(lambda: len(isolated(workers, killer)) >= 4)
    rows = workers.service.history(killer, 100)
    assert sum(row["state"] == "lost" for row in rows) == 2
    crashed = isolated(workers, killer)[-1]
    assert (crashed["state"], crashed["error"]) == (
        "failed",
        "the run's process was ended by SIGSEGV",
    )
    assert "was running in two workers that died one after the other" in crashed["reason"]
    [pid] = workers.pids()
    seen = workers.service.history(neighbour, 1)[0]["id"]
    wait_for(lambda: workers.service.history(neighbour, 1)[0]["id"] > seen + 5)
    later = [row for row in workers.service.history(neighbour, 100) if row["id"] > seen]
    assert not {row["state"] for row in later} & {"lost", "failed"}
    assert {row["output"] for row in later if row["output"]} == {f"{pid}\n"}
    assert "its runs get processes of their own" in workers.logged()


def test_a_neighbour_is_let_out_when_one_run_has_ended_well(workers, tmp_path):
    path = tmp_path / "go"
    # Two tasks that are in both workers when these die, of which one is harmless.
    stays = workers.begin("jobs:stay", str(path), schedule={"period": "200ms"})
    for _ in range(2):
        wait_for(lambda: workers.service.history(stays, 1)[0]["state"] == "running")
        workers.run("jobs:which")
        workers.run("jobs:die")
    wait_for(lambda: workers.service.history(stays, 1)[0]["state"] == "running")
    path.touch()
    assert wait_for(lambda: isolated(workers, stays))[0]["state"] == "succeeded"

    def is_back() -> bool:
        newest = workers.service.history(stays, 1)[0]
        return newest["state"] == "succeeded" and newest["reason"] is None

    wait_for(is_back)
    assert len(isolated(workers, stays)) == 1


def test_an_edit_lets_a_task_out(workers):
    killer = workers.begin("other:die", schedule={"period": "500ms"})
    wait_for(lambda: len(isolated(workers, killer)) >= 2)
    workers.write("other.py", "import os\ndef die(): print(os.getpid())\n")

    def is_well() -> bool:
        newest = workers.service.history(killer, 1)[0]
        return newest["state"] == "succeeded" and newest["reason"] is None

    wait_for(is_well)
    [pid] = workers.pids()
    assert workers.service.history(killer, 1)[0]["output"] == f"{pid}\n"


def test_what_had_not_begun_is_run_by_the_next_worker(workers, tmp_path):
    workers.run("jobs:note")
    name = workers.begin("jobs:block")
    wait_for((tmp_path / "blocked").exists)
    names = [workers.begin("jobs:note") for _ in range(5)]
    for each in names:
        workers.row(each)
    workers.kill_worker()
    assert workers.end(name)["state"] == "lost"
    assert [workers.end(each)["state"] for each in names] == ["succeeded"] * 5
    assert (tmp_path / "notes").read_text() == "x" * 6


def test_what_had_not_begun_and_was_cancelled_is_not_run(workers, tmp_path):
    workers.run("jobs:note")
    workers.begin("jobs:block")
    wait_for((tmp_path / "blocked").exists)
    name = workers.begin("jobs:note")
    run_id = workers.row(name)["id"]
    workers.service.cancel(name, wait=False)
    workers.kill_worker()
    row = wait_for(
        lambda: (r := workers.service.wait_for_run(run_id, 1)) and r["state"] != "running" and r
    )
    assert (row["state"], row["reason"]) == ("failed", "cancelled")
    assert (tmp_path / "notes").read_text() == "x"


def test_an_import_that_kills_the_worker_is_not_tried_for_ever(workers):
    workers.write("deadly.py", "import os\nos._exit(7)\n")
    assert workers.run("deadly:work")["state"] == "lost"


@pytest.mark.parametrize("code", ["die", "lambda: os._exit(7)"])
def test_a_task_of_a_setup_script(own_workers, code):
    own_workers.write(
        "setup.py",
        f"""
        import os
        from nbsession import state

        def die():
            os._exit(7)

        state.schedule_task("killer", {code}, period="300ms")
        """,
    )
    own_workers.start_setups()
    row = wait_for(lambda: isolated(own_workers, "killer"))[0]
    assert row["error"].startswith("the run's process ended with exit code 7")
