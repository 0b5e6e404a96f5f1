"""What the pages show of this kernel's own tasks, and what they may order of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from nbsession.scheduler.schedule_text import schedule_text

if TYPE_CHECKING:
    from concurrent.futures import Future

    from nbsession.scheduler.wire import TaskJSON

    from .callback_rows import Refuse
    from .control_requests import Answer
    from .kernel_tasks import KernelTasks
    from .pages import Pages
    from .runtime import Runtime


class TaskRow(TypedDict):
    """A task as a page shows it; js_src/shared/panel.ts has the same."""

    name: str
    schedule: str
    state: str
    next_run: str | None
    run_count: int
    error_count: int


class TaskRows:
    """Keeps the page model's rows up to date, and carries out what a row asks.

    Parameters
    ----------
    runtime
        On whose main loop orders are carried out.
    parts
        Of the session: its tasks, once it has some.
    pages
        Publishes the rows, at most every 50 ms.
    """

    def __init__(self, runtime: Runtime, parts: Mapping[str, Any], pages: Pages) -> None:
        self._runtime = runtime
        self._parts = parts
        self.publish = pages.mirror("tasks", self.read)

    def read(self) -> list[TaskRow]:
        """Return the rows, in the order of names."""
        tasks: KernelTasks | None = self._parts.get("tasks")
        return [] if tasks is None else [_row(task) for task in tasks.board.list()]

    def receive(self, content: object, refuse: Refuse) -> None:
        """Carry out an order of a page, on the main loop. From any thread.

        Parameters
        ----------
        content
            What the page sent: it may be anything.
        refuse
            Called with ``task:`` and the name, and the reason, if it is not carried out.
        """
        if not isinstance(content, Mapping) or content.get("kind") != "task":
            return
        from .request_desk import RequestDesk

        def answered(future: Future[Answer]) -> None:
            answer = future.result()
            if answer["status"] != "ok":
                refuse(f"task:{content.get('name')}", answer["message"])

        order = {"action": "task", "name": content.get("name"), "order": content.get("order")}
        RequestDesk(self._runtime, self._parts).order(order).add_done_callback(answered)


def _row(task: TaskJSON) -> TaskRow:
    return {
        "name": task["name"],
        "schedule": schedule_text(task["schedule"]),
        "state": task["state"],
        "next_run": task["next_run"],
        "run_count": task["run_count"],
        "error_count": task["error_count"],
    }
