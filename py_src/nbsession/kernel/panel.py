"""What ``display(state)`` shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from anywidget import AnyWidget
from ipywidgets import widget_serialization
from traitlets import Instance

from .page import Page

if TYPE_CHECKING:
    from .callback_rows import CallbackRows
    from .runtime import Runtime
    from .task_rows import TaskRows

_STATIC = Path(__file__).parent.parent / "static"


class StatePanel(AnyWidget):
    """Busy, the page's URL, and the periodic callbacks and tasks with their switches.

    What it shows are traits of the page model; what a switch asks is a custom message.

    Parameters
    ----------
    rows
        Carry out what the switches ask.
    runtime
        With whose removal it goes.
    """

    _esm = _STATIC / "panel.js"
    _css = _STATIC / "panel.css"

    page = Instance(Page, allow_none=True).tag(sync=True, **widget_serialization)

    def __init__(self, rows: tuple[CallbackRows, TaskRows], runtime: Runtime) -> None:
        super().__init__()
        self._rows = rows
        self.on_msg(self._receive)
        runtime.on_remove(self.close)

    def close(self) -> None:
        """Take the panel out of the pages, with the layout that every widget has."""
        layout = self.layout
        super().close()
        if layout is not None:
            layout.close()

    def _receive(self, _widget: object, content: object, _buffers: object) -> None:
        for rows in self._rows:
            rows.receive(content, self._refuse)

    def _refuse(self, row_id: str, reason: str) -> None:
        self.send({"kind": "refusal", "id": row_id, "reason": reason})

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
