"""Codecs of query parameters: a value of one type as text or JSON, and back.

Text that is no such value raises ValueError, a value that no text stands for TypeError.
"""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
import numbers
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

from nbsession.core.text import well_formed

if TYPE_CHECKING:
    from collections.abc import Sequence


def text_of_value(value: object) -> str:
    """Return a value as the text of a query parameter, before it is percent-encoded.

    A bool is ``true`` or ``false``, a number as Python writes it, a date or time ISO 8601, a member
    of an enum its name; a list, tuple, set or dict is JSON without spaces: ``[1,5]``.
    """
    text: str | None = None
    match value:
        case enum.Enum():
            text = value.name
        case str():
            text = str(value)
        case bool():
            text = "true" if value else "false"
        case numbers.Integral():
            text = str(int(value))
        case numbers.Real():
            text = repr(float(value))
        case dt.date() | dt.time():
            text = value.isoformat()
        case list() | tuple() | set() | frozenset() | Mapping():
            text = dump_json(value, _json_value)
    if text is None:
        raise TypeError(
            f"{type(value).__name__} cannot be a query parameter: {value!r}; use text, a number, a "
            "bool, a date or time, an enum, or a list, tuple or dict of these"
        )
    return checked_text(text)


def checked_text(text: str) -> str:
    """Return text that a URL can hold, or raise ValueError."""
    if not text.isascii() and well_formed(text) != text:
        raise ValueError(f"{text!r} holds half of a surrogate pair, which no URL can hold")
    return text


def _json_value(value: object) -> object:
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    if isinstance(value, Mapping):
        return dict(value)
    return text_of_value(value)


def texts_of_value(value: object) -> list[str]:
    """Return a value as those of a key: each of a list, none for None, else the one."""
    if value is None:
        return []
    return [text_of_value(v) for v in value] if isinstance(value, list) else [text_of_value(value)]


def text_of_key(key: object) -> str:
    """Return a key of the query."""
    if not isinstance(key, str):
        raise TypeError(f"a key of the query is text, got {type(key).__name__}: {key!r}")
    return text_of_value(key)


def is_alike(one: Any, other: Any) -> bool:  # noqa: PLR0911 - one line a type
    """Return whether two values are equal and of one type, in all that they hold."""
    if _kind(one) is not _kind(other):
        return False
    match one:
        case list() | tuple():
            return len(one) == len(other) and all(map(is_alike, one, other))
        case set() | frozenset():
            return bool(one == other and set(map(_kind, one)) == set(map(_kind, other)))
        case Mapping():
            keys = {key: key for key in other}
            return one.keys() == other.keys() and all(
                is_alike(key, keys[key]) and is_alike(value, other[key])
                for key, value in one.items()
            )
        case float() if math.isnan(one):
            return math.isnan(other)
        case dt.datetime():  # one in a repeated hour never equals the same with another tzinfo
            return bool(one.isoformat() == other.isoformat())
    return bool(one == other)


_KINDS: tuple[type, ...] = (
    *(enum.Enum, bool, numbers.Integral, numbers.Real, str),
    *(dt.datetime, dt.date, dt.time, list, tuple, set, frozenset, Mapping),
)

_EXACT_KINDS: dict[type, type] = {
    **{kind: kind for kind in (bool, str, list, tuple, type(None))},
    int: numbers.Integral,
    float: numbers.Real,
    dict: Mapping,
}
"""Of the most frequent types, since isinstance is slow with abstract ones."""


def _kind(value: object) -> type:
    if kind := _EXACT_KINDS.get(type(value)):
        return kind
    if isinstance(value, enum.Enum):
        return type(value)
    return next((kind for kind in _KINDS if isinstance(value, kind)), type(value))


def dump_json(value: object, default: Callable[[Any], object] | None = None) -> str:
    """Return a value as JSON without spaces."""
    return json.dumps(
        value, default=default, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )


def native_json(value: Any) -> Any:
    """Return a value as JSON data that are read as the same value."""
    if not isinstance(value, enum.Enum):
        match value:
            case None | bool() | str():
                return value
            case numbers.Integral():
                return int(value)
            case float():
                return float(value)
            case list():
                return [native_json(item) for item in value]
            case dict() if all(isinstance(key, str) for key in value):
                return {key: native_json(item) for key, item in value.items()}
    text_of_value(value)  # its TypeError says more, where no text at all stands for it
    raise TypeError(f"{type(value).__name__} would be read back as another type: {value!r}")


_INT = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?inf|nan")
_BOOLS = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False}
"""An HTML form sends ``on`` for a checkbox that is checked."""


class Codec:
    """A type of values; this one is text itself."""

    is_faithful = True  # all that it writes is read as the same value
    takes_repeats = False  # the values of a key that is repeated are items of one value

    def write(self, value: Any) -> str:
        """Return a value as text."""
        if not isinstance(value, str):
            raise TypeError(f"{type(value).__name__} is no text: {value!r}")
        return str.__str__(value)  # an enum's str() is its name

    def read(self, text: str, /) -> Any:
        """Return the value that a text stands for."""
        return text

    def read_all(self, texts: Sequence[str]) -> Any:
        """Return the value that all values of a key stand for; the last one counts."""
        return self.read(texts[-1])

    def to_json(self, value: Any) -> Any:
        """Return a value as JSON data, as an item of a container."""
        return self.write(value)

    def from_json(self, data: Any) -> Any:
        """Return the value that JSON data stand for."""
        if not isinstance(data, str):
            raise wrong_json(data, "text")
        return self.read(data)


@dataclass(eq=False, repr=False)
class ReaderCodec(Codec):
    """Values of a type as `text_of_value` writes them, read by a function."""

    kind: type
    read: Callable[[str], Any]
    is_faithful = False

    def write(self, value: Any) -> str:
        if not isinstance(value, self.kind):
            raise TypeError(f"{type(value).__name__} is no {self.kind.__name__}: {value!r}")
        return text_of_value(value)


@dataclass(eq=False, repr=False)
class JSONScalarCodec(Codec):
    """Numbers or bools, which JSON has as well."""

    name: str
    kind: type
    make: type
    to_text: Callable[[Any], str]
    read: Callable[[str], Any]

    def write(self, value: Any) -> str:
        return self.to_text(self.to_json(value))

    def to_json(self, value: Any) -> Any:
        if type(value) is not self.make and not isinstance(value, self.kind):
            raise TypeError(f"{type(value).__name__} is no {self.name}: {value!r}")
        return self.make(value)

    def from_json(self, data: Any) -> Any:
        # Python's bool is an int
        if not isinstance(data, self.kind) or (isinstance(data, bool) and self.kind is not bool):
            raise wrong_json(data, f"a {self.name}")
        return self.make(data)


@dataclass(eq=False, repr=False)
class EnumCodec(Codec):
    """The members of an enum by their names; of flags without a name, the number."""

    members: type[enum.Enum]

    def write(self, value: Any) -> str:
        if not isinstance(value, self.members):
            raise TypeError(f"{value!r} is no member of {self.members.__name__}")
        return str(value.name or value.value)

    def read(self, text: str) -> Any:
        if not issubclass(self.members, enum.Flag):
            return self._member(text)
        if _INT.fullmatch(text):
            return self.members(int(text))
        return reduce(operator.or_, map(self._member, text.split("|")))

    def _member(self, name: str) -> Any:
        if name in self.members.__members__:
            return self.members[name]
        raise ValueError(f"{name!r} is none of {', '.join(self.members.__members__)}")


def _read_int(text: str) -> int:
    if not _INT.fullmatch(text):  # int() also takes 1_000, spaces and the digits of any script
        raise ValueError(f"{text!r} is no whole number")
    return int(text)


def _read_bool(text: str) -> bool:
    if text.lower() not in _BOOLS:
        raise ValueError(f"{text!r} is neither true nor false")
    return _BOOLS[text.lower()]


def _read_float(text: str) -> float:
    if not _FLOAT.fullmatch(text):
        raise ValueError(f"{text!r} is no number")
    number = float(text)
    if math.isinf(number) and "inf" not in text:
        raise ValueError(f"{text!r} is too large")
    return number


def load_json(text: str) -> Any:
    """Return what JSON stands for; NaN and infinite numbers are none."""
    return json.loads(text, parse_constant=_read_finite, parse_float=_read_finite)


def _read_finite(text: str) -> float:
    number = _read_float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is not between any bounds")
    return number


def wrong_json(data: object, wanted: str) -> ValueError:
    """Return the error for JSON data of another type."""
    return ValueError(f"JSON holds {type(data).__name__} where {wanted} has to be")


TEXT = Codec()
INT = JSONScalarCodec("whole number", numbers.Integral, int, str, _read_int)
FLOAT = JSONScalarCodec("number", numbers.Real, float, repr, _read_float)
FINITE = JSONScalarCodec("number", numbers.Real, float, repr, _read_finite)
BOOL = JSONScalarCodec("bool", bool, bool, text_of_value, _read_bool)
DATETIME = ReaderCodec(dt.datetime, dt.datetime.fromisoformat)
DATE = ReaderCodec(dt.date, dt.date.fromisoformat)
TIME = ReaderCodec(dt.time, dt.time.fromisoformat)
