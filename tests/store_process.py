"""A process that uses a SQLite store and does one thing with it; see `StoreProcess`."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fake_clock import FakeClock
from nbsession.core.errors import StoreBusyError
from nbsession.scheduler.abc import Claim, HistoryLimits
from nbsession.scheduler.stores.sqlite.store import SqliteStore
from scheduling import NOW, SECOND, a_spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbsession.scheduler.records import TaskRecord

TASKS = 5
OCCURRENCES = 200


class StoreProcess:
    """Runs one of the functions below on a database, until it is killed or done."""

    def __init__(self, what: str, database: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, what, str(database)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_for(self, word: str) -> list[str]:
        """Return what follows the word in the line that begins with it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            first, *rest = line.split()
            if first == word:
                return rest
        raise AssertionError(f"it ended without {word!r}")

    def go(self, times: int = 1) -> None:
        """Let it go on."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n" * times)
        self.process.stdin.flush()

    def kill(self) -> None:
        """Kill it, and leave it a zombie as a careless parent does."""
        self.process.kill()
        os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def store_processes(what: str, database: Path, count: int = 1) -> Iterator[list[StoreProcess]]:
    """Start processes and see to their ends."""
    processes: list[StoreProcess] = []
    try:
        processes += [StoreProcess(what, database) for _ in range(count)]
        yield processes
    finally:
        for process in processes:
            process.close()


def _say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201 - this is how it tells


def _wait() -> None:
    sys.stdin.readline()


def _claim_of(task: TaskRecord) -> Claim:
    due_us = task.due_us
    assert due_us is not None
    following = due_us + SECOND
    last = following >= NOW + OCCURRENCES * SECOND
    return Claim(task, "run", None if last else following, False, due_us, (), "", due_us)  # noqa: FBT003


def race(store: SqliteStore) -> None:
    """Claim and finish every occurrence of all tasks that nobody else has got."""
    store.open()
    tasks = store.tasks.load()
    _say("ready")
    _wait()
    won = 0
    while tasks := [task for task in tasks if task.due_us is not None]:
        try:
            claimed = store.runs.claim([_claim_of(task) for task in tasks])
            ended = []
            for task, answer in zip(tasks, claimed, strict=True):
                if answer.won:
                    assert answer.run is not None
                    run = answer.run
                    run.state, run.ended_us = "succeeded", run.started_us
                    ended.append((task, run))
                else:
                    store.tasks.get(task.id)
            won += len(ended)
        except StoreBusyError:
            continue
        while ended:
            with contextlib.suppress(StoreBusyError):
                store.runs.finish(ended)
                ended = []
    store.close()
    _say("won", won)


def skip(store: SqliteStore) -> None:
    """Claim an occurrence of a task, while its run goes, for each line; see `StoreProcess.go`."""
    store.open()
    [task] = store.tasks.load()
    _say("ready")
    for _ in sys.stdin:
        won = False
        while not won:
            with contextlib.suppress(StoreBusyError):
                store.tasks.get(task.id)
                claim = _claim_of(task)
                claim.next_due_us = claim.run_due_us + SECOND
                [claimed] = store.runs.claim([claim])
                won = claimed.won
        _say("claimed", claim.run_due_us)


def open_fresh(store: SqliteStore) -> None:
    """Open a database that several begin at once, and add a task."""
    _say("ready")
    _wait()
    store.open()
    task = store.tasks.add(a_spec(f"of engine {store._records.engine_id}"), NOW, asks=False)
    _say("added", task.id)
    _wait()
    store.close()


def hold_claim(store: SqliteStore) -> None:
    """Claim an occurrence of each task, and do not finish it."""
    store.open()
    store.runs.claim([_claim_of(task) for task in store.tasks.load()])
    _say("claimed")
    _wait()


def hold_transaction(store: SqliteStore) -> None:
    """Stop in the middle of a claim."""
    store.open()
    [task] = store.tasks.load()
    with store._records.transaction() as transaction:
        store.runs._claim(transaction, _claim_of(task))
        _say("claiming")
        _wait()


def follow(store: SqliteStore) -> None:
    """Take up the file and add a task, again and again."""
    store.open()
    store.tasks.load()
    _say("ready")
    while sys.stdin.readline():
        followed = store.follow_file()
        store.tasks.add(
            a_spec(f"{store._records.engine_id} {time.monotonic_ns()}"), NOW, asks=False
        )
        _say("followed", followed)


def use(store: SqliteStore) -> None:
    """Use the database."""
    store.open()
    _say("open")
    _wait()
    store.close()


if __name__ == "__main__":
    logging.basicConfig()
    limits = HistoryLimits(runs=10_000)
    globals()[sys.argv[1]](
        SqliteStore(Path(sys.argv[2]), FakeClock(), logging.getLogger("tasks"), limits)
    )
