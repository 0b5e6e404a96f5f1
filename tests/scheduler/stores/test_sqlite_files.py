"""Where the database of a server lies, and who may read it."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from fake_clock import FakeClock
from nbsession.scheduler.stores.sqlite.files import database_path
from nbsession.scheduler.stores.sqlite.store import SqliteStore
from scheduling import NOW, a_spec


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_each_root_directory_has_its_own_database(tmp_path: Path) -> None:
    places = [
        database_path(tmp_path, Path(root))
        for root in (
            "/srv/sales",
            "/home/me/sales",
            "/",
            "/srv/Überstunden & Co",
            "/srv/" + "x" * 300,
        )
    ]
    assert len(set(places)) == len(places)
    folder = tmp_path / "nbsession" / "tasks"
    assert {place.parent for place in places} == {folder}
    assert places[0].name.startswith("sales-")
    assert places[2].name.startswith("root-")
    assert places[3].name.startswith("berstunden-Co-")
    assert max(len(place.name) for place in places) < 70
    assert all(place.name.isascii() for place in places)


def test_one_root_directory_has_one_database_by_all_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "link").symlink_to(root)
    monkeypatch.chdir(tmp_path)
    names = [root, tmp_path / "link", Path("root"), root / ".." / "root"]
    assert len({database_path(tmp_path, name) for name in names}) == 1


@pytest.mark.parametrize("kind", ["ext4", "nfs4"])
def test_nobody_else_may_read_it(tmp_path: Path, kind: str) -> None:
    umask = os.umask(0)
    try:
        path = database_path(tmp_path / "data", tmp_path)
        store = SqliteStore(
            path, FakeClock(), logging.getLogger("tasks"), kind_of_file_system=lambda _: kind
        )
        store.open()
        store.tasks.add(a_spec(), NOW, asks=False)
        files = list(path.parent.iterdir())
        assert len(files) > 2
        assert {_mode(file) for file in files} == {0o600}
        for folder in (path.parent, path.parent.parent, tmp_path / "data"):
            assert _mode(folder) == 0o700
        store.close()
    finally:
        os.umask(umask)


def test_any_name_will_do(tmp_path: Path) -> None:
    path = tmp_path / "50% of a?b#c;d ü" / "tasks.db"
    for tasks in (0, 1):
        store = SqliteStore(path, FakeClock(), logging.getLogger("tasks"))
        store.open()
        assert len(store.tasks.load()) == tasks
        if not tasks:
            store.tasks.add(a_spec(), NOW, asks=False)
        store.close()
    assert path.stat().st_size > 0


def test_a_shared_file_keeps_its_permissions(tmp_path: Path) -> None:
    tmp_path.chmod(0o770)
    path = tmp_path / "team.sqlite"
    path.touch()
    path.chmod(0o660)
    store = SqliteStore(path, FakeClock(), logging.getLogger("tasks"))
    store.open()
    store.close()
    assert (_mode(path), _mode(tmp_path)) == (0o660, 0o770)
