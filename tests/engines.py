"""Engines of tests, on a fake clock: hours of tasks in milliseconds."""

from __future__ import annotations

import inspect
import logging
from dataclasses import replace as copy_with
from functools import wraps
from typing import TYPE_CHECKING, Any

from fake_clock import FakeClock, run_fast
from inline_executor import InlineExecutor
from nbsession.core.tasks.spec import Target
from nbsession.scheduler.engine.engine import Engine
from nbsession.scheduler.stores.memory import MemoryStore
from scheduling import local_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from nbsession.core.tasks.run import Run
    from nbsession.scheduler.abc import RunListener, Store
    from nbsession.scheduler.records import TaskRecord

LOG = logging.getLogger("test-engine")


class ByName(InlineExecutor):
    """Calls functions of the test for tasks that a store on disk can keep.

    Parameters
    ----------
    clock
        As ever.
    functions
        By the names of tasks.
    """

    def __init__(self, clock: FakeClock, functions: dict[str, Callable[..., Any]]) -> None:
        super().__init__(clock)
        self._functions = functions

    def start(self, run: Run, task: TaskRecord, attempt: int, listener: RunListener) -> None:
        target = Target("local", "tests", run.task, self._functions[run.task])
        local = copy_with(task, spec=copy_with(task.spec, target=target))
        super().start(run, local, attempt, listener)


class Bench:
    """An open engine that calls functions of the test, and what it takes to look at it.

    Parameters
    ----------
    clock
        Of the loop that runs.
    store
        A memory store if None.
    executor
        An inline one if None.
    options
        Of the engine.
    """

    def __init__(
        self,
        clock: FakeClock,
        store: Store | None = None,
        executor: InlineExecutor | None = None,
        **options: Any,
    ) -> None:
        self.clock = clock
        self.begun_us = clock.now_us()
        self.store = store or MemoryStore(clock=clock)
        self.engine = Engine(self.store, executor or InlineExecutor(clock), clock, LOG, **options)
        self.engine.open()
        self.times: list[float] = []

    def tick(self, *_args: object) -> None:
        """Be a task that notes when it is called."""
        self.times.append(self.seconds())

    def seconds(self) -> float:
        """Return the wall clock's time, in seconds from the start of the test."""
        return (self.clock.now_us() - self.begun_us) / 1_000_000

    def add(
        self, name: str, callback: Callable[..., Any] | None = None, **schedule: Any
    ) -> TaskRecord:
        """Schedule a task; its outcome is "made"."""
        task, outcome = self.declare(name, callback, **schedule)
        assert outcome == "made"
        return task

    def declare(
        self,
        name: str,
        callback: Callable[..., Any] | None = None,
        *,
        replace: bool = False,
        **schedule: Any,
    ) -> tuple[TaskRecord, str]:
        """Schedule a task and return the outcome too."""
        spec = local_spec(name, callback or self.tick, self.clock.now_us(), **schedule)
        return self.engine.schedule(spec, replace)

    def states(self, name: str) -> list[str]:
        """Return the states of a task's rows, the oldest first."""
        return [run.state for run in self.rows(name)]

    def rows(self, name: str) -> list[Run]:
        """Return a task's rows, the oldest first."""
        return self.engine.history(name, 1000)[::-1]

    def due(self, name: str) -> list[float | None]:
        """Return when the rows of a task were due, in seconds from the start of the test."""
        return [
            None if run.due_us is None else (run.due_us - self.begun_us) / 1_000_000
            for run in self.rows(name)
        ]


def on_bench(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test with a `Bench` as its first argument; the others are fixtures."""

    @wraps(test)
    def run(**fixtures: Any) -> None:
        async def main(clock: FakeClock) -> None:
            bench = Bench(clock)
            await test(bench, **fixtures)
            await bench.engine.close()

        run_fast(main)

    signature = inspect.signature(test)
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=list(signature.parameters.values())[1:]
    )
    return run
