"""Traits that cannot be set, and say what to do instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from traitlets import Bool, Enum, TraitError

if TYPE_CHECKING:
    from traitlets import HasTraits


class ReadOnly:
    """Makes a trait type read-only; to be named before it among the bases.

    Parameters
    ----------
    instead
        What to do instead of setting it; by default what its class says.

    Attributes
    ----------
    instead
        As above.
    """

    name: str | None
    instead = "it only tells"

    def __init__(self, *arguments: Any, instead: str | None = None, **options: Any) -> None:
        super().__init__(*arguments, read_only=True, **options)  # type: ignore[call-arg]  # of a trait
        if instead is not None:
            self.instead = instead

    def __set__(self, obj: HasTraits, value: Any) -> NoReturn:
        message = f"{type(obj).__name__}.{self.name} is read-only: {self.instead}"
        raise TraitError(message)


class ReadOnlyBool(ReadOnly, Bool[bool, bool]):
    """A read-only `Bool`."""


class ReadOnlyEnum(ReadOnly, Enum[Any]):
    """A read-only `Enum`."""
