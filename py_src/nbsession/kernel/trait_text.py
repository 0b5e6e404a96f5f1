"""A trait's value as the values of a query key, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .query_text import text_of_value
from .text_readers import reader_for, reader_for_labels

if TYPE_CHECKING:
    from traitlets import HasTraits

    from .text_readers import Reader


class UnreadableTextError(ValueError):
    """A text in the URL that is no value of the trait's type."""


class TraitText:
    """Reads and writes one trait of one object as the values of one query key.

    Parameters
    ----------
    obj, name
        The object and the name of its trait.

    Attributes
    ----------
    attribute
        The trait that is read, set and observed: for the value of a selection widget its label.

    Raises
    ------
    TypeError
        If the trait holds what no text stands for.
    """

    def __init__(self, obj: HasTraits, name: str) -> None:
        self._obj = obj
        trait = obj.traits()[name]
        read = reader_for_labels(obj, trait) if name == "value" else None
        self.attribute = "label" if read else name
        read = read or reader_for(trait, obj, getattr(obj, name))
        if read is None:
            message = (
                f"{type(obj).__name__}.{name} cannot be synced with the URL: no text stands for "
                f"{trait.info()}"
            )
            raise TypeError(message)
        self._read: Reader = read

    def texts(self) -> list[str]:
        """Return the trait's present value as the values of its key; none if it is None."""
        value = getattr(self._obj, self.attribute)
        return [] if value is None else [text_of_value(value)]

    def value_of(self, texts: list[str]) -> Any:
        """Return the value that a key's values stand for; the last one counts.

        Raises
        ------
        UnreadableTextError
            If it is none of the trait's type.
        """
        try:
            return self._read(texts[-1])
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise UnreadableTextError(str(error)) from error
