"""Showing the errors of what runs often."""

from __future__ import annotations

import traceback

from .callbacks import show_error


class ErrorDisplay:
    """Shows an error unless it is the one just shown: every 10 ms, it would flood the page."""

    __slots__ = ("_shown",)

    def __init__(self) -> None:
        self._shown = ""

    def show(self, error: BaseException) -> None:
        """Show it in the cell of the current context, if it is another one."""
        lines = [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)]
        text = "".join(traceback.format_exception_only(error)) + repr(lines)
        if text != self._shown:
            self._shown = text
            show_error(error)

    def restart(self) -> None:
        """Show the next one in any case."""
        self._shown = ""
