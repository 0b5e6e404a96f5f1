"""Databases of every version that was released, brought up to date."""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fake_clock import FakeClock
from nbsession.core.errors import StoreError
from nbsession.scheduler.records import OccurrenceRange
from nbsession.scheduler.stores.sqlite import database as sqlite_opening
from nbsession.scheduler.stores.sqlite import files as sqlite_use
from nbsession.scheduler.stores.sqlite.schema import MIGRATIONS
from nbsession.scheduler.stores.sqlite.store import SqliteStore
from scheduling import NOW, SECOND, a_claim, a_spec, setup_spec
from store_process import store_processes

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION_1 = Path(__file__).with_name("version_1.sql")
NEXT = (*MIGRATIONS, ("ALTER TABLE tasks ADD COLUMN note TEXT", "UPDATE tasks SET note = 'kept'"))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a database as version 1 left it when its server was killed."""
    path = tmp_path / "tasks.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_1.read_text(encoding="utf-8"))
    return path


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path, FakeClock(), logging.getLogger("tasks"))
    store.open()
    try:
        yield store
    finally:
        store.close()


def _ask(path: Path, statement: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def _shape(path: Path) -> list[tuple[object, ...]]:
    return _ask(path, "SELECT type, name, tbl_name FROM sqlite_master ORDER BY type, name")


def test_a_database_of_version_1_is_taken_over(old: Path, tmp_path: Path) -> None:
    with _opened(old) as store:
        report, cleanup = sorted(store.tasks.load(), key=lambda task: task.id)
        assert report.spec == a_spec("report", overlap="queue")
        assert (report.due_us, report.run_count, report.error_count) == (NOW + 3 * SECOND, 1, 1)
        assert (report.last_error, report.ended_by) == ("ValueError: no", None)
        assert cleanup.spec == setup_spec("cleanup")
        assert (cleanup.due_us, cleanup.paused) == (None, True)
        assert [run.state for run in store.runs.history(report, 9)] == [
            "running",
            "failed",
            "missed",
        ]
        assert [(run.until, run.count) for run in store.runs.history(report, 9)] == [
            (run.due, 1) for run in store.runs.history(report, 9)
        ]
        failed = store.runs.history(report, 9)[1]
        assert (failed.output, failed.error, failed.progress) == (
            "half way\n",
            "ValueError: no",
            0.5,
        )
        assert store.tasks.add(a_spec("new"), NOW, asks=False).id > 17
    with _opened(tmp_path / "new.sqlite"):
        pass
    assert _shape(old) == _shape(tmp_path / "new.sqlite")
    assert _ask(old, "PRAGMA user_version") == [(len(MIGRATIONS),)]
    assert [path.name for path in tmp_path.glob("tasks.*.sqlite")] == []


def test_what_version_2_kept_was_one_occurrence_a_row(tmp_path: Path) -> None:
    path = tmp_path / "tasks.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for statement in [each for version in MIGRATIONS[:2] for each in version]:
            connection.execute(statement)
        spec = json.dumps(a_spec().to_json())
        connection.execute(
            "INSERT INTO tasks (id, name, due_us, paused, asks, epoch, revision, last_state)"
            " VALUES (2, 'report', ?, 0, 0, 1, 1, 'missed')",
            (NOW + 3 * SECOND,),
        )
        connection.execute("INSERT INTO specs VALUES (2, ?)", (spec,))
        connection.executemany(
            "INSERT INTO runs"
            " (id, task_id, task, epoch, due_us, engine_id, state, reason, ended_us)"
            " VALUES (?, 2, 'report', 1, ?, 1, 'missed', 'too late', ?)",
            [(3 + second, NOW + second * SECOND, NOW + second * SECOND) for second in range(3)],
        )
        connection.execute(
            "INSERT INTO runs (id, task_id, task, epoch, engine_id, state) "
            "VALUES (9, 2, 'report', 1, 1, 'succeeded')"
        )
        connection.execute("UPDATE serial SET value = 9")
        connection.execute("PRAGMA user_version = 2")
        connection.commit()
    with _opened(path) as store:
        [task] = store.tasks.load()
        by_hand, *missed = store.runs.history(task, 9)
        assert (by_hand.due_us, by_hand.until_us, by_hand.count) == (None, None, 1)
        assert [(row.due_us, row.until_us, row.count) for row in missed] == [
            (NOW + second * SECOND, NOW + second * SECOND, 1) for second in (2, 1, 0)
        ]
        for following in (4, 5):
            due_us = NOW + (following - 1) * SECOND
            last = [OccurrenceRange(due_us, due_us)]
            store.runs.claim(
                [a_claim(task, NOW + following * SECOND, verdict="missed", missed=last)]
            )
        assert [row.count for row in store.runs.history(task, 9)] == [2, 1, 1, 1, 1]


def test_an_older_database_is_migrated(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_opening, "MIGRATIONS", NEXT)
    with _opened(old) as store:
        assert len(store.tasks.load()) == 2
    assert _ask(old, "SELECT note FROM tasks") == [("kept",)] * 2
    assert _ask(old, "PRAGMA user_version") == [(len(NEXT),)]


def test_a_migration_that_fails_changes_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = (*NEXT[:-1], (*NEXT[-1], "INSERT INTO nowhere VALUES (1)"))
    monkeypatch.setattr(sqlite_opening, "MIGRATIONS", broken)
    before = _shape(old)
    with pytest.raises(StoreError, match="no such table: nowhere"), _opened(old):
        pass
    assert _shape(old) == before
    assert _ask(old, "PRAGMA user_version") == [(1,)]
    with pytest.raises(sqlite3.OperationalError, match="note"):
        _ask(old, "SELECT note FROM tasks")


def test_a_database_in_use_is_not_migrated(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_opening, "MIGRATIONS", NEXT)
    monkeypatch.setattr(sqlite_use, "_ALONE_MS", 20)
    with store_processes("use", old) as [other]:
        other.wait_for("open")
        with pytest.raises(StoreError, match=r"older nbsession .* another server is using it"):
            SqliteStore(old, FakeClock(), logging.getLogger("tasks")).open()
    with _opened(old) as store:
        assert len(store.tasks.load()) == 2
