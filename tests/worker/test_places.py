"""Where runs are: their thread, their working directory, their path for imports."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import pytest

from nbsession.core.tasks.spec import Home
from nbsession.worker import threads as pool_module
from nbsession.worker.threads import OWN_THREADS, ThreadPool
from workers import Workers, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

JOBS = """
import asyncio
import contextlib
import os
import sqlite3
import sys
import threading
import time
from contextvars import ContextVar
from pathlib import Path

connections = {}
variable = ContextVar("variable", default="unset")


def count(name):
    if name not in connections:
        connections[name] = sqlite3.connect(":memory:")
        connections[name].execute("create table ticks (n integer)")
    connections[name].execute("insert into ticks values (1)")
    print(variable.get(), threading.get_ident())
    variable.set("set by another run")
    time.sleep(0.02)


def compute(stop):
    while not Path(stop).exists():
        for _ in range(300_000):
            pass


def tick():
    if "tick" not in connections:
        connections["tick"] = sqlite3.connect(":memory:")
    connections["tick"].execute("select 1")


def where():
    print(os.getcwd())


def go(path):
    os.chdir(path)
    os.chdir(path)
    print(os.getcwd())


def go_and_stay(path, end):
    os.chdir(path)
    Path(end + ".gone").touch()
    while not Path(end).exists():
        time.sleep(0.01)
    print(os.getcwd())


def go_within(path):
    with contextlib.chdir(path):
        Path("here").touch()


def go_in_thread(path):
    thread = threading.Thread(target=go, args=(path,))
    thread.start()
    thread.join()


async def go_async(path):
    os.chdir(path)


def paths():
    print(sys.path[0], sys.path[1], sys.path[-1], sep="\\n")


def helped():
    import helper
    print(helper.NAME)
"""


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    workers = Workers(tmp_path_factory.mktemp("places"))
    workers.write("jobs.py", JOBS)
    yield workers
    workers.close()


def test_connections_of_sqlite_serve_all_runs_of_a_task(workers):
    names = [
        workers.begin("jobs:count", str(n), schedule={"period": "100ms"}, overlap="skip")
        for n in range(8)
    ]

    def are_all_done() -> bool:
        rows = [workers.service.history(name, 100) for name in names]
        return all(sum(row["state"] == "succeeded" for row in each) >= 12 for each in rows)

    wait_for(are_all_done)
    rows = [row for name in names for row in workers.service.history(name, 100)]
    for name in names:
        workers.service.cancel(name, wait=False)
    assert [row["error"] for row in rows if row["error"]] == []
    assert {row["output"].split()[0] for row in rows if row["output"]} == {"unset"}


def test_a_run_by_hand_is_on_the_thread_of_the_others(workers):
    name = workers.begin("jobs:count", "by hand", schedule={"period": "1h"})
    workers.end(name)
    for _ in range(5):
        workers.run("jobs:where")
        run = workers.service.run_now(name)
        wait_for(lambda run=run: workers.service.run(run["id"])["state"] == "succeeded")
    assert len({row["output"] for row in workers.service.history(name, 9)}) == 1


def test_the_next_run_has_the_same_thread_however_soon(workers, tmp_path):
    busy = [workers.begin("jobs:compute", str(tmp_path / "stop")) for _ in range(3)]
    name = workers.begin("jobs:tick", schedule={"period": "1h"})
    workers.end(name)
    for _ in range(40):
        run = workers.service.run_now(name)
        wait_for(lambda run=run: workers.service.run(run["id"])["ended_at"])
    (tmp_path / "stop").touch()
    assert {row["error"] for row in workers.service.history(name, 99)} == {None}
    assert all(workers.end(each)["state"] == "succeeded" for each in busy)


def test_owners_keep_their_threads_and_others_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_IDLE_SECONDS", 0.05)
    pool, done = ThreadPool(), threading.Semaphore(0)
    seen: list[tuple[object, int]] = []

    def submit(owner: object, *, stays: bool) -> None:
        def job() -> None:
            seen.append((owner, threading.get_ident()))
            done.release()

        pool.submit(job, owner, stays=stays)
        assert done.acquire(timeout=30)

    for _ in range(3):
        for owner in range(OWN_THREADS + 10):
            submit(owner, stays=True)
            submit("guest", stays=False)
            submit(None, stays=False)
    own = {thread for owner, thread in seen if isinstance(owner, int)}
    assert len({pair for pair in seen if isinstance(pair[0], int)}) == OWN_THREADS + 10
    assert OWN_THREADS - 2 <= len(own) <= OWN_THREADS
    for owner in range(OWN_THREADS + 10):
        pool.forget(owner)
    wait_for(lambda: not pool._threads)
    assert not pool._own
    assert not pool._idle
    assert not pool._free
    submit("again", stays=True)


def test_the_directory_is_the_homes_own(workers, tmp_path):
    assert workers.run("jobs:where")["output"] == f"{workers.folder}\n"
    home = Home(sys.executable, str(workers.folder), None, str(tmp_path))
    for process in (False, True):
        assert workers.run("jobs:where", home=home, process=process)["output"] == f"{tmp_path}\n"
    assert len(workers.pids()) == 2
    gone = Home(sys.executable, str(workers.folder), None, str(tmp_path / "gone"))
    error = workers.run("jobs:where", home=gone)["error"]
    assert f"the folder {tmp_path / 'gone'} is not there" in error


@pytest.mark.parametrize("qualname", ["go", "go_in_thread", "go_async", "go_within"])
def test_a_change_of_the_directory_warns_once_and_is_undone(workers, tmp_path, qualname):
    output = workers.run(f"jobs:{qualname}", str(tmp_path))["output"]
    assert output.count("has changed the working directory") == 1
    assert "process=True" in output
    assert workers.run("jobs:where")["output"] == f"{workers.folder}\n"
    output = workers.run(f"jobs:{qualname}", str(tmp_path), process=True)["output"]
    assert "has changed" not in output


def test_the_directory_is_not_changed_back_under_a_run(workers, tmp_path):
    end = tmp_path / "end"
    name = workers.begin("jobs:go_and_stay", str(tmp_path), str(end))
    wait_for((tmp_path / "end.gone").exists)
    for _ in range(2):
        assert workers.run("jobs:where")["output"] == f"{tmp_path}\n"
    end.touch()
    assert workers.end(name)["output"].splitlines()[-1] == str(tmp_path)
    assert workers.run("jobs:where")["output"] == f"{workers.folder}\n"


@pytest.mark.parametrize("process", [False, True])
def test_paths_that_a_notebook_has_added(workers, tmp_path, process):
    first, last = tmp_path / "first", tmp_path / "last"
    for folder, name in ((first, "first"), (last, "last")):
        folder.mkdir()
        (folder / "helper.py").write_text(f"NAME = {name!r}")
    folder, python = str(workers.folder), sys.executable
    home = Home(python, folder, None, folder, (str(first),), (str(last),))
    output = workers.run("jobs:paths", home=home, process=process)["output"]
    assert output.splitlines() == [folder, str(first), str(last)]
    assert workers.run("jobs:helped", home=home, process=process)["output"] == "first\n"
    home = Home(python, folder, None, folder, (), (str(last),))
    assert workers.run("jobs:helped", home=home, process=process)["output"] == "last\n"
    if not process:
        (last / "helper.py").write_text("NAME = 'edited'")
        wait_for(lambda: workers.run("jobs:helped", home=home)["output"] == "edited\n")


@pytest.mark.parametrize("process", [False, True])
def test_what_a_task_schedules_is_where_its_own_module_or_its_worker_is(tmp_path, process):
    root, src, notebook, added = (tmp_path / name for name in ("root", "root/src", "nb", "added"))
    for folder in (root, src, notebook, added):
        folder.mkdir()
    workers = Workers(src, root_dir=str(root))
    try:
        workers.write(
            "jobs.py",
            """
            import json
            from nbsession import state

            def own():
                pass

            def schedule():
                state.schedule_task("stdlib", json.dumps, period="1h", args=[1])
                state.schedule_task("own", own, period="1h")
            """,
        )
        home = Home(sys.executable, str(src), None, str(notebook), (str(added),))
        row = workers.run("jobs:schedule", home=home, process=process)
        assert (row["state"], row["error"]) == ("succeeded", None)
        stdlib, own = (workers.service.show(name)["home"] for name in ("stdlib", "own"))
        assert (stdlib["directory"], own["directory"]) == (str(notebook), str(src))
        assert stdlib["first_paths"] == own["first_paths"] == [str(added)]
        assert workers.end("stdlib")["state"] == "succeeded"
    finally:
        workers.close()
