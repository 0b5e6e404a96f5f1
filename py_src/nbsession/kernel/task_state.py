"""The part of `state` that schedules tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from nbsession.scheduler.scheduling import Scheduling

from .control_requests import ControlRequests
from .parts import StateParts

if TYPE_CHECKING:
    from .kernel_tasks import KernelTasks
    from .session import Session
    from .task_desk import KernelTaskDesk
    from .task_rows import TaskRows


class TaskState(StateParts, Scheduling):
    """Tasks: those of this kernel, and the server's."""

    def __init__(self, session: Session, shell: Any | None) -> None:
        super().__init__(session, shell)
        ControlRequests(self._runtime, self._parts)

    def _task_desk(self) -> KernelTaskDesk:
        from .task_desk import KernelTaskDesk

        return self._part(
            "task_desk",
            lambda: KernelTaskDesk(self._session, self._find_tasks, lambda: self._kernel_tasks),
        )

    @property
    def _kernel_tasks(self) -> KernelTasks:
        return self._part("tasks", self._make_tasks)

    def _find_tasks(self) -> KernelTasks | None:
        return cast("KernelTasks | None", self._parts.get("tasks"))

    def _make_tasks(self) -> KernelTasks:
        from .kernel_tasks import KernelTasks

        tasks = KernelTasks(self._runtime, self._session.kernel_id)
        self._tell_server_of(tasks.observe)
        tasks.observe(self._show_tasks)
        return tasks

    def _show_tasks(self) -> None:
        rows: TaskRows | None = self._parts.get("task_rows")
        if rows is not None:
            rows.publish()
