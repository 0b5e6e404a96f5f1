"""The database of a running server: deleted, replaced, or held by another process."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from linked_tasks import any_link, declaration, history, wait_for_runs, write_jobs
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hosts import Host

pytestmark = pytest.mark.server

JOBS = "def work(): pass\n"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "tasks.sqlite"


def _names(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM tasks ORDER BY name")]


def _doctor(host: Host) -> dict[str, dict[str, str]]:
    jupyter = str(Path(sys.executable).with_name("jupyter"))
    command = [jupyter, "nbsession", "doctor", "--json"]
    done = subprocess.run(
        command, env=host.environment, capture_output=True, text=True, check=False, timeout=120
    )
    return {check["part"].split(" ", 2)[-1]: check for check in json.loads(done.stdout)}


def test_two_servers_whose_database_is_deleted(
    tmp_path: Path, database: Path, start_host: Callable[..., Host]
) -> None:
    setting = f"--NBSession.database={database}"
    one, two = (start_host("server", setting, home=tmp_path / "h") for _ in "12")
    folder = write_jobs(one.root, JOBS)
    link, other = any_link(one), any_link(two)
    link.post("tasks", declaration(folder, "ticks", period="200ms"))
    link.post("tasks", declaration(folder, "hourly", period="1h"))
    wait_for_runs(other, "ticks", 3, lambda run: run["state"] == "succeeded")
    for file in database.parent.glob("tasks.sqlite*"):
        file.unlink()
    eventually(database.exists, 60)
    before = history(other, "ticks", 1)[0]["id"]
    wait_for_runs(other, "ticks", 3, lambda run: run["id"] > before)
    rows = history(link, "ticks")
    assert len({row["due"] for row in rows}) == len(rows)
    assert _names(database) == ["hourly", "ticks"]
    found = _doctor(one)["database"]
    assert (found["verdict"], "a copy is there now" in found["found"]) == ("idle", True)
    two.stop()
    one.stop()
    again = start_host("server", setting, home=tmp_path / "h")
    names = [task["name"] for task in any_link(again).get("tasks")["tasks"]]
    assert names == ["hourly", "ticks"]


def test_a_database_that_is_replaced_counts(
    tmp_path: Path, database: Path, start_host: Callable[..., Host]
) -> None:
    home, other = tmp_path / "h", tmp_path / "other.sqlite"
    first = start_host("server", f"--NBSession.database={other}", home=home)
    folder = write_jobs(first.root, JOBS)
    any_link(first).post("tasks", declaration(folder, "foreign", period="200ms"))
    first.stop()
    host = start_host("server", f"--NBSession.database={database}", home=home)
    link = any_link(host)
    link.post("tasks", declaration(folder, "mine", period="1h"))
    other.replace(database)
    eventually(lambda: [t["name"] for t in link.get("tasks")["tasks"]] == ["foreign"], 60)
    wait_for_runs(link, "foreign", 3, lambda run: run["state"] == "succeeded")
    assert "missing from it: 'mine'" in host.log
    found = _doctor(host)["database"]
    assert (found["verdict"], "mine" in found["found"]) == ("bad", True)


@contextlib.contextmanager
def _held(database: Path) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def _ask_while_held(host: Host) -> list[Any]:
    """Order twenty things at once, and see that the server answers other requests meanwhile."""
    order = "nbsession/api/tasks/hourly/pause"
    waits: list[float] = []
    with ThreadPoolExecutor(20) as pool:
        began = time.monotonic()
        answers = [pool.submit(host.http.post, order) for _ in range(20)]
        while not all(answer.done() for answer in answers):
            asked = time.monotonic()
            host.http.get("api/status").raise_for_status()
            waits.append(time.monotonic() - asked)
        assert time.monotonic() - began < 30
    assert len(waits) > 20, waits
    return [answer.result() for answer in answers]


def test_requests_while_another_process_holds_the_database(
    tmp_path: Path, database: Path, start_host: Callable[..., Host]
) -> None:
    setting = f"--NBSession.database={database}"
    host = start_host("server", setting, home=tmp_path / "h")
    folder = write_jobs(host.root, JOBS)
    any_link(host).post("tasks", declaration(folder, "hourly", period="1h"))
    with _held(database):
        for answer in _ask_while_held(host):
            assert answer.status_code == 503
            assert answer.json()["kind"] == "store"
            assert "another" in answer.json()["message"]
        host.http.get("nbsession/api/tasks/hourly").raise_for_status()  # what is known is told
        host.http.get("nbsession/api/tasks/hourly/runs").raise_for_status()
    assert host.http.post("nbsession/api/tasks/hourly/pause").json()["state"] == "paused"
    host.stop()
    with _held(database):
        late = start_host("server", setting, home=tmp_path / "h")
        for answer in _ask_while_held(late):
            assert answer.status_code == 503
        [problem] = [c["found"] for part, c in _doctor(late).items() if part == "tasks"]
        assert "another server is writing" in problem
    answer = eventually(
        lambda: [a for a in [late.http.get("nbsession/api/tasks/hourly")] if a.is_success]
    )
    assert answer[0].json()["state"] == "paused"
