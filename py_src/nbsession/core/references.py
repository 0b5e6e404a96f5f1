"""Pickles and copies of `state` and its parts: references, with nothing of the visitor in them."""

from __future__ import annotations

from importlib import import_module
from operator import attrgetter
from typing import Any, ClassVar, Self


def part_of_state(path: str) -> Any:
    """Return a part of this process's `state`, all of it for ''."""
    state = import_module("nbsession").state
    return attrgetter(path)(state) if path else state


class PartOfState:
    """A base of what pickles and copies as a reference.

    What arrives is the same part of the state of the process that it arrives in: a kernel's, a
    worker's, or one without a visitor.
    """

    __slots__ = ()
    _path: ClassVar[str]

    def __reduce__(self) -> tuple[Any, ...]:
        return part_of_state, (self._path,)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self
