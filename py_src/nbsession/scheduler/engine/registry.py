"""Tasks of an engine, by id and by name."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from nbsession.scheduler.records import RemovedTask, TaskRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

REMEMBERED = 100
"""So many removed tasks can still be looked up."""

_CHANGING = tuple(field.name for field in fields(TaskRecord) if field.name != "id")


class TaskRegistry:
    """One record per task, shared by all that hold it."""

    def __init__(self) -> None:
        self._tasks: dict[int, TaskRecord] = {}
        self._names: dict[str, TaskRecord] = {}
        self._removed: dict[int, RemovedTask] = {}
        self.paused_due_us: dict[int, int] = {}  # by id: the occurrences that pauses took away

    def __iter__(self) -> Iterator[TaskRecord]:
        return iter(self._tasks.values())

    def __contains__(self, task: TaskRecord) -> bool:
        return task.id in self._tasks

    def get(self, task_id: int) -> TaskRecord | None:
        """Return a task by its id."""
        return self._tasks.get(task_id)

    def get_any(self, task_id: int) -> TaskRecord | None:
        """Return a task by its id, also if it was removed not long ago."""
        return self._tasks.get(task_id) or self._removed.get(task_id)

    def find(self, name: str) -> TaskRecord | None:
        """Return the task that holds a name."""
        return self._names.get(name)

    def named(self) -> list[TaskRecord]:
        """Return the tasks that hold their names, in the order of names."""
        return [self._names[name] for name in sorted(self._names)]

    def add(self, task: TaskRecord) -> None:
        """Take up a new task."""
        self._tasks[task.id] = task
        if not task.ending:
            self._names[task.spec.name] = task

    def free_name(self, task: TaskRecord) -> None:
        """Let another task have the name."""
        if self._names.get(task.spec.name) is task:
            del self._names[task.spec.name]

    def remove(self, task: TaskRecord) -> None:
        """Forget a task."""
        del self._tasks[task.id]
        self.paused_due_us.pop(task.id, None)
        self.free_name(task)
        self._removed[task.id] = RemovedTask.of(task)
        if len(self._removed) > REMEMBERED:
            del self._removed[next(iter(self._removed))]

    def update(self, task: TaskRecord) -> TaskRecord:
        """Take a task as the store has it now; return the record that was here all along."""
        known = self._tasks.get(task.id)
        if known is None:
            self.add(task)
            return task
        if known is not task:
            for name in _CHANGING:
                setattr(known, name, getattr(task, name))
        if known.ending:
            self.free_name(known)
        else:
            self._names[known.spec.name] = known
        return known
