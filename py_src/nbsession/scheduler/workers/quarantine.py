"""Tasks that may be what kills a worker again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nbsession.core.tasks.spec import Home

    from .jobs import RunJob
    from .sources import WorkerSources


class Quarantine:
    """Gives tasks processes of their own that were running in two workers that died in a row.

    Each stays there until a run of it has returned or raised, or until a source file of those
    workers is edited.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._suspects: set[int] = set()
        self._isolated: set[int] = set()
        self._sources: list[WorkerSources] = []

    def worker_died(self, jobs: Iterable[RunJob], sources: WorkerSources) -> list[str]:
        """Note which runs a worker was running when it died; return the names of tasks isolated."""
        running = {job.task: job for job in jobs if not job.has_process and self._can_isolate(job)}
        repeated = self._suspects & set(running) - self._isolated
        self._suspects = {task for task in running if task is not None}
        self._sources = [*self._sources[-1:], sources]
        self._isolated |= repeated
        return sorted(running[task].name for task in repeated)

    def isolates(self, job: RunJob) -> bool:
        """Return whether a run is to have a process of its own."""
        if job.task not in self._isolated:
            return False
        if any(sources.changed for sources in self._sources):
            self.clear()
            return False
        return True

    def ended(self, job: RunJob, *, crashed: bool) -> None:
        """Note how a run in a process of its own has ended."""
        if not crashed and job.task is not None:
            self.forget(job.task)

    def forget(self, task_id: int) -> None:
        """Forget a task that has gone, or has proved harmless."""
        self._isolated.discard(task_id)
        self._suspects.discard(task_id)

    def clear(self) -> None:
        """Forget all: a source file was edited."""
        self._suspects.clear()
        self._isolated.clear()
        self._sources.clear()

    def _can_isolate(self, job: RunJob) -> bool:
        """Return whether another process could find the callable, unlike a closure."""
        setup = self._home.setup
        target = job.message["target"]
        is_closure = target["kind"] == "setup" and "<" in target["qualname"]
        return not (is_closure and setup is not None and not job.is_of_setup(setup))
