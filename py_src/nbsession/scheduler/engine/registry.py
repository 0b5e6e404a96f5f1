"""The tasks that an engine knows, by id and by name."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from nbsession.scheduler.records import GoneTask, TaskRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

REMEMBERED = 100
"""Of so many tasks that have gone is told how they were."""

_CHANGING = tuple(field.name for field in fields(TaskRecord) if field.name != "id")


class TaskBook:
    """Holds one record per task: who has it sees what becomes of the task."""

    def __init__(self) -> None:
        self._tasks: dict[int, TaskRecord] = {}
        self._names: dict[str, TaskRecord] = {}
        self._gone: dict[int, GoneTask] = {}

    def __iter__(self) -> Iterator[TaskRecord]:
        return iter(self._tasks.values())

    def __contains__(self, task: TaskRecord) -> bool:
        return task.id in self._tasks

    def get(self, task_id: int) -> TaskRecord | None:
        """Return a task by its id."""
        return self._tasks.get(task_id)

    def recall(self, task_id: int) -> TaskRecord | None:
        """Return a task by its id, also if it has gone not long ago."""
        return self._tasks.get(task_id) or self._gone.get(task_id)

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

    def drop(self, task: TaskRecord) -> None:
        """Forget a task."""
        if self._tasks.pop(task.id, None) is not None:
            self.free_name(task)
            self._gone[task.id] = GoneTask.of(task)
            if len(self._gone) > REMEMBERED:
                del self._gone[next(iter(self._gone))]

    def take_over(self, task: TaskRecord) -> TaskRecord:
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
