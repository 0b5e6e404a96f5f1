"""A SQLite store on a file system that other machines may have open too."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engines import Bench, ByName, on_bench
from fake_clock import FakeClock
from nbsession.core.errors import StoreError
from nbsession.scheduler.stores.sqlite import files as file_system
from nbsession.scheduler.stores.sqlite.files import SILENT_SECONDS, file_system_kind, is_network
from nbsession.scheduler.stores.sqlite.store import SqliteStore
from scheduling import NOW, SECOND, a_claim, a_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOUNTS = r"""
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:21 / /proc rw - proc proc rw
30 22 0:30 / /home rw,relatime shared:1 - nfs4 server:/export rw,vers=4.2
31 30 254:1 / /home/local rw shared:2 master:3 - xfs /dev/vdb rw
32 22 0:31 / /mnt/my\040disk rw - cifs //server/share rw
33 22 0:32 / /mnt/twice rw - ext4 /dev/vdc rw
34 22 0:33 / /mnt/twice rw - fuse.sshfs me@server: rw
""".lstrip()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "tasks.sqlite"


@pytest.fixture
def make(database: Path) -> Iterator[Callable[..., SqliteStore]]:
    """Return a function that opens a store on one of several machines."""
    stores = []

    def make(host: str = "here", kind: str = "nfs4") -> SqliteStore:
        store = SqliteStore(
            database, FakeClock(), logging.getLogger("tasks"), kind_of_file_system=lambda _: kind
        )
        store.engines.process = type(store.engines.process)(
            host, host, "", os.getpid(), store.engines.process.start
        )
        store.open()
        stores.append(store)
        return store

    yield make
    for store in stores:
        with contextlib.suppress(StoreError):
            store.close()


def _grow_old(database: Path) -> None:
    name = Path(f"{database}-host")
    then = name.stat().st_mtime - SILENT_SECONDS - 1
    os.utime(name, (then, then))


def _holder(database: Path) -> str:
    return str(json.loads(Path(f"{database}-host").read_text(encoding="utf-8"))["host"])


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/srv", "ext4"),
        ("/home/me/.local", "nfs4"),
        ("/homes/me", "ext4"),
        ("/home/local/me", "xfs"),
        ("/mnt/my disk/data", "cifs"),
        ("/mnt/twice", "fuse.sshfs"),
    ],
)
def test_the_kind_of_a_file_system_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, kind: str
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS, encoding="utf-8")
    monkeypatch.setattr(file_system, "_MOUNTS", mounts)
    assert file_system_kind(Path(folder)) == kind


def test_a_link_is_followed_to_its_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS, encoding="utf-8")
    monkeypatch.setattr(file_system, "_MOUNTS", mounts)
    (tmp_path / "link").symlink_to("/home/me")
    assert file_system_kind(tmp_path / "link") == "nfs4"


def test_this_machines_own_mounts_can_be_read(tmp_path: Path) -> None:
    assert file_system_kind(tmp_path)


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "lustre", "9p"])
def test_network_file_systems_are_known(kind: str) -> None:
    assert is_network(kind)


@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "btrfs", "overlay", "tmpfs", "apfs", "fuseblk", ""]
)
def test_local_file_systems_are_known(kind: str) -> None:
    assert not is_network(kind)


def test_no_wal_and_no_shared_memory_on_a_network(
    make: Callable[..., SqliteStore], database: Path
) -> None:
    store, other = make(), make()
    task = store.tasks.add(a_spec(), NOW, asks=False)
    assert store._records.rows("PRAGMA journal_mode") == other._records.rows("PRAGMA journal_mode")
    assert store._records.rows("PRAGMA journal_mode") != [("wal",)]
    assert other.tasks.changes() is not None
    run = store.runs.claim([a_claim(task, NOW + SECOND)])[0].run
    assert run is not None
    [found] = other.tasks.load()
    assert other.runs.history(found, 5) == [run]
    names = {path.name for path in database.parent.iterdir()}
    assert not any(name.endswith(("-wal", "-shm")) for name in names)


def test_a_database_that_was_moved_to_a_network_has_no_wal_any_more(
    make: Callable[..., SqliteStore], database: Path
) -> None:
    local = make(kind="ext4")
    local.tasks.add(a_spec(), NOW, asks=False)
    assert local._records.rows("PRAGMA journal_mode") == [("wal",)]
    local.close()
    store = make()
    assert store._records.rows("PRAGMA journal_mode") != [("wal",)]
    assert [task.spec.name for task in store.tasks.load()] == ["report"]
    store.close()
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert make(kind="ext4")._records.rows("PRAGMA journal_mode") == [("wal",)]


def test_a_second_machine_is_refused(make: Callable[..., SqliteStore], database: Path) -> None:
    store = make()
    with pytest.raises(StoreError, match=r"network file system and is in use on .+: stop"):
        make("there")
    assert store.beat() == []
    assert _holder(database) == "here:here"
    store.close()
    make("there")


def test_the_next_machine_may_have_it_when_the_last_is_silent(
    make: Callable[..., SqliteStore], database: Path
) -> None:
    store = make()
    task = store.tasks.add(a_spec(), NOW, asks=False)
    _grow_old(database)
    other = make("there")
    with pytest.raises(StoreError, match="in use on"):
        store.beat()
    with pytest.raises(StoreError, match="in use on"):
        store.runs.claim([a_claim(task)])
    assert _holder(database) == "there:there"
    assert [task.spec.name for task in other.tasks.load()] == ["report"]


def test_who_has_lost_it_goes_on_when_the_other_machine_is_done(
    make: Callable[..., SqliteStore], database: Path
) -> None:
    store = make()
    task = store.tasks.add(a_spec(), NOW, asks=False)
    assert store.tasks.load() != []
    _grow_old(database)
    other = make("there")
    with pytest.raises(StoreError, match="in use on"):
        store.beat()
    [theirs] = other.tasks.load()
    other.tasks.pause(theirs, paused=True, due_us=None, asks=False)
    added = other.tasks.add(a_spec("added"), NOW, asks=False)
    other._clock.go_on(20)
    other.beat()
    assert (
        len(other._records.rows("SELECT id FROM engines")) == 1
    )  # it takes the first one for dead
    other.close()
    [task] = store._records.tasks.values()
    run = store.runs.start_by_hand(task, NOW)  # before any sign of life
    assert run.state == "running"
    assert _holder(database) == "here:here"
    changed, removed = store.tasks.changes() or ([], [])
    assert ({each.id for each in changed}, removed) == ({task.id, added.id}, [])
    assert task.paused
    assert store._records.rows("SELECT id FROM engines") == store._records.rows(
        "SELECT engine_id FROM runs"
    )
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.tasks.load()


def test_who_has_lost_it_can_close(
    make: Callable[..., SqliteStore], database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store, again = make(), make()
    for name, each in (("report", store), ("again", again)):
        each.runs.start_by_hand(each.tasks.add(a_spec(name), NOW, asks=False), NOW)
    _grow_old(database)
    other = make("there")
    for each in (store, again):
        with pytest.raises(StoreError, match="in use on"):
            each.beat()
    store.close()
    assert "in use on" in caplog.text
    with pytest.raises(StoreError, match="is closed"):
        store.beat()
    other.close()
    _grow_old(database)
    again.close()
    [task] = [task for task in make().tasks.load() if task.spec.name == "again"]
    assert (task.open_runs, task.last_state) == (0, "lost")


def test_who_was_refused_stays_closed(make: Callable[..., SqliteStore], database: Path) -> None:
    other = make("there")
    refused = SqliteStore(
        database, FakeClock(), logging.getLogger("tasks"), kind_of_file_system=lambda _: "nfs4"
    )
    with pytest.raises(StoreError, match="in use on"):
        refused.open()
    other.close()
    with pytest.raises(StoreError, match="is closed"):
        refused.tasks.load()


@on_bench
async def test_an_engine_that_has_lost_it_goes_on(
    bench: Bench, make: Callable[..., SqliteStore], database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def slow() -> None:
        bench.tick()
        await asyncio.sleep(8)

    store = SqliteStore(
        database, bench.clock, logging.getLogger("tasks"), kind_of_file_system=lambda _: "nfs4"
    )
    engine = Bench(bench.clock, store, ByName(bench.clock, {"report": slow})).engine
    engine.schedule(a_spec(period="20s"))
    await asyncio.sleep(1)
    _grow_old(database)
    other = make("there")
    await asyncio.sleep(20)  # the end of the run cannot be written
    assert caplog.text.count("trying each second") == 1
    other.close()
    _grow_old(database)
    await asyncio.sleep(20)
    assert "can be stored again" in caplog.text
    assert bench.times == [0, pytest.approx(22, abs=1.1), 40]
    await engine.close()


def test_a_sign_of_life_keeps_other_machines_out(
    make: Callable[..., SqliteStore], database: Path
) -> None:
    store = make()
    _grow_old(database)
    store.beat()
    with pytest.raises(StoreError, match="in use on"):
        make("there")


def test_the_last_of_a_machine_gives_it_up(
    make: Callable[..., SqliteStore], database: Path
) -> None:
    one, two = make(), make()
    one.close()
    assert _holder(database) == "here:here"
    two.close()
    assert [path.name for path in database.parent.iterdir() if "host" in path.name] == []


def test_a_claim_that_says_nothing_is_taken_over(
    make: Callable[..., SqliteStore], database: Path
) -> None:
    Path(f"{database}-host").write_text("[]", encoding="utf-8")
    make()
    assert _holder(database) == "here:here"
