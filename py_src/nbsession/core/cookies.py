"""Cookies of a request as a read-only mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .references import PartOfState


class Cookies(PartOfState, Mapping[str, str]):
    """Cookies by name, HttpOnly ones included.

    The values are hidden when the mapping is printed, for a notebook's outputs are saved with it;
    ``dict(cookies)`` shows them.
    """

    __slots__ = ("_values",)
    _path = "cookies"

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = dict(values or {})

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __repr__(self) -> str:
        return f"Cookies({{{', '.join(f'{name!r}: …' for name in self)}}})"
