"""An observer that runs in the context of the cell that registered it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .callbacks import show_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from .main_loop import Context


class LocationObserver:
    """Calls a handler of the user; its output, and its errors, go to the cell that registered it.

    It equals its handler, so that traitlets finds it when it is to be taken out.
    """

    def __init__(self, handler: Callable[[Any], object], context: Context) -> None:
        self.handler = handler
        self._context = context

    def __call__(self, change: Any) -> None:
        """Call the handler."""
        self._context.copy().run(self._call, change)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, LocationObserver):
            other = other.handler
        return bool(self.handler == other)

    def __hash__(self) -> int:
        return hash(self.handler)

    def _call(self, change: Any) -> None:
        try:
            self.handler(change)
        except Exception as error:  # noqa: BLE001 - the user's; the others are told all the same
            show_error(error)
