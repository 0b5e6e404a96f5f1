"""HTTP headers as a read-only mapping."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from .references import PartOfState

_REVEALING = (
    *("auth", "cookie", "token", "secret", "xsrf", "csrf", "key", "jwt", "assertion", "oidc"),
    *("session", "passw", "credential", "signature", "cert"),
)
"""Parts of names of headers whose values `repr` leaves out: notebooks keep their outputs."""


class Headers(PartOfState, Mapping[str, str]):
    """Headers of a request: case-insensitive, repeats kept, never changed.

    Parameters
    ----------
    items
        ``(name, value)`` pairs in the order in which they came; a name may repeat.

    Examples
    --------
    >>> headers = Headers([("Accept", "text/html"), ("X-Tag", "a"), ("X-Tag", "b")])
    >>> headers["accept"]
    'text/html'
    >>> headers["x-tag"], headers.get_all("x-tag")
    ('a, b', ['a', 'b'])
    """

    __slots__ = ("_items", "_values")
    _path = "headers"

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items = tuple((str(name), str(value)) for name, value in items)
        values: dict[str, tuple[str, list[str]]] = {}
        for name, value in self._items:
            values.setdefault(name.lower(), (name, []))[1].append(value)
        self._values = values

    def __getitem__(self, name: str) -> str:
        """Return the value; repeats are joined with a comma and a space (RFC 9110, 5.3)."""
        return ", ".join(self._values[name.lower()][1])

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._values.values())

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Headers):
            return self._comparable() == other._comparable()
        if isinstance(other, Mapping):
            return {name.lower(): self[name] for name in self} == {
                str(name).lower(): value for name, value in other.items()
            }
        return NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self._values))

    def _comparable(self) -> dict[str, list[str]]:
        return {name: values for name, (_, values) in self._values.items()}

    def __repr__(self) -> str:
        shown = (
            f"{name!r}: {'…' if any(word in name.lower() for word in _REVEALING) else self[name]!r}"
            for name in self
        )
        return f"Headers({{{', '.join(shown)}}})"

    def get_all(self, name: str) -> list[str]:
        """Return every value of a header in the order in which they came, [] if there is none."""
        return list(self._values.get(name.lower(), (name, []))[1])

    def items_all(self) -> tuple[tuple[str, str], ...]:
        """Return all ``(name, value)`` pairs, repeats included."""
        return self._items


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
