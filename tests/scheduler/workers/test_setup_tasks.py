"""The tasks of setup scripts while another process holds the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nbsession.core.errors import StoreBusyError
from workers import Workers, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SETUP = """
from nbsession import state
def speak(): print("here")
state.schedule_task("first", speak, cron="@yearly")
state.schedule_task("second", speak, cron="@yearly")
"""


class Busy:
    """Lets every call of some methods fail so many times before it is passed on."""

    def __init__(self, monkeypatch, engine, methods: tuple[str, ...], failures: int = 2) -> None:
        self.failed: list[str] = []
        for method in methods:
            call = getattr(engine, method)
            monkeypatch.setattr(engine, method, self._wrap(call, method, failures))

    def _wrap(self, call: Callable, method: str, failures: int) -> Callable:
        left = failures

        def wrapped(*args, **kwargs):
            nonlocal left
            if left:
                left -= 1
                self.failed.append(method)
                raise StoreBusyError("another server is writing")
            left = failures
            return call(*args, **kwargs)

        return wrapped


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    workers = Workers(tmp_path, ("setup.py",))
    yield workers
    workers.close()


def names(workers: Workers) -> set[str]:
    return {task["name"] for task in workers.service.list()}


def test_a_busy_database_breaks_no_script(workers, monkeypatch):
    workers.write("setup.py", SETUP)
    busy = Busy(monkeypatch, workers.engine, ("schedule", "retain"))
    workers.start_setups()
    assert names(workers) == {"first", "second"}, workers.logged()
    workers.write("setup.py", SETUP.replace("second", "third"))
    wait_for(lambda: names(workers) == {"first", "third"})
    assert {"schedule", "retain"} == set(busy.failed)
    assert "raised" not in workers.logged()


def test_what_a_broken_script_has_added_goes_though_the_database_is_busy(workers, monkeypatch):
    workers.write("setup.py", SETUP + "1 / 0")
    Busy(monkeypatch, workers.engine, ("cancel",))
    workers.start_setups()
    wait_for(lambda: not names(workers))
    workers.write("setup.py", SETUP)
    wait_for(lambda: names(workers) == {"first", "second"})
