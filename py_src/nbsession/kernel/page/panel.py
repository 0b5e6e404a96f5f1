"""What ``display(state)`` shows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anywidget import AnyWidget
from ipywidgets import widget_serialization
from traitlets import Instance

from nbsession.core.text import well_formed
from nbsession.kernel.sidebar.control import RequestDesk
from nbsession.kernel.sidebar.report import CallbackRow, TaskRow, _row, row_of

from .widget import Page

if TYPE_CHECKING:
    from concurrent.futures import Future

    from nbsession.kernel.callbacks.registry import PeriodicCallbacks
    from nbsession.kernel.runtime.runtime import Runtime
    from nbsession.kernel.sidebar.control import Answer
    from nbsession.kernel.tasks.hosted import KernelTasks

    from .pages import Pages

_STATIC = Path(__file__).parents[2] / "static"


class StatePanel(AnyWidget):
    """Busy, the page's URL, and the periodic callbacks and tasks with their switches.

    What it shows are traits of the page model; what a switch asks is a custom message, in the words
    of the server's orders.

    Parameters
    ----------
    runtime
        Of the session, with whose removal it goes.
    parts
        Of the session: what the orders are about.
    """

    _esm = _STATIC / "panel.js"
    _css = _STATIC / "panel.css"

    page = Instance(Page, allow_none=True).tag(sync=True, **widget_serialization)

    def __init__(self, runtime: Runtime, parts: Mapping[str, Any]) -> None:
        super().__init__()
        self._desk = RequestDesk(runtime, parts)
        self.on_msg(self._receive)
        runtime.on_remove(self.close)

    def close(self) -> None:
        """Take the panel out of the pages, with the layout that every widget has."""
        layout = self.layout
        super().close()
        if layout is not None:
            layout.close()

    def _receive(self, _widget: object, content: object, _buffers: object) -> None:
        if isinstance(content, Mapping):  # it may be anything
            self._desk.order(content).add_done_callback(partial(self._answer, _row_of(content)))

    def _answer(self, row: str, future: Future[Answer]) -> None:
        answer = future.result()
        if answer["status"] != "ok":
            self.send({"kind": "refusal", "id": row, "reason": answer["message"]})

    def bundle(self, text: str, page: Page | None) -> dict[str, Any]:
        """Return what a notebook shows.

        Parameters
        ----------
        text
            Shown where there are no widgets.
        page
            The page model.
        """
        self.page = page
        data, _ = self._repr_mimebundle_() or ({}, {})
        return {**data, "text/plain": text}


def _row_of(order: Mapping[Any, Any]) -> str:
    """Return how a refusal names the row of an order."""
    is_task = order.get("action") == "task"
    return str(well_formed(f"task:{order.get('name')}" if is_task else f"{order.get('id')}"))


class CallbackRows:
    """Keeps the page model's rows up to date."""

    def __init__(self, runtime: Runtime, callbacks: PeriodicCallbacks, pages: Pages) -> None:
        self._callbacks = callbacks
        self._changed = pages.mirror("callbacks", self.read)
        runtime.on_remove(callbacks.observe(self._changed))

    def publish(self) -> None:
        """Send the rows again, to a page model that may be a new one."""
        self._changed()

    def read(self) -> list[CallbackRow]:
        """Return the rows, in the order in which the callbacks were added."""
        return [row_of(str(number), callback) for number, callback in self._callbacks.items()]


class TaskRows:
    """Keeps the page model's rows up to date."""

    def __init__(self, parts: Mapping[str, Any], pages: Pages) -> None:
        self._parts = parts
        self.publish = pages.mirror("tasks", self.read)

    def read(self) -> list[TaskRow]:
        """Return the rows, in the order of names."""
        tasks: KernelTasks | None = self._parts.get("tasks")
        return [] if tasks is None else [_row(task) for task in tasks.list()]
