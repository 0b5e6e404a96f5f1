"""Whether a worker that is idle will be needed again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbsession.scheduler.task_record import TaskRecord

IDLE_SECONDS = 600.0


class WorkerPlans:
    """The tasks that have run in a home, and when one did last."""

    def __init__(self) -> None:
        self._tasks: dict[int, TaskRecord] = {}
        self._used_at = time.monotonic()

    @property
    def is_idle(self) -> bool:
        """Return whether nothing has run for ten minutes, and nothing is to run again."""
        if time.monotonic() - self._used_at < IDLE_SECONDS:
            return False
        tasks = self._tasks.values()
        return not any(task.due_us is not None or task.paused or task.asks for task in tasks)

    def used(self, task: TaskRecord | None) -> None:
        """Take note that something is to run now, perhaps for a task."""
        self._used_at = time.monotonic()
        if task is not None:
            self._tasks[task.id] = task

    def forget(self, task: TaskRecord) -> None:
        """Forget a task that has gone."""
        self._tasks.pop(task.id, None)
