"""SQLite stores in real processes: each occurrence once, whoever is killed and when."""

from __future__ import annotations

import logging
import sqlite3
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from fake_clock import FakeClock
from nbsession.core.errors import StoreBusyError
from nbsession.scheduler.stores.sqlite.store import SqliteStore
from scheduling import NOW, SECOND, a_claim, a_spec
from store_process import OCCURRENCES, TASKS, store_processes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "tasks.sqlite"


def _open(database: Path) -> SqliteStore:
    store = SqliteStore(database, FakeClock(), logging.getLogger("tasks"))
    store.open()
    return store


@pytest.fixture
def store(database: Path) -> Iterator[SqliteStore]:
    store = _open(database)
    yield store
    store.close()


def test_two_processes_get_each_occurrence_once(database: Path, store: SqliteStore) -> None:
    for number in range(TASKS):
        store.tasks.add(a_spec(f"task {number}", overlap="allow"), NOW, asks=False)
    with store_processes("race", database, 2) as racers:
        for racer in racers:
            racer.wait_for("ready")
        for racer in racers:
            racer.go()
        won = [int(racer.wait_for("won")[0]) for racer in racers]
    assert sum(won) == TASKS * OCCURRENCES
    with sqlite3.connect(database) as connection:
        rows = connection.execute("SELECT task_id, due_us, state FROM runs").fetchall()
        assert connection.execute("SELECT count(*) FROM engines").fetchone() == (1,)
    connection.close()
    assert {state for _, _, state in rows} == {"succeeded"}
    assert len(rows) == TASKS * OCCURRENCES
    assert set(Counter(row[:2] for row in rows).values()) == {1}
    for task in store.tasks.load():
        assert (task.run_count, task.open_runs, task.due_us) == (OCCURRENCES, 0, None)


def test_two_processes_skip_each_occurrence_once_though_some_are_killed(
    database: Path, store: SqliteStore
) -> None:
    task = store.tasks.add(a_spec(), NOW, asks=False)
    [claimed] = store.runs.claim([a_claim(task, NOW + SECOND)])
    going = claimed.run
    assert going is not None
    with store_processes("skip", database) as [stays]:
        stays.wait_for("ready")
        for claims in (3, 10, 1, 25):
            with store_processes("skip", database) as [killed]:
                killed.wait_for("ready")
                stays.go(20)
                killed.go(1000)
                for _ in range(claims):
                    killed.wait_for("claimed")
                killed.kill()
                for _ in range(20):
                    stays.wait_for("claimed")
    assert store.beat() == []
    store.tasks.get(task.id)
    [skipped, running] = store.runs.history(task, 1000)
    assert (running.id, running.state) == (going.id, "running")
    assert (skipped.state, skipped.due_us) == ("skipped", NOW + SECOND)
    assert task.due_us == (skipped.until_us or 0) + SECOND
    assert skipped.count == (task.due_us - NOW) // SECOND - 1 >= 4 * 20 + 3 + 10 + 1 + 25
    going.state, going.ended_us = "succeeded", NOW
    store.runs.finish([(task, going)])
    assert (task.run_count, task.open_runs, task.gap_id) == (1, 0, None)


def test_many_begin_one_database_at_once(database: Path) -> None:
    with store_processes("open_fresh", database, 5) as others:
        for other in others:
            other.wait_for("ready")
        for other in others:
            other.go()
        added = [int(other.wait_for("added")[0]) for other in others]
        store = _open(database)
        assert sorted(task.id for task in store.tasks.load()) == sorted(added)
        assert len(store._records.rows("SELECT id FROM engines")) == 6
        store.close()
    assert [path.name for path in database.parent.glob("*.sqlite")] == [database.name]


def test_a_killed_process_loses_its_runs_once(database: Path, store: SqliteStore) -> None:
    task = store.tasks.add(a_spec(), NOW, asks=False)
    second = _open(database)
    with store_processes("hold_claim", database) as [other]:
        other.wait_for("claimed")
        [told], _ = store.tasks.changes() or ([], [])
        assert (told.open_runs, told.state) == (1, "running")
        assert store.beat() == second.beat() == []
        other.kill()
    [run] = store.beat()
    assert second.beat() == store.beat() == []
    assert (run.state, run.reason) == ("lost", "its server's process is gone")
    [told], _ = store.tasks.changes() or ([], [])
    assert told is task
    assert (told.open_runs, told.run_count, told.error_count, told.last_state) == (0, 1, 1, "lost")
    assert store.runs.history(task, 5) == [run]
    [claimed] = store.runs.claim([a_claim(task, None)])
    assert claimed.run is not None
    assert claimed.run.state == "running"  # the next occurrence is on time
    second.close()


def test_runs_of_a_killed_process_are_lost_when_the_next_opens(database: Path) -> None:
    store = _open(database)
    task = store.tasks.add(a_spec(), NOW, asks=False)
    store.close()
    with store_processes("hold_claim", database) as [other]:
        other.wait_for("claimed")
        other.kill()
    store = _open(database)
    [found] = store.tasks.load()
    assert (found.last_state, found.open_runs, found.due_us) == ("lost", 0, NOW + SECOND)
    assert [run.state for run in store.runs.history(task, 5)] == ["lost"]
    store.close()


def test_a_process_killed_in_the_middle_of_a_claim_has_claimed_nothing(
    database: Path, store: SqliteStore
) -> None:
    task = store.tasks.add(a_spec(), NOW, asks=False)
    with store_processes("hold_transaction", database) as [other]:
        other.wait_for("claiming")
        with pytest.raises(StoreBusyError, match="another server is writing"):
            store.runs.claim([a_claim(task, NOW + SECOND)])
        assert (task.due_us, task.open_runs) == (NOW, 0)
        assert store.tasks.get(task.id) is task  # reading goes on
        other.kill()
    assert store.beat() == []
    [claimed] = store.runs.claim([a_claim(task, NOW + SECOND)])
    assert claimed.run is not None
    assert claimed.run.state == "running"
    assert len(store.runs.history(task, 5)) == 1
