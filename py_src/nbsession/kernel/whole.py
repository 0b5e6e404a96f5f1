"""Whole numbers with a unit, checked with words that teach."""

from __future__ import annotations

import operator
from typing import Any

from traitlets import HasTraits, TraitError, TraitType


def check_whole(value: object, name: str, unit: str, least: int) -> int:
    """Return a whole number as an int; 200.0 is one, too.

    Raises
    ------
    ValueError
        If it is none, or less than `least`.
    """
    number: int | None = None
    if isinstance(value, float) and value.is_integer():
        number = int(value)
    elif not isinstance(value, bool):
        try:
            number = operator.index(value)  # type: ignore[arg-type]  # what has none raises
        except TypeError:
            number = None
    if number is None or number < least:
        of = f" of {unit}" if unit else ""
        hint = "; 1 s is 1000" if unit == "milliseconds" else ""
        message = (
            f"{name} must be a whole number{of}, at least {least}{hint}: "
            f"got {value!r} ({type(value).__name__})"
        )
        raise ValueError(message)
    return number


class Whole(TraitType[Any, Any]):
    """A trait for a whole number of at least 1.

    Parameters
    ----------
    unit
        Of the number, in the plural; '' for none.
    """

    def __init__(self, default_value: int | None, unit: str = "", **options: Any) -> None:
        self._unit = unit
        super().__init__(default_value=default_value, **options)

    def validate(self, obj: HasTraits, value: object) -> int:  # noqa: ARG002 - of TraitType
        """Return the number as an int, or raise TraitError."""
        try:
            return check_whole(value, self.name or "value", self._unit, 1)
        except ValueError as error:
            none = ", or None for no end" if self.allow_none else ""
            raise TraitError(f"{error}{none}") from None
