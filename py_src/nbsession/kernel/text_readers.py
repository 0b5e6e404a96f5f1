"""Codecs of query parameters: a value of one type as text or JSON, and back.

Text that is no such value raises ValueError, a value that no text stands for TypeError.
"""

from __future__ import annotations

import enum
import json
import math
import numbers
import operator
import re
from functools import reduce
from typing import TYPE_CHECKING, Any

from .query_text import text_of_value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_INT = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?inf|nan")
_BOOLS = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False}
"""An HTML form sends ``on`` for a checkbox that is checked."""


class Codec:
    """A type of values; this one is text itself.

    Attributes
    ----------
    is_faithful
        Whether each value that is written is read back as the same value.
    """

    is_faithful = True

    def write(self, value: Any) -> str:
        """Return a value as text."""
        if not isinstance(value, str):
            message = f"{type(value).__name__} is no text: {value!r}"
            raise TypeError(message)
        return str.__str__(value)  # an enum's str() is its name

    def read(self, text: str) -> Any:
        """Return the value that a text stands for."""
        return text

    def read_all(self, texts: Sequence[str]) -> Any:
        """Return the value that all values of a key stand for; the last one counts."""
        return self.read(texts[-1])

    def read_items(self, texts: Sequence[str]) -> Any:
        """Return the value whose items are the values of a key that is repeated."""
        message = f"no repeated key is taken: {len(texts)} values"
        raise ValueError(message)

    def to_json(self, value: Any) -> Any:
        """Return a value as JSON data, as an item of a container."""
        return self.write(value)

    def from_json(self, data: Any) -> Any:
        """Return the value that JSON data stand for."""
        if not isinstance(data, str):
            raise wrong_json(data, "text")
        return self.read(data)


class ReaderCodec(Codec):
    """Values of a type as `text_of_value` writes them, read by a function."""

    is_faithful = False

    def __init__(self, read: Callable[[str], Any], kind: type) -> None:
        self._read = read
        self._type = kind

    def write(self, value: Any) -> str:
        """Return a value as text."""
        if not isinstance(value, self._type):
            message = f"{type(value).__name__} is no {self._type.__name__}: {value!r}"
            raise TypeError(message)
        return text_of_value(value)

    def read(self, text: str) -> Any:
        """Return the value that a text stands for."""
        return self._read(text)


class IntCodec(Codec):
    """Whole numbers."""

    def write(self, value: Any) -> str:
        """Return a number as text."""
        return str(self.to_json(value))

    def read(self, text: str) -> int:
        """Return the number that a text stands for."""
        if not _INT.fullmatch(text):  # int() also takes 1_000, spaces and the digits of any script
            message = f"{text!r} is no whole number"
            raise ValueError(message)
        return int(text)

    def to_json(self, value: Any) -> int:
        """Return a number as JSON data."""
        if type(value) is not int and not isinstance(value, numbers.Integral):
            message = f"{type(value).__name__} is no whole number: {value!r}"
            raise TypeError(message)
        return int(value)

    def from_json(self, data: Any) -> int:
        """Return the number that JSON data stand for."""
        if not isinstance(data, int) or isinstance(data, bool):
            raise wrong_json(data, "a whole number")
        return data


class FloatCodec(Codec):
    """Numbers; with bounds, finite ones only."""

    def __init__(self, *, is_bounded: bool = False) -> None:
        self._read = read_finite if is_bounded else read_float

    def write(self, value: Any) -> str:
        """Return a number as text."""
        return repr(self.to_json(value))

    def read(self, text: str) -> float:
        """Return the number that a text stands for."""
        return self._read(text)

    def to_json(self, value: Any) -> float:
        """Return a number as JSON data."""
        if type(value) is not float and not isinstance(value, numbers.Real):
            message = f"{type(value).__name__} is no number: {value!r}"
            raise TypeError(message)
        return float(value)

    def from_json(self, data: Any) -> float:
        """Return the number that JSON data stand for."""
        if not isinstance(data, int | float) or isinstance(data, bool):
            raise wrong_json(data, "a number")
        return float(data)


class BoolCodec(Codec):
    """True and false."""

    def write(self, value: Any) -> str:
        """Return ``true`` or ``false``."""
        return "true" if self.to_json(value) else "false"

    def read(self, text: str) -> bool:
        """Return what a text stands for."""
        if text.lower() not in _BOOLS:
            message = f"{text!r} is neither true nor false"
            raise ValueError(message)
        return _BOOLS[text.lower()]

    def to_json(self, value: Any) -> bool:
        """Return a value as JSON data."""
        if not isinstance(value, bool):
            message = f"{type(value).__name__} is no bool: {value!r}"
            raise TypeError(message)
        return value

    def from_json(self, data: Any) -> bool:
        """Return what JSON data stand for."""
        if not isinstance(data, bool):
            raise wrong_json(data, "a bool")
        return data


class EnumCodec(Codec):
    """The members of an enum by their names; of flags without a name, the number."""

    def __init__(self, members: type[enum.Enum]) -> None:
        self._members = members

    def write(self, value: Any) -> str:
        """Return the name of a member."""
        if not isinstance(value, self._members):
            message = f"{value!r} is no member of {self._members.__name__}"
            raise TypeError(message)
        return str(value.name or value.value)

    def read(self, text: str) -> Any:
        """Return the member with a name."""
        if not issubclass(self._members, enum.Flag):
            return self._member(text)
        if _INT.fullmatch(text):
            return self._members(int(text))
        return reduce(operator.or_, map(self._member, text.split("|")))

    def _member(self, name: str) -> Any:
        if name in self._members.__members__:
            return self._members[name]
        message = f"{name!r} is none of {', '.join(self._members.__members__)}"
        raise ValueError(message)


def read_float(text: str) -> float:
    """Return the number that a text stands for."""
    if not _FLOAT.fullmatch(text):
        message = f"{text!r} is no number"
        raise ValueError(message)
    number = float(text)
    if math.isinf(number) and "inf" not in text:
        message = f"{text!r} is too large"
        raise ValueError(message)
    return number


def load_json(text: str) -> Any:
    """Return what JSON stands for; NaN and infinite numbers are none."""
    return json.loads(text, parse_constant=read_finite, parse_float=read_finite)


def read_finite(text: str) -> float:
    """Return the number that a text stands for; NaN and infinite ones are none."""
    number = read_float(text)
    if not math.isfinite(number):
        message = f"{text!r} is not between any bounds"
        raise ValueError(message)
    return number


def wrong_json(data: object, wanted: str) -> ValueError:
    """Return the error for JSON data of another type."""
    return ValueError(f"JSON holds {type(data).__name__} where {wanted} has to be")
