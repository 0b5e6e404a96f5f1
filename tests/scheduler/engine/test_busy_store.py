"""Declaring a task whose name is another one's on the same database."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from typing import TYPE_CHECKING

import pytest

from engines import Bench, ByName, on_bench
from nbsession.core.errors import NoSuchTaskError, TaskExistsError
from nbsession.scheduler.stores.sqlite.store import SqliteStore
from scheduling import a_spec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _store(bench: Bench, folder: Path) -> SqliteStore:
    return SqliteStore(folder / "tasks.sqlite", bench.clock, logging.getLogger("tasks"))


def _open(bench: Bench, folder: Path, callback: Callable[[], object]) -> Bench:
    """Return an engine on the database of a folder."""
    executor = ByName(bench.clock, {"report": callback})
    return Bench(bench.clock, _store(bench, folder), executor)


async def _open_on_unread(bench: Bench, folder: Path, callback: Callable[[], object]) -> Bench:
    """Return an engine on a database with a task that it cannot read."""
    first = _open(bench, folder, callback)
    first.engine.schedule(a_spec(period="1h"))
    await asyncio.sleep(1)
    await first.engine.close()
    with contextlib.closing(sqlite3.connect(folder / "tasks.sqlite")) as connection:
        connection.execute("UPDATE specs SET spec = replace(spec, 'misfire', 'of_tomorrow')")
        connection.commit()
    return _open(bench, folder, callback)


@on_bench
async def test_a_task_that_cannot_be_read_can_be_replaced(bench: Bench, tmp_path: Path) -> None:
    one = await _open_on_unread(bench, tmp_path, bench.tick)
    assert one.engine.find("report") is None
    with pytest.raises(TaskExistsError, match=r"cannot be read here .*; replace=True replaces it"):
        one.engine.schedule(a_spec(period="10s"))
    other = _store(bench, tmp_path)
    other.open()
    [(unread,)] = other._records.rows("SELECT id FROM tasks")
    task, outcome = one.engine.schedule(a_spec(period="10s"), replace=True)
    assert outcome == "replaced"
    removed = other._records.rows("SELECT task_id FROM removed")
    assert removed == [(unread,)]  # for engines that know it
    other.close()
    assert one.engine.schedule(a_spec(period="10s")) == (task, "same")
    before = len(bench.times)
    await asyncio.sleep(25)
    assert len(bench.times) == before + 3
    two = _open(bench, tmp_path, bench.tick)
    assert [each.id for each in two.engine.tasks()] == [task.id]
    for each in (one, two):
        await each.engine.close()


@pytest.mark.parametrize("wait", [False, True])
def test_a_task_that_cannot_be_read_can_be_cancelled(wait: bool, tmp_path: Path) -> None:
    @on_bench
    async def cancel(bench: Bench) -> None:
        one = await _open_on_unread(bench, tmp_path, bench.tick)
        one.engine.cancel("report", wait=wait)
        with pytest.raises(NoSuchTaskError):
            one.engine.cancel("report", wait=wait)
        assert one.engine.schedule(a_spec())[1] == "made"
        await one.engine.close()

    cancel()


@on_bench
async def test_a_task_that_another_engine_removes_meanwhile_is_made_anew(
    bench: Bench, tmp_path: Path
) -> None:
    one = _open(bench, tmp_path, lambda: asyncio.sleep(100))
    known, _ = one.engine.schedule(a_spec(period="1h"))
    await asyncio.sleep(1)
    [going] = one.engine.history("report", 5)
    other = _store(bench, tmp_path)
    other.open()
    hear = one.store.tasks.changes

    def remove_then() -> None:  # just after this engine has looked
        one.store.tasks.changes = hear
        assert one.store.tasks.changes() is None
        [theirs] = other.tasks.load()
        other.tasks.remove(theirs)

    one.store.tasks.changes = remove_then
    task, outcome = one.engine.schedule(a_spec(period="10s"), replace=True)
    assert (outcome, task.id != known.id, known.due_us) == ("made", True, None)
    assert one.engine.tasks() == [task]
    ended = await one.engine.finished(going.id)
    assert ended is not None
    assert (ended.state, ended.reason) == ("failed", "cancelled")
    await asyncio.sleep(1)
    assert task.state == "running"
    other.close()
    await one.engine.close()
