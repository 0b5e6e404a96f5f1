"""What is killed, crashes, blocks or floods takes nothing else with it. Real processes."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from linked_tasks import FINAL, any_link, declaration, ended, history, wait_for_runs, write_jobs
from nbsession.core.schedule.instant import from_iso
from setup_scripts import workers
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hosts import Host
    from nbsession.kernel.link.client import Link

pytestmark = pytest.mark.server

KEEPING = "--NBSession.history_runs=10000"

NOTING = """
import json, os
from nbsession import state

def work():
    run = state.run
    with open(__file__ + ".notes", "a") as file:
        print(json.dumps([run.task, run.id, run.due_us]), file=file)
"""


def _notes(folder: Path) -> list[list[Any]]:
    path = folder / "jobs.py.notes"
    whole_lines, _, _ = path.read_text().rpartition("\n") if path.exists() else ("", "", "")
    return [json.loads(line) for line in whole_lines.splitlines()]


def _kill(host: Host) -> None:
    """Kill a server, and see all that it has started end by itself."""
    tree = psutil.Process(host.process.pid).children(recursive=True)
    host.process.kill()
    host.process.wait()
    _, alive = psutil.wait_procs(tree, timeout=15)
    assert not alive


def _all_rows(link: Link, name: str) -> list[dict[str, Any]]:
    """Return the rows of a paused task, once each is final."""

    def look() -> list[dict[str, Any]]:
        rows = history(link, name)
        return rows if all(row["state"] in FINAL for row in rows) else []

    return eventually(look, what=f"the runs of {name} end")


def _assert_one_row_each(rows: list[dict[str, Any]], period_us: int) -> None:
    """Every instant of the grid is in one row, and nothing else is."""
    spans = sorted((from_iso(row["due"]), from_iso(row["until"]), row["count"]) for row in rows)
    assert all((until - due) == (count - 1) * period_us for due, until, count in spans), spans
    steps = Counter(later[0] - earlier[1] for earlier, later in pairwise(spans))
    assert set(steps) == {period_us}, steps


def _assert_none_started_twice(folder: Path) -> None:
    started = _notes(folder)
    assert max(Counter((task, due) for task, _, due in started).values()) == 1
    assert max(Counter(run_id for _, run_id, _ in started).values()) == 1


def _kill_cycles(home: Path, start: Callable[..., Host], cycles: int) -> None:
    folder = write_jobs(home / "root", NOTING)
    names = [f"task{number}" for number in range(5)]
    moments = random.Random(4)  # noqa: S311 - the same ones in every run of the test

    def begin() -> Host:
        return start("server", KEEPING, home=home)

    host = begin()
    link = any_link(host)
    for name in names:
        link.post("tasks", declaration(folder, name, period="200ms"))
    for _ in range(cycles):
        before = len(_notes(folder))
        eventually(lambda before=before: len(_notes(folder)) > before + 2 * len(names))
        time.sleep(moments.random() / 5)  # anywhere between two instants of the grid
        _kill(host)
        host = begin()
    link = any_link(host)
    assert [task["name"] for task in link.get("tasks")["tasks"]] == names
    for name in names:
        link.post(f"tasks/{name}/pause", {})
    for name in names:
        rows = _all_rows(link, name)
        _assert_one_row_each(rows, 200_000)
        states = Counter(row["state"] for row in rows)
        assert states["lost"] <= cycles, "one run of a task at a time"
        assert states["missed"] > 0
        assert set(states) <= {"succeeded", "missed", "lost", "skipped"}
        ran = [row["id"] for row in rows if row["state"] == "succeeded"]
        assert set(ran) <= {run_id for _, run_id, _ in _notes(folder)}
    _assert_none_started_twice(folder)


def test_a_server_that_is_killed(tmp_path: Path, start_host: Callable[..., Host]) -> None:
    _kill_cycles(tmp_path / "h", start_host, 5)


@pytest.mark.stress
@pytest.mark.timeout(3600)
def test_a_server_that_is_killed_many_times(
    tmp_path: Path, start_host: Callable[..., Host]
) -> None:
    _kill_cycles(tmp_path / "h", start_host, 100)


def test_two_servers_on_one_database(tmp_path: Path, start_host: Callable[..., Host]) -> None:
    folder = write_jobs(tmp_path / "h" / "root", NOTING)
    stays, dies = (start_host("server", KEEPING, home=tmp_path / "h") for _ in "12")
    link = any_link(stays)
    names = [f"task{number:02}" for number in range(50)]
    for name in names:
        link.post("tasks", declaration(folder, name, period="1s"))
    dies.http.get("nbsession/api/tasks").raise_for_status()  # it has looked for no tasks yet

    def rounds() -> int:
        counts = Counter(task for task, _, _ in _notes(folder))
        return min((counts[name] for name in names), default=0)

    eventually(lambda: rounds() >= 4, 60)
    assert workers(dies), "the other one runs some too"
    killed_us = time.time_ns() // 1000
    _kill(dies)
    at_the_kill = rounds()
    eventually(lambda: rounds() >= at_the_kill + 4, 60)
    for name in names:
        link.post(f"tasks/{name}/pause", {})
    for name in names:
        rows = _all_rows(link, name)
        _assert_one_row_each(rows, 1_000_000)
        assert {row["state"] for row in rows} <= {"succeeded", "lost", "missed", "skipped"}
        for row in rows:
            if row["state"] == "lost":  # only what ran, or was claimed just then
                assert from_iso(row["started_at"] or row["due"]) <= killed_us + 1_000_000
                assert from_iso(row["ended_at"]) >= killed_us
    _assert_none_started_twice(folder)


def test_the_kernel_that_scheduled_is_killed(
    tmp_path: Path, start_host: Callable[..., Host]
) -> None:
    host = start_host("server", KEEPING, "--KernelManager.autorestart=False")
    folder = write_jobs(host.root, NOTING)
    kernel = host.start_kernel("lab/tree/x.ipynb")
    host.run(
        kernel,
        "from nbsession import state\nimport jobs\n"
        "state.schedule_task('goes on', jobs.work, period='100ms')",
    )
    host.kernel_process(kernel).kill()
    eventually(lambda: not host.has_kernel(kernel))
    before = len(_notes(folder))
    eventually(lambda: len(_notes(folder)) > before + 5)


BAD = """
import ctypes, re

def tick():
    pass

def block():
    re.match(r"(a+)+$", "a" * 26 + "b")  # seconds in C that never let go of the interpreter

def crash():
    ctypes.string_at(0)

def eat():
    eaten = [bytearray(b"x") * 10_000_000 for _ in range(30)]
    raise MemoryError(len(eaten))

def flood():
    for _ in range(100):
        print("x" * 1_000_000)
"""

ENDS = {
    "block": {"succeeded"},
    "crash": {"lost", "failed"},
    "eat": {"failed"},
    "flood": {"succeeded"},
}


def test_bad_tasks(start_host: Callable[..., Host]) -> None:
    """The server answers meanwhile; processes of their own spare the other tasks too."""
    host = start_host("server", KEEPING)
    folder = write_jobs(host.root, BAD)
    link = any_link(host)
    link.post("tasks", declaration(folder, "tick", "tick", period="100ms"))
    wait_for_runs(link, "tick", 1, lambda run: run["state"] == "succeeded")
    for name, ends in ENDS.items():
        run = _run_while_asking(host, link, declaration(folder, f"{name}-own", name, process=True))
        assert run["state"] in ends
        assert len(run["output"]) < 1_000_000, "what is kept of a flood is bounded"
    states = Counter(row["state"] for row in history(link, "tick"))
    # On a busy machine an occurrence may be late; none is lost by the misfortune of the others.
    assert set(states) <= {"succeeded", "skipped", "missed", "running"}
    for name, ends in ENDS.items():
        run = _run_while_asking(host, link, declaration(folder, name, name))
        assert run["state"] in ends
        after = len(history(link, "tick"))
        eventually(lambda after=after: len(history(link, "tick")) > after, what="the next is due")
    last = link.post("tasks/tick/run", {})
    assert ended(link, last)["state"] in {"succeeded", "skipped"}


def _run_while_asking(host: Host, link: Link, posted: dict[str, Any]) -> dict[str, Any]:
    name = posted["spec"]["name"]
    with ThreadPoolExecutor() as pool:
        waits = pool.submit(lambda: (link.post("tasks", posted), _only_run(link, name))[1])
        answers = 0
        while not waits.done():
            host.http.get("api/status", timeout=20).raise_for_status()
            answers += 1
        assert answers > 0
        return waits.result()


def _only_run(link: Link, name: str) -> dict[str, Any]:
    [run] = wait_for_runs(link, name, 1, lambda _: True)
    return ended(link, run)
