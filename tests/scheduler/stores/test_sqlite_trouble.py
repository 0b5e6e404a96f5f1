"""A SQLite store whose file is not as it should be."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sqlite3
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fake_clock import FakeClock
from nbsession.core.errors import StoreBusyError, StoreError
from nbsession.scheduler.stores.sqlite import database as sqlite_opening
from nbsession.scheduler.stores.sqlite import files as sqlite_use
from nbsession.scheduler.stores.sqlite.schema import MIGRATIONS
from nbsession.scheduler.stores.sqlite.store import SqliteStore
from scheduling import NOW, SECOND, a_claim, a_spec

if TYPE_CHECKING:
    from collections.abc import Iterator

NEWER = len(MIGRATIONS) + 1


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "tasks.sqlite"


def _store(database: Path) -> SqliteStore:
    return SqliteStore(database, FakeClock(), logging.getLogger("tasks"))


@contextlib.contextmanager
def _opened(database: Path) -> Iterator[SqliteStore]:
    store = _store(database)
    store.open()
    try:
        yield store
    finally:
        store.close()


def _fill(database: Path, tasks: int = 1) -> None:
    with _opened(database) as store:
        for number in range(tasks):
            store.tasks.add(a_spec(f"task {number}"), NOW, asks=False)


def _add_many(store: SqliteStore) -> None:
    for number in range(1000):
        store.tasks.add(a_spec(f"task {number}"), NOW, asks=False)


def _ask(database: Path, statement: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()


def _aside(database: Path) -> list[Path]:
    found = database.parent.glob("tasks.*-*.sqlite*")
    return sorted(found, key=lambda path: path.stat().st_mtime_ns)


def test_a_file_that_is_no_database_is_set_aside(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for text in ("x", "no database at all\n" * 1000):
        database.write_text(text, encoding="utf-8")
        with _opened(database) as store:
            assert store.tasks.load() == []
            store.tasks.add(a_spec(), NOW, asks=False)
        aside = _aside(database)[-1]
        assert aside.read_text(encoding="utf-8") == text
        assert "is damaged" in caplog.text
        assert str(aside) in caplog.text
        caplog.clear()
    with _opened(database) as store:
        assert [task.spec.name for task in store.tasks.load()] == ["report"]
    assert len(_aside(database)) == 2
    assert not caplog.text


@pytest.mark.parametrize("is_big", [False, True])
def test_a_damaged_database_is_set_aside(
    database: Path, is_big: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_big:  # then not every run is looked at
        monkeypatch.setattr(sqlite_opening, "_MUCH_BYTES", 0)
    _fill(database, 200)
    content = database.read_bytes()
    for damaged in (
        b"\0" * 100 + content[100:],
        content[:8192] + b"\xff" * 16384 + content[8192 + 16384 :],
        content[:-8192],
    ):
        database.write_bytes(damaged)
        with _opened(database) as store:
            assert store.tasks.load() == []
        assert _aside(database)[-1].read_bytes() == damaged


def test_a_newer_database_is_set_aside(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    _fill(database)
    _ask(database, f"PRAGMA user_version = {NEWER}")
    with _opened(database) as store:
        assert store.tasks.load() == []
    [aside] = _aside(database)
    assert ".newer-" in aside.name
    assert "newer nbsession" in caplog.text
    assert _ask(aside, "SELECT name FROM tasks") == [("task 0",)]
    assert _ask(aside, "PRAGMA user_version") == [(NEWER,)]


@pytest.mark.parametrize("what", ["newer", "damaged"])
def test_a_file_that_another_server_uses_stays_where_it_is(
    database: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_use, "_ALONE_MS", 20)
    with _opened(database) as other:
        task = other.tasks.add(a_spec(), NOW, asks=False)
        if what == "newer":
            _ask(database, f"PRAGMA user_version = {NEWER}")
        else:
            _ask(database, "PRAGMA wal_checkpoint(TRUNCATE)")
            content = database.read_bytes()
            database.write_bytes(b"\0" * 4096 + content[4096:])
        with pytest.raises(StoreError, match="another server is using it"):
            _store(database).open()
        assert _aside(database) == []
        if what == "newer":
            assert other.runs.claim([a_claim(task)])[0].won
        else:
            database.write_bytes(content)


def test_another_programs_database_is_left_alone(database: Path) -> None:
    _ask(database, "CREATE TABLE songs (title)")
    with pytest.raises(StoreError, match="another program's database"):
        _store(database).open()
    assert _ask(database, "SELECT name FROM sqlite_master") == [("songs",)]
    assert _aside(database) == []


def test_a_folder_in_place_of_the_file_is_refused(database: Path) -> None:
    database.mkdir()
    with pytest.raises(StoreError, match=r"which is no file.*NBSession\.database"):
        _store(database).open()


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"Not a directory.*NBSession\.database"):
        _store(tmp_path / "file" / "tasks.sqlite").open()


@pytest.fixture
def nobodys_folder() -> Iterator[Path]:
    """Return a folder that this process may only read, whoever runs it."""
    folder = Path(tempfile.mkdtemp())
    is_root = os.geteuid() == 0
    folder.chmod(0o555)
    if is_root:
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o700)
        shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["tasks.sqlite", "nbsession/tasks/work.sqlite"])
def test_a_folder_that_cannot_be_written_to(nobodys_folder: Path, name: str) -> None:
    with pytest.raises(StoreError, match=r"Permission denied; let its folder be written to"):
        _store(nobodys_folder / name).open()


def test_a_database_that_cannot_be_written_to(database: Path) -> None:
    _fill(database)
    folder = Path(tempfile.mkdtemp())
    is_root = os.geteuid() == 0
    try:
        place = folder / database.name
        shutil.copy(database, place)
        place.chmod(0o444)
        folder.chmod(0o755 if not is_root else 0o777)
        if is_root:
            os.seteuid(65534)
        with pytest.raises(StoreError, match=r"readonly database: let the file"):
            _store(place).open()
    finally:
        if is_root:
            os.seteuid(0)
        shutil.rmtree(folder)


def test_a_full_database_fails_and_recovers(database: Path) -> None:
    with _opened(database) as store:
        task = store.tasks.add(a_spec(), NOW, asks=False)
        store._records.rows("PRAGMA max_page_count = 1")  # as few as there are
        with pytest.raises(StoreError, match="the disk is full: make room"):
            _add_many(store)
        tasks = len(store._records.tasks)
        store._records.rows("PRAGMA max_page_count = 1073741823")
        assert store.runs.claim([a_claim(task)])[0].won
        assert len(store.tasks.load()) == tasks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S607 - as mount


def test_a_full_disk_fails_and_recovers(small_disk: Path) -> None:
    with _opened(small_disk / "tasks.sqlite") as store:
        task = store.tasks.add(a_spec(), NOW, asks=False)
        run = store.runs.claim([a_claim(task, NOW + SECOND)])[0].run
        assert run is not None
        with contextlib.suppress(OSError), (small_disk / "ballast").open("wb") as ballast:
            while True:
                ballast.write(b"x" * 4096)
        run.state, run.ended_us, run.output = "succeeded", NOW + SECOND, "y" * 400_000
        with pytest.raises(StoreError, match=r"the disk is full|disk I/O"):
            store.runs.finish([(task, run)])
        assert (task.open_runs, task.run_count) == (1, 0)
        (small_disk / "ballast").unlink()
        run.output = "short"
        store.runs.finish([(task, run)])
        assert (task.open_runs, task.run_count) == (0, 1)
        assert store.runs.history(task, 5) == [run]


def test_a_disk_that_is_full_at_the_start(small_disk: Path) -> None:
    with contextlib.suppress(OSError), (small_disk / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(b"x" * 4096)
    with pytest.raises(StoreError, match=r"full|disk I/O|No space left"):
        _store(small_disk / "tasks.sqlite").open()


def test_a_store_that_another_one_locks_is_busy_and_then_not(database: Path) -> None:
    with _opened(database) as store, contextlib.closing(sqlite3.connect(database)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError, match="try again in a moment"):
            store.tasks.add(a_spec(), NOW, asks=False)
        other.rollback()
        assert store.tasks.add(a_spec(), NOW, asks=False).due_us == NOW


def test_a_store_that_is_damaged_while_it_is_open_says_so(database: Path) -> None:
    _fill(database, 500)
    with _opened(database) as store:
        store._records.rows("PRAGMA cache_size = 0")
        content = database.read_bytes()
        with database.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (len(content) - 4096))
        with pytest.raises(StoreError, match=r"is damaged .*: stop every server"):
            store.tasks.load()
        database.write_bytes(content)


def test_a_store_that_cannot_say_goodbye_closes(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = _store(database)
    store.open()
    with contextlib.closing(sqlite3.connect(database)) as other:
        other.execute("BEGIN IMMEDIATE")
        store.close()
    assert "try again in a moment" in caplog.text
    with pytest.raises(StoreError, match="is closed"):
        store.tasks.load()


def test_a_closed_store_says_so(database: Path) -> None:
    store = _store(database)
    with pytest.raises(StoreError, match="is closed"):
        store.tasks.load()
    store.open()
    store.close()
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.tasks.add(a_spec(), NOW, asks=False)


def test_a_task_that_cannot_be_read_is_left_where_it_is(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _fill(database, 2)
    [(task_id,)] = _ask(database, "SELECT id FROM tasks WHERE name = 'task 0'")
    _ask(database, f"UPDATE specs SET spec = '{{}}' WHERE task_id = {task_id}")  # noqa: S608
    with _opened(database) as store:
        [other] = store.tasks.load()
        assert other.spec.name == "task 1"
        assert store.tasks.get(int(str(task_id))) is None
    assert "cannot be read" in caplog.text
    assert len(_ask(database, "SELECT 1 FROM tasks")) == 2


def test_odd_characters_are_stored(database: Path) -> None:
    with _opened(database) as store:
        task = store.tasks.add(a_spec("café"), NOW, asks=False)
        run = store.runs.claim([a_claim(task)])[0].run
        assert run is not None
        run.state, run.ended_us, run.output = "failed", NOW, "a\0b\udc80ç"
        store.runs.finish([(task, run)])
        assert store.runs.history(task, 1)[0].output == "a\0b?ç"
