"""The panel that ``display(state)`` shows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from anywidget import AnyWidget
from ipywidgets import widget_serialization
from traitlets import Instance

from nbsession.core.text import well_formed
from nbsession.kernel.sidebar.report import callback_row, task_row

from .widget import STATIC, Page

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from nbsession.kernel.callbacks.registry import PeriodicCallbacks
    from nbsession.kernel.runtime.runtime import Runtime
    from nbsession.kernel.sidebar.control import Answer
    from nbsession.kernel.sidebar.report import TaskRow
    from nbsession.kernel.tasks.hosted import KernelTasks

    from .pages import Pages


class StatePanel(AnyWidget):
    """Busy, the page's URL, and the periodic callbacks and tasks with their switches.

    It shows traits of the page model; a switch sends a custom message, as the server would send it
    to `SessionControl.request`.
    """

    _esm = STATIC / "panel.js"
    _css = STATIC / "panel.css"

    page = Instance(Page, allow_none=True).tag(sync=True, **widget_serialization)

    def __init__(self, request: Callable[[Mapping[str, Any]], Future[Answer]]) -> None:
        super().__init__()
        self._request = request
        self.on_msg(self._receive)

    def close(self) -> None:
        """Take the panel out of the pages, with the layout that every widget has."""
        layout = self.layout
        super().close()
        if layout is not None:
            layout.close()

    def _receive(self, _widget: object, content: object, _buffers: object) -> None:
        if isinstance(content, Mapping):  # it may be anything
            self._request(content).add_done_callback(partial(self._answer, _row_of(content)))

    def _answer(self, row: str, future: Future[Answer]) -> None:
        answer = future.result()
        if answer["status"] != "ok":
            self.send({"kind": "refusal", "id": row, "reason": answer["message"]})

    def bundle(self, text: str, page: Page | None) -> dict[str, Any]:
        """Return what a notebook shows; the text is for those without widgets."""
        self.page = page
        data, _ = self._repr_mimebundle_() or ({}, {})
        return {**data, "text/plain": text}


def _row_of(request: Mapping[Any, Any]) -> str:
    """Return how a refusal names the row of a request."""
    is_task = request.get("action") == "task"
    return str(well_formed(f"task:{request.get('name')}" if is_task else f"{request.get('id')}"))


class PanelRows:
    """Rows of callbacks and tasks in the page model, kept up to date."""

    def __init__(
        self,
        runtime: Runtime,
        pages: Pages,
        callbacks: PeriodicCallbacks,
        find_tasks: Callable[[], KernelTasks | None],
    ) -> None:
        def read_tasks() -> list[TaskRow]:
            tasks = find_tasks()
            return [] if tasks is None else [task_row(task) for task in tasks.list()]

        self.publish_tasks = pages.mirror("tasks", read_tasks)
        self._publish_callbacks = pages.mirror(
            "callbacks",
            lambda: [callback_row(str(number), each) for number, each in callbacks.items()],
        )
        runtime.on_remove(callbacks.listeners.add(self._publish_callbacks))

    def publish(self) -> None:
        """Send all rows again."""
        self._publish_callbacks()
        self.publish_tasks()
