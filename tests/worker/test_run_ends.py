"""The ends of runs: one each, for the real reason, at any time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from workers import wait_for

if TYPE_CHECKING:
    from workers import Workers

JOBS = """
import asyncio
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from nbsession import state


def climb(path):
    state.run.progress(0.25)
    state.run.progress(0.5)
    while not Path(path).exists():
        time.sleep(0.01)


def linger(path):
    def stay():
        threading.main_thread().join()
        Path(path).touch()
        time.sleep(60)

    threading.Thread(target=stay).start()
    print("all done")


async def leave():
    raise SystemExit(3)


async def beside():
    task = asyncio.create_task(leave())
    await asyncio.sleep(0.1)
    print("went on")


def give_beside():
    return beside()


def babble():
    for descriptor in range(3, 30):
        with suppress(OSError):
            os.write(descriptor, b"no json\\n")
    time.sleep(60)
"""

SLOW = """
import time
from pathlib import Path

Path("importing").touch()
while not Path("go").exists():
    time.sleep(0.01)


def call():
    Path("called").touch()


async def call_async():
    Path("called").touch()
"""


@pytest.fixture(scope="module", autouse=True)
def _jobs(workers: Workers) -> None:
    workers.write("endings.py", JOBS)


def _final(workers: Workers, run_id: int) -> dict[str, Any]:
    """Return a run once it is final; its task has been removed."""
    return wait_for(
        lambda: (r := workers.service.wait_for_run(run_id, 1)) and r["state"] != "running" and r
    )


@pytest.mark.parametrize("process", [False, True])
def test_the_progress_of_a_sync_run_is_sent_while_it_goes_on(workers, tmp_path, process):
    path = tmp_path / "go"
    name = workers.begin("endings:climb", str(path), process=process)
    wait_for(lambda: workers.row(name)["progress"] == 0.5)
    path.touch()
    assert workers.end(name)["state"] == "succeeded"


@pytest.mark.parametrize("qualname", ["call", "call_async"])
def test_a_run_that_is_cancelled_during_its_import_is_not_called(workers, qualname):
    workers.run("endings:beside")  # imported: one module waits for the other
    module = f"slow_{qualname}"
    names = {"importing", "go", "called"}
    for name in names:
        (workers.folder / name).unlink(missing_ok=True)
    workers.write(f"{module}.py", SLOW)
    name = workers.begin(f"{module}:{qualname}")
    wait_for((workers.folder / "importing").exists)
    run_id = workers.row(name)["id"]
    workers.service.cancel(name, wait=False)
    assert workers.run("endings:beside")["state"] == "succeeded", "the loop has heard of it"
    (workers.folder / "go").touch()
    row = _final(workers, run_id)
    assert (row["state"], row["reason"], row["error"]) == ("failed", "cancelled", None)
    assert not (workers.folder / "called").exists()


def test_a_process_that_only_lingers_has_succeeded(workers, tmp_path):
    path = tmp_path / "ended"
    name = workers.begin("endings:linger", str(path), process=True)
    wait_for(path.exists)
    run_id = workers.row(name)["id"]
    workers.service.cancel(name, wait=False)
    row = _final(workers, run_id)
    assert (row["state"], row["reason"], row["output"]) == ("succeeded", None, "all done\n")


@pytest.mark.parametrize("qualname", ["beside", "give_beside"])
def test_a_task_beside_it_ends_a_threaded_run_and_no_other(workers, qualname):
    row = workers.run(f"endings:{qualname}", threaded=True)
    assert (row["state"], row["error"]) == ("failed", "SystemExit: 3")
    assert "in leave" in row["traceback"]
    assert workers.run(f"endings:{qualname}")["output"] == "went on\n"


def test_a_process_that_says_nonsense(workers):
    row = workers.run("endings:babble", process=True)
    assert row["state"] == "failed"
    assert "JSONDecodeError" in row["error"]
