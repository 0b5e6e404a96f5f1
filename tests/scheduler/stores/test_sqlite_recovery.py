"""A SQLite store whose file is deleted, renamed or replaced while it is open."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import sqlite3
from typing import TYPE_CHECKING

import pytest

from engines import Bench, ByName, on_bench
from nbsession.core.errors import StoreBusyError
from nbsession.scheduler.engine.engine import Engine
from nbsession.scheduler.stores.sqlite import files as sqlite_file
from nbsession.scheduler.stores.sqlite.store import SqliteStore
from scheduling import NOW, SECOND, a_claim, a_spec
from store_process import store_processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fake_clock import FakeClock
    from nbsession.scheduler.engine.events import Changes
    from nbsession.scheduler.records import TaskRecord


@pytest.fixture(autouse=True)
def _always_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_file, "FRESH_SECONDS", 0)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "place" / "tasks.sqlite"


@pytest.fixture
def make(database: Path, clock: FakeClock) -> Iterator[Callable[..., SqliteStore]]:
    """Return a function that opens a store of another engine, with what it has loaded."""
    stores: list[SqliteStore] = []

    def make(path: Path = database) -> SqliteStore:
        store = SqliteStore(path, clock, logging.getLogger("tasks"))
        store.open()
        store.tasks.load()
        stores.append(store)
        return store

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def one(make: Callable[..., SqliteStore]) -> SqliteStore:
    return make()


@pytest.fixture
def two(one: SqliteStore, make: Callable[..., SqliteStore]) -> SqliteStore:
    return make()


def _add(store: SqliteStore, *names: str) -> list[TaskRecord]:
    return [store.tasks.add(a_spec(name), NOW, asks=False) for name in names]


def _names(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [name for (name,) in connection.execute("SELECT name FROM tasks ORDER BY name")]


def _delete(path: Path) -> None:
    path.unlink()


def _delete_all(path: Path) -> None:
    for file in path.parent.glob("tasks.sqlite*"):
        file.unlink()


def _delete_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def _rename(path: Path) -> None:
    path.rename(path.with_name("away.sqlite"))


def _rename_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("away"))


GONE = [_delete, _delete_all, _delete_folder, _rename, _rename_folder]


@pytest.mark.parametrize("remove", GONE)
def test_a_deleted_file_is_written_again(
    database: Path,
    one: SqliteStore,
    remove: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    [task, _] = _add(one, "report", "other")
    run = one.runs.claim([a_claim(task, NOW + SECOND)])[0].run
    assert run is not None
    mode = database.stat().st_mode
    assert not one.follow_file()
    remove(database)
    assert one.follow_file()
    assert not one.follow_file()
    assert "a copy is there now" in caplog.text
    assert one.file_notice is not None
    assert one.file_notice["missing"] == []
    assert one.tasks.changes() is None
    run.state, run.ended_us = "succeeded", NOW + SECOND
    one.runs.finish([(task, run)])
    _add(one, "third")
    assert one.runs.history(task, 5) == [run]
    assert _names(database) == ["other", "report", "third"]
    assert database.stat().st_mode == mode
    assert [path.name for path in database.parent.glob(".*")] == []
    one.close()
    assert _names(database) == ["other", "report", "third"]


@pytest.mark.parametrize("remove", GONE)
def test_two_engines_go_on_with_one_new_file(
    database: Path, one: SqliteStore, two: SqliteStore, remove: Callable[[Path], None]
) -> None:
    [task] = _add(one, "report")
    two.tasks.changes()
    remove(database)
    with pytest.raises(StoreBusyError, match="deleted or replaced"):
        two.runs.claim([a_claim(task, NOW + SECOND)])  # not both of them on files of their own
    assert one.follow_file()
    with pytest.raises(StoreBusyError, match="deleted or replaced"):
        _add(two, "lost")
    assert one.runs.claim([a_claim(task, NOW + SECOND)])[0].won
    assert two.follow_file()
    [told], removed = two.tasks.changes() or ([], [])
    assert (told.spec.name, told.due_us, told.open_runs, removed) == ("report", NOW + SECOND, 1, [])
    assert not two.runs.claim([a_claim(_stale(told), NOW + SECOND)])[0].won
    _add(two, "of two")
    _add(one, "of one")
    assert one.beat() == two.beat() == []
    assert _names(database) == ["of one", "of two", "report"]


def _stale(task: TaskRecord) -> TaskRecord:
    task.due_us = NOW
    return task


def test_it_is_deleted_again_and_again(database: Path, one: SqliteStore, two: SqliteStore) -> None:
    for number in range(5):
        first, second = (one, two) if number % 2 else (two, one)
        _add(first, f"task {number}")
        _delete(database)
        assert first.follow_file()
        assert second.follow_file()
    one.close()
    two.close()
    assert _names(database) == [f"task {number}" for number in range(5)]


def test_a_file_that_is_renamed_and_put_back_at_once_is_the_same(
    database: Path, one: SqliteStore
) -> None:
    _add(one, "report")
    away = database.with_name("away.sqlite")
    database.rename(away)
    away.rename(database)
    assert not one.follow_file()
    _add(one, "other")
    one.close()
    assert _names(database) == ["other", "report"]


def test_a_file_that_is_renamed_and_put_back_late_is_the_truth(
    database: Path, one: SqliteStore, two: SqliteStore
) -> None:
    _add(one, "report")
    two.tasks.changes()
    away = database.with_name("away.sqlite")
    database.rename(away)
    assert one.follow_file()
    assert two.follow_file()
    assert _names(away) == ["report"]  # all of it, also what was in the journal
    _add(one, "late")
    away.rename(database)
    assert one.follow_file()
    assert one.file_notice is not None
    assert one.file_notice["missing"] == ["late"]
    assert two.follow_file()
    for store in (one, two):
        store.tasks.changes()
        assert [task.spec.name for task in store._records.tasks.values()] == ["report"]
    _add(two, "of two")
    _add(one, "of one")
    one.close()
    two.close()
    assert _names(database) == ["of one", "of two", "report"]


def test_another_database_in_its_place_is_the_truth(
    database: Path,
    one: SqliteStore,
    two: SqliteStore,
    make: Callable[..., SqliteStore],
    caplog: pytest.LogCaptureFixture,
) -> None:
    other_path = database.with_name("other.sqlite")
    other, another = make(other_path), make(other_path)
    [foreign] = _add(other, "foreign")
    _add(other, "both")
    other.close()
    another.close()
    [mine, _, _] = _add(one, "mine", "both", "mine too")
    two.tasks.changes()
    run = one.runs.claim([a_claim(mine, NOW + SECOND)])[0].run
    assert run is not None
    assert mine.id == foreign.id  # ids are those of each database
    other_path.replace(database)
    with pytest.raises(StoreBusyError, match="deleted or replaced"):
        one.beat()
    for store in (one, two):
        assert store.follow_file()
        changed, removed = store.tasks.changes() or ([], [])
        assert sorted(task.spec.name for task in changed) == ["both", "foreign"]
        assert mine.id in removed
        assert store.file_notice is not None
        assert store.file_notice["missing"] == ["mine", "mine too"]
    assert "missing from it: 'mine', 'mine too'" in caplog.text
    assert one._records.engine_id != two._records.engine_id
    run.state, run.ended_us = "succeeded", NOW + SECOND
    one.runs.finish([(mine, run)])  # of the other database: touches nothing here
    [read] = [task for task in one._records.tasks.values() if task.spec.name == "foreign"]
    assert (read.open_runs, read.run_count, one.runs.history(read, 5)) == (0, 0, [])
    [claimed] = one.runs.claim([a_claim(read, NOW + SECOND)])
    assert claimed.run is not None
    assert two.beat() == one.beat() == []
    one.close()
    two.close()
    assert _names(database) == ["both", "foreign"]


def test_an_older_state_of_it_in_its_place_is_the_truth(
    database: Path, one: SqliteStore, tmp_path: Path
) -> None:
    [task] = _add(one, "report")
    assert one.runs.claim([a_claim(task, NOW + SECOND)])[0].won
    backup = tmp_path / "backup.sqlite"
    one._records.rows("VACUUM INTO ?", (str(backup),))
    [late] = _add(one, "late")
    one.tasks.remove(task)
    backup.replace(database)
    assert one.follow_file()
    changed, removed = one.tasks.changes() or ([], [])
    assert [told.spec.name for told in changed] == ["report"]
    assert late.id in removed
    assert one.file_notice is not None
    assert one.file_notice["missing"] == ["late"]


@pytest.mark.parametrize("content", [b"x", b"no database at all\n" * 1000])
def test_what_is_no_database_is_set_aside(
    database: Path, one: SqliteStore, two: SqliteStore, content: bytes
) -> None:
    _add(one, "report")
    two.tasks.changes()
    garbage = database.with_name("garbage")
    garbage.write_bytes(content)
    garbage.replace(database)
    with pytest.raises(StoreBusyError):
        one.follow_file()  # the other one uses what is there
    assert two.follow_file()
    assert one.follow_file()
    [aside] = database.parent.glob("tasks.damaged-*.sqlite")
    assert aside.read_bytes() == content
    _add(one, "of one")
    _add(two, "of two")
    one.close()
    two.close()
    assert _names(database) == ["of one", "of two", "report"]


def test_another_programs_database_in_its_place_is_left_alone(
    database: Path, one: SqliteStore, clock: FakeClock
) -> None:
    _add(one, "report")
    other = database.with_name("songs.sqlite")
    with contextlib.closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE songs (title)")
    other.replace(database)
    assert not one.follow_file()
    assert one.file_notice is not None
    assert "another program's database" in one.file_notice["message"]
    _add(one, "goes on")
    database.unlink()
    assert one.follow_file()
    assert _names(database) == ["goes on", "report"]


@pytest.mark.parametrize("ending", ["-wal", "-shm"])
def test_a_journal_that_is_deleted_is_begun_anew(
    database: Path, one: SqliteStore, ending: str
) -> None:
    with contextlib.ExitStack() as stack:
        [two] = stack.enter_context(store_processes("follow", database))
        two.wait_for("ready")
        _add(one, "report")
        database.with_name(database.name + ending).unlink()
        [three] = stack.enter_context(store_processes("follow", database))  # waits until it is
        with pytest.raises(StoreBusyError, match="deleted or replaced"):
            _add(one, "refused")
        assert one.follow_file()
        _add(one, "of one")
        two.go()
        two.wait_for("followed")
        three.go()
        three.wait_for("followed")
        for _ in range(3):  # from one journal to the other
            two.go()
            two.wait_for("followed")
            _add(one, f"task {len(_names(database))}")
        assert len(_names(database)) == 10
    one.close()
    assert len(_names(database)) == 10


def test_who_closes_after_a_deletion_leaves_the_file_behind(
    database: Path, one: SqliteStore
) -> None:
    _add(one, "report")
    _delete_all(database)
    one.close()
    assert _names(database) == ["report"]


def test_a_file_that_cannot_be_written_again(
    database: Path, one: SqliteStore, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    [task] = _add(one, "report")
    shutil.rmtree(database.parent)
    database.parent.touch()  # a file where the folder was
    for _ in range(3):
        assert not one.follow_file()
        clock.go_on(60)
    assert caplog.text.count("cannot be opened again") == 1
    assert one.runs.claim([a_claim(task, NOW + SECOND)])[0].won  # as long as this server runs
    database.parent.unlink()
    clock.go_on(60)
    assert one.follow_file()
    assert _names(database) == ["report"]


@on_bench
async def test_an_engine_goes_on_when_its_file_is_deleted(bench: Bench, tmp_path: Path) -> None:
    database = tmp_path / "tasks.sqlite"
    ran: list[str] = []
    engines = [_engine(bench.clock, database, ran) for _ in "12"]
    one, two = (engine for engine, _ in engines)
    one.schedule(a_spec("report", period="1s"))
    for remove in (_delete, _delete_all, _rename):
        await asyncio.sleep(10)
        remove(database)
    await asyncio.sleep(10.5)
    for engine, _ in engines:
        rows = engine.history("report", 1000)
        assert {row.state for row in rows} == {"succeeded"}
        dues = [row.due_us for row in rows]
        assert len(dues) == len(set(dues)) == len(ran) == 41
    for engine in (two, one):
        await engine.close()
    assert _names(database) == ["report"]


@on_bench
async def test_an_engine_takes_another_database_up(bench: Bench, tmp_path: Path) -> None:
    database, other = tmp_path / "tasks.sqlite", tmp_path / "other.sqlite"
    ran: list[str] = []
    foreign, _ = _engine(bench.clock, other, ran)
    foreign.schedule(a_spec("foreign", period="1s"))
    foreign.schedule(a_spec("both", period="1h"))
    await foreign.close()
    engine, store = _engine(bench.clock, database, ran)
    changes: list[Changes] = []
    engine.subscribe(changes.append)
    engine.schedule(a_spec("mine", period="1s"))
    engine.schedule(a_spec("slow", period="1h"))
    engine.schedule(a_spec("both", period="2h"))
    await asyncio.sleep(3)
    assert "slow" not in ran  # goes on
    ran.clear()
    other.replace(database)
    await asyncio.sleep(5)
    assert [task.spec.name for task in engine.tasks()] == ["both", "foreign"]
    assert engine.get("both").spec.schedule == {"period": "1h"}
    assert ran.count("foreign") >= 4
    assert ran.count("mine") <= 1
    assert store.file_notice is not None
    assert store.file_notice["missing"] == ["mine", "slow"]
    assert {"mine", "slow"} <= {name for change in changes for name in change.removed}
    engine.schedule(a_spec("mine", period="1s"))
    await asyncio.sleep(3)
    assert ran.count("mine") >= 2
    await engine.close()
    assert _names(database) == ["both", "foreign", "mine"]


def _engine(clock: FakeClock, path: Path, ran: list[str]) -> tuple[Engine, SqliteStore]:
    async def slow() -> None:
        await asyncio.sleep(3600)
        ran.append("slow")

    functions: dict[str, Callable[..., object]] = {
        name: (lambda name=name: ran.append(name)) for name in ("report", "foreign", "both", "mine")
    }
    store = SqliteStore(path, clock, logging.getLogger("tasks"))
    executor = ByName(clock, {**functions, "slow": slow})
    engine = Engine(store, executor, clock, logging.getLogger("tasks"))
    engine.open()
    return engine, store


def test_a_file_on_a_network_is_written_again(database: Path, clock: FakeClock) -> None:
    store = SqliteStore(
        database, clock, logging.getLogger("tasks"), kind_of_file_system=lambda _folder: "nfs4"
    )
    store.open()
    store.tasks.load()
    _add(store, "report")
    for remove in (_delete_all, _rename):
        remove(database)
        assert store.follow_file()
        _add(store, remove.__name__)
    assert store.beat() == []
    store.close()
    assert _names(database) == ["_delete_all", "_rename", "report"]


def test_an_empty_file_in_its_place_is_filled(
    database: Path, one: SqliteStore, two: SqliteStore
) -> None:
    _add(one, "report")
    two.tasks.changes()
    database.unlink()
    database.touch()
    with pytest.raises(StoreBusyError):
        one.follow_file()  # a server that has just begun may be about to fill it
    assert two.follow_file()
    assert one.follow_file()
    _add(one, "of one")
    _add(two, "of two")
    assert _names(database) == ["of one", "of two", "report"]


def test_what_a_new_server_has_begun_counts(database: Path, one: SqliteStore) -> None:
    _add(one, "report")
    _delete_all(database)
    with store_processes("follow", database) as [new]:
        new.wait_for("ready")
        assert one.follow_file()
        new.go()
        new.wait_for("followed")
        assert one.file_notice is not None
        assert one.file_notice["missing"] == ["report"]
        assert "report" not in _names(database)


@pytest.mark.parametrize("is_link_deleted", [True, False])
def test_a_file_behind_a_link(
    database: Path, make: Callable[..., SqliteStore], is_link_deleted: bool
) -> None:
    real = database.parent / "real" / "work.sqlite"
    real.parent.mkdir(parents=True)
    real.touch()
    database.symlink_to(real)
    store = make()
    _add(store, "report")
    if is_link_deleted:
        database.unlink()
    else:
        for file in real.parent.iterdir():
            file.unlink()
    assert store.follow_file()
    _add(store, "other")
    store.close()
    assert _names(database) == ["other", "report"]
    assert database.is_symlink() is not is_link_deleted
