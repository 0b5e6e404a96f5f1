"""What it costs to claim an occurrence in SQLite and to keep what became of its run."""

from __future__ import annotations

import itertools
import logging
import sqlite3
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import table

from nbsession.core.schedule.clock import SystemClock
from nbsession.core.schedule.parse import make_trigger
from nbsession.core.tasks.spec import Home, Target, TaskSpec
from nbsession.scheduler.abc import Claim
from nbsession.scheduler.stores.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbsession.scheduler.records import TaskRecord

ROUNDS, TASKS, RUNS = 30, 1000, 200
SINGLE, BATCHED = "nbsession, each for itself", "nbsession, 20 at once"
BARE = "limit: bare sqlite3, due and row by compare-and-set"
CLAIM, FINISH, RATE = "claim CPU µs", "finish CPU µs", "claimed and finished per s"
_SECOND_US = 1_000_000


class _Bare:
    """The least that a claim can be: one table of tasks, one of runs, no index."""

    def __init__(self, path: Path) -> None:
        self._connection = connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("CREATE TABLE tasks (id INTEGER PRIMARY KEY, due INTEGER)")
        connection.execute("CREATE TABLE runs (id INTEGER PRIMARY KEY, task INTEGER, state TEXT)")
        connection.executemany("INSERT INTO tasks VALUES (?, 0)", [(n,) for n in range(TASKS)])
        self._turns = ((due, task) for due in itertools.count() for task in range(TASKS))

    def sample(self) -> table.Sample:
        execute = self._connection.execute
        began, spent = time.perf_counter(), time.process_time()
        ids = []
        for due, task in itertools.islice(self._turns, RUNS):
            execute("BEGIN IMMEDIATE")
            execute("UPDATE tasks SET due = ? WHERE id = ? AND due = ?", (due + 1, task, due))
            insert = "INSERT INTO runs (task, state) VALUES (?, 'running')"
            ids.append(execute(insert, (task,)).lastrowid)
            execute("COMMIT")
        middle = time.process_time()
        for run in ids:
            execute("UPDATE runs SET state = 'succeeded' WHERE id = ?", (run,))
        return _sample(began, spent, middle)


class _Ours:
    def __init__(self, path: Path) -> None:
        now_us = SystemClock().now_us()
        self._store = SqliteStore(path, SystemClock(), logging.getLogger("bench"))
        self._store.open()
        trigger = make_trigger(None, "1s", None, None, now_us)
        home = Home("/usr/bin/python3", "/srv")
        for number in range(TASKS):
            target = Target("import", "reports", f"report{number}")
            name = f"task {number}"
            spec = TaskSpec(name, target, trigger, trigger.schedule(), home=home)
            self._store.tasks.add(spec, now_us, asks=False)
        self._tasks: Iterator[TaskRecord] = itertools.cycle(self._store.tasks.load())

    def sample(self, at_once: int) -> table.Sample:
        began, spent = time.perf_counter(), time.process_time()
        begun = [self._claim(at_once) for _ in range(RUNS // at_once)]
        middle = time.process_time()
        for runs in begun:
            for _, run in runs:
                run.state, run.ended_us = "succeeded", run.due_us
            self._store.runs.finish(runs)
        return _sample(began, spent, middle)

    def _claim(self, count: int) -> list:
        tasks = [*itertools.islice(self._tasks, count)]
        claims = [
            Claim(task, "run", due_us + _SECOND_US, False, due_us, (), "", due_us)  # noqa: FBT003 - `asks`, as of every period
            for task in tasks
            if (due_us := task.due_us) is not None
        ]
        claimed = self._store.runs.claim(claims)
        return [
            (task, answer.run) for task, answer in zip(tasks, claimed, strict=True) if answer.run
        ]

    def close(self) -> None:
        self._store.close()


def _sample(began: float, spent: float, middle: float) -> table.Sample:
    return {
        CLAIM: 1e6 * (middle - spent) / RUNS,
        FINISH: 1e6 * (time.process_time() - middle) / RUNS,
        RATE: RUNS / (time.perf_counter() - began),
    }


def measure(rounds: int | None = None) -> table.Report:
    """Measure stores of 1,000 tasks in turns, on one disk."""
    report = table.Report("Claim and finish in SQLite")
    with tempfile.TemporaryDirectory() as folder:
        ours = _Ours(Path(folder) / "ours.sqlite")
        cases: dict[str, Callable[[], table.Sample]] = {
            SINGLE: partial(ours.sample, 1),
            BATCHED: partial(ours.sample, 20),
            BARE: _Bare(Path(folder) / "bare.sqlite").sample,
        }
        report.take(cases, rounds or ROUNDS)
        ours.close()
    for case in (SINGLE, BATCHED):
        report.note_ratio(CLAIM, BARE, case)
    return report


if __name__ == "__main__":
    table.main(measure)
