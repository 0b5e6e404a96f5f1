"""Observers of traits that cannot keep the news from each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traitlets import All, HasTraits

from .callbacks import show_error

if TYPE_CHECKING:
    from collections.abc import Callable


class _Isolated:
    """An observer whose error is shown; equal to any other of the same handler."""

    def __init__(self, handler: Callable[[Any], object]) -> None:
        self.handler = handler

    def __call__(self, change: Any) -> None:
        try:
            self.handler(change)
        except Exception as error:  # noqa: BLE001 - the user's; the others are told all the same
            show_error(error)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Isolated) and other.handler == self.handler

    def __hash__(self) -> int:
        return hash(self.handler)


class IsolatedObservers(HasTraits):
    """Tells every observer, also after one that raised.

    Attributes
    ----------
    _is_observed
        Whether anything of it was ever observed.
    """

    _is_observed = False

    def observe(self, handler: Callable[..., Any], names: Any = All, type: Any = "change") -> None:  # noqa: A002 - traitlets' own word
        """Call a handler when a trait changes, as any `HasTraits` does."""
        self._is_observed = True
        super().observe(_Isolated(handler), names, type)

    def unobserve(
        self,
        handler: Callable[..., Any],
        names: Any = All,
        type: Any = "change",  # noqa: A002 - traitlets' own word
    ) -> None:
        """Do not call a handler any more."""
        super().unobserve(_Isolated(handler), names, type)
