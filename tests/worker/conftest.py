"""Workers that the tests of one file share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workers import Workers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    """Return a scheduler with a worker for a folder of the file's own."""
    workers = Workers(tmp_path_factory.mktemp("tasks"))
    yield workers
    workers.close()


@pytest.fixture
def own_workers(tmp_path: Path) -> Iterator[Workers]:
    """Return a scheduler for one test, with a setup script ``setup.py``."""
    workers = Workers(tmp_path, ("setup.py",))
    yield workers
    workers.close()
