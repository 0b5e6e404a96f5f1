"""The task service: tasks by name, in JSON, through one interface in every process."""

from __future__ import annotations

import asyncio
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from nbsession.core.schedule.instant import iso_or_none
from nbsession.core.tasks.schema import task_json
from nbsession.core.tasks.spec import TaskSpec
from nbsession.scheduler.engine.store_writer import patiently

from .declare import read_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from nbsession.core.tasks.schema import RunsJSON, ScheduledJSON, TaskJSON
    from nbsession.scheduler.engine.engine import Engine
    from nbsession.scheduler.records import TaskRecord


class TaskService(Protocol):
    """Tasks by name. Blocking and callable from any thread, unless an implementation says else."""

    def list(self) -> list[TaskJSON]:
        """Return every task that holds its name, in the order of names."""

    def show(self, name: str, task_id: int | None = None) -> TaskJSON:
        """Return the task that holds the name.

        With an id that very task, also if it runs once more without its name, or was removed not
        long ago: then its state is ``"cancelled"``.
        """

    def history(self, name: str, limit: int, task_id: int | None = None) -> RunsJSON:
        """Return runs of such a task as `Run.to_json` gives them, the newest first."""

    def run(self, run_id: int) -> dict[str, Any] | None:
        """Return a run by its id."""

    def schedule(self, spec: Mapping[str, Any], *, replace: bool) -> ScheduledJSON:
        """Declare a task by its `TaskSpec.to_json`; idempotent by name."""

    def cancel(self, name: str, *, wait: bool) -> None:
        """Cancel a task; with `wait` after one more run."""

    def pause(self, name: str) -> TaskJSON:
        """Let nothing be due until it is resumed."""

    def resume(self, name: str) -> TaskJSON:
        """Go on: the next occurrence is the first one after now."""

    def run_now(self, name: str) -> dict[str, Any]:
        """Run at once, by the task's overlap policy; return the run's row as it is now."""

    def wait_for_run(self, run_id: int, seconds: float) -> dict[str, Any] | None:
        """Return a run once it is final, or as it is after so long; None if it is unknown."""


_VERBS = frozenset(name for name in vars(TaskService) if not name.startswith("_"))
MAX_RUNS = 10_000

T = TypeVar("T")


class EngineTaskService(TaskService):
    """The tasks of an engine.

    On the loop's own thread every method answers at once; on any other one it waits for the loop.
    """

    def __init__(
        self, engine: Engine, loop: asyncio.AbstractEventLoop, kernel_id: str | None = None
    ) -> None:
        self._engine = engine
        self._loop = loop
        self._kernel_id = kernel_id

    def list(self) -> list[TaskJSON]:
        return self._call(lambda: [self.to_json(task) for task in self._engine.tasks()])

    def show(self, name: str, task_id: int | None = None) -> TaskJSON:
        return self._call(lambda: self.to_json(self._engine.get(name, task_id)))

    def history(self, name: str, limit: int, task_id: int | None = None) -> RunsJSON:
        runs = self._call(lambda: self._engine.history(name, limit, task_id))
        return [run.to_json() for run in runs]

    def run(self, run_id: int) -> dict[str, Any] | None:
        run = self._call(lambda: self._engine.run(run_id))
        return None if run is None else run.to_json()

    def schedule(self, spec: Mapping[str, Any], *, replace: bool) -> ScheduledJSON:
        declared = TaskSpec.from_json(spec)

        def schedule() -> ScheduledJSON:
            task, outcome = self._engine.schedule(declared, replace)
            return {"outcome": outcome, "task": self.to_json(task)}

        return self._call(schedule)

    def cancel(self, name: str, *, wait: bool) -> None:
        self._call(lambda: self._engine.cancel(name, wait))

    def pause(self, name: str) -> TaskJSON:
        return self._call(lambda: self.to_json(self._engine.pause(name)))

    def resume(self, name: str) -> TaskJSON:
        return self._call(lambda: self.to_json(self._engine.resume(name)))

    def run_now(self, name: str) -> dict[str, Any]:
        return self._call(lambda: self._engine.start(name)).to_json()

    def retain(self, owner: str, names: Collection[str]) -> None:
        """Cancel the tasks of a setup script that it does not declare any more."""
        self._call(lambda: self._engine.retain(owner, names))

    async def until_final(self, run_id: int, seconds: float | None) -> dict[str, Any] | None:
        """Wait as `wait_for_run`, on the loop, which stays free; `seconds` None for no end."""
        finished = await patiently(lambda: self._engine.finished(run_id))
        try:
            await asyncio.wait([finished], timeout=seconds)
        finally:
            self._engine.wait_no_more(run_id, finished)
        run = await patiently(lambda: self._engine.run(run_id))
        return None if run is None else run.to_json()

    def wait_for_run(self, run_id: int, seconds: float) -> dict[str, Any] | None:
        if self._is_here():
            raise RuntimeError("waiting here would keep the run from ending: await it instead")
        waiting = self.until_final(run_id, seconds)
        return asyncio.run_coroutine_threadsafe(waiting, self._loop).result()

    def to_json(self, task: TaskRecord) -> TaskJSON:
        """Return a task; on the loop only."""
        run, gap = self._engine.open_run(task), self._engine.gap(task)
        data: TaskJSON = {
            **task_json(task.spec, self._kernel_id),
            "id": task.id,
            "state": task.state,
            "next_run": iso_or_none(task.due_us),
            "last_run": iso_or_none(task.last_run_us),
            "last_state": task.last_state,
            "last_error": task.ended_by or task.last_error,
            "ended_by": task.ended_by,
            "run_count": task.run_count,
            "error_count": task.error_count,
            "editable": self._engine.can_run(task.spec),
            "run": None if run is None else run.to_json(with_text=False),
        }
        if gap is not None:
            data["gap"] = gap.to_json(with_text=False)
        return data

    def _is_here(self) -> bool:
        return asyncio._get_running_loop() is self._loop  # noqa: SLF001 - the public one raises

    def _call(self, request: Callable[[], T]) -> T:
        if self._is_here():
            return request()
        return asyncio.run_coroutine_threadsafe(patiently(request), self._loop).result()


def checked_request(
    verb: str,
    args: Sequence[Any],
    options: Mapping[str, Any],
    check_spec: Callable[[TaskSpec], None],
) -> Callable[[TaskService], Any]:
    """Check what another process asks of a task service; return what calls the service so."""
    if verb not in _VERBS:
        raise RuntimeError(f"this server has no {verb!r} for tasks")
    if verb == "schedule":
        check_spec(read_spec(*args))
    elif verb == "history":
        return _history_request(*args, **options)
    return methodcaller(verb, *args, **options)


def _history_request(
    name: str, limit: int, task_id: int | None = None
) -> Callable[[TaskService], Any]:
    if limit < 0:
        raise ValueError("the number of runs is 0 or more")
    return methodcaller("history", name, min(limit, MAX_RUNS), task_id)
