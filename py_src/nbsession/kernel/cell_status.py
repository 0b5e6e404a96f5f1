"""What a kernel says of itself while a cell runs, mended for widgets that freeze."""

from __future__ import annotations

import inspect
import os
import sys
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from nbsession.core.environment import MEND_FROZEN_WIDGETS

if TYPE_CHECKING:
    from collections.abc import Callable


def hears_beside_cells(kernel: Any) -> bool:
    """Return whether a kernel handles what pages say while a cell awaits, as ipykernel 7.4 does.

    Where that cannot be told, it counts as one that does.
    """
    dispatch = getattr(type(kernel), "dispatch_shell", None)  # our own hook is on the object
    if dispatch is None:
        return True
    parameters = inspect.signature(dispatch).parameters
    return "concurrent" in parameters or any(
        parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()
    )


class _Concurrent:
    """A message that ipykernel handles beside a running cell."""

    published = False  # whether ipykernel itself has said that it is busy with it


_concurrent: ContextVar[_Concurrent | None] = ContextVar("nbsession_concurrent", default=None)


class CellStatus:
    """Says busy and idle where ipykernel does not, and that a running cell goes on.

    Parameters
    ----------
    kernel
        ipykernel's.

    Attributes
    ----------
    mends
        Whether it does; `NBSESSION_MEND_FROZEN_WIDGETS` switches it off.

    Notes
    -----
    ipykernel 7.4 handles a widget's message at once while a cell awaits, and publishes neither busy
    nor idle for it. The page waits for that idle before it sends the widget's next change: moved
    once during such a cell, a widget is dead for good. So we publish both, and then the cell's own
    busy again, or the server takes the kernel for idle and may cull it. Where ipykernel publishes
    them itself, we do not. A message handled on a subshell ends with an idle too, in the middle of
    the main shell's cell: the same mend.
    """

    def __init__(self, kernel: Any) -> None:
        self.mends = os.environ.get(MEND_FROZEN_WIDGETS) != "0"
        self._kernel = kernel
        self._cells: list[Any] = []
        self._lock = threading.Lock()  # a cell's last busy must not come after its idle

    @property
    def in_cell(self) -> bool:
        """Return whether a cell runs, or waits for something."""
        return bool(self._cells)

    def begin_cell(self, message: Any) -> None:
        """Note that a cell begins."""
        with self._lock:
            self._cells.append(message)

    def end_cell(self, message: Any) -> None:
        """Note that a cell has ended."""
        with self._lock:
            self._cells.remove(message)

    def is_silent(self) -> bool:
        """Return whether ipykernel publishes no status for the message that is being handled."""
        concurrent = _concurrent.get()
        return concurrent is not None and self.mends and not concurrent.published

    def begin_silent(self, message: Any) -> None:
        """Say busy for a message on which ipykernel says nothing."""
        self._publish("busy", message)

    def end_silent(self, message: Any) -> None:
        """Say idle for it."""
        sys.stdout.flush()  # the page drops what comes after the idle
        sys.stderr.flush()
        self._publish("idle", message)
        self._say_busy_again()

    def note_published(self) -> None:
        """Note that ipykernel says something of the message that is being handled."""
        concurrent = _concurrent.get()
        if concurrent is not None:
            concurrent.published = True

    def wrap_dispatch(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Return what takes the place of the kernel's `dispatch_shell`."""

        async def dispatch_shell(message: Any, /, *args: Any, **options: Any) -> Any:
            concurrent = options.get("concurrent", False)
            token = _concurrent.set(_Concurrent() if concurrent else None)
            try:
                return await original(message, *args, **options)
            finally:
                _concurrent.reset(token)
                if self._cells and not concurrent:
                    self._say_busy_again()

        return dispatch_shell

    def _say_busy_again(self) -> None:
        with self._lock:
            if self._cells and self.mends:
                self._publish("busy", self._cells[-1])

    def _publish(self, status: str, parent: Any) -> None:
        token = _concurrent.set(None)  # our own words are not ipykernel's
        try:
            self._kernel._publish_status(status, "shell", parent=parent)  # noqa: SLF001 - MessageHooks has checked it
        finally:
            _concurrent.reset(token)
