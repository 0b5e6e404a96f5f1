"""Stores of every kind, and what goes into them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from fake_clock import FakeClock
from nbsession.scheduler.abc import HistoryLimits
from nbsession.scheduler.stores.memory import MemoryStore
from nbsession.scheduler.stores.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nbsession.scheduler.abc import Store

Factory = "Callable[[Path, HistoryLimits, FakeClock], Store]"


def _memory(_folder: Path, limits: HistoryLimits, clock: FakeClock) -> Store:
    return MemoryStore(limits, clock)


def _sqlite(folder: Path, limits: HistoryLimits, clock: FakeClock) -> Store:
    return SqliteStore(folder / "tasks.sqlite", clock, logging.getLogger("tasks"), limits)


STORES: dict[str, Factory] = {"memory": _memory, "sqlite": _sqlite}


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that stands still."""
    return FakeClock()


@pytest.fixture(params=list(STORES))
def make_store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock
) -> Iterator[Callable[..., Store]]:
    """Return a function that opens a store of one kind; on the same folder each time."""
    opened: list[Store] = []

    def make(limits: HistoryLimits | None = None) -> Store:
        store = STORES[request.param](tmp_path, limits or HistoryLimits(), clock)
        store.open()
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def store(make_store: Callable[..., Store]) -> Store:
    """Return an open store with the default limits."""
    return make_store()
