"""Readers of texts: each takes the text of a query parameter and returns a value of one type.

One that cannot raises ValueError.
"""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
import re
import sys
from collections.abc import Callable
from typing import Any

import traitlets
from traitlets import HasTraits, TraitType

from .query_text import text_of_value

Reader = Callable[[str], Any]
Trait = TraitType[Any, Any]

_INT = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?inf|nan")
_BOOLS = {"true": True, "1": True, "false": False, "0": False}


def reader_for_labels(obj: HasTraits, trait: Trait) -> Reader | None:
    """Return the reader for the labels of a selection widget; None if it is none."""
    module: Any = sys.modules.get("ipywidgets.widgets.widget_selection")
    if module is None:
        return None
    if isinstance(obj, module._Selection):  # noqa: SLF001 - the one base of all that choose one of their options
        return str
    if isinstance(obj, module._MultipleSelection):  # noqa: SLF001 - and of those that choose several
        count = 2 if isinstance(trait, traitlets.Tuple) else None  # both ends of a range
        return lambda text: _labels(text, count)
    return None


def _labels(text: str, count: int | None) -> tuple[str, ...]:
    labels = _json(text, list)
    if count not in (None, len(labels)):
        message = f"{len(labels)} labels where {count} have to be"
        raise ValueError(message)
    return tuple(labels)


def reader_for(trait: Trait, obj: HasTraits, value: object = None) -> Reader | None:
    """Return the reader for a trait of an object; None if no text stands for what it holds.

    Parameters
    ----------
    value
        Its present one, which tells the type where the trait itself takes anything.
    """
    read = _reader_by_type(trait, obj)
    if read is None and (value is not None or type(trait) is traitlets.Any):
        read = _reader_like(value)
    return read


def _reader_by_type(trait: Trait, obj: HasTraits) -> Reader | None:  # noqa: PLR0911 - one line a type
    match trait:
        case traitlets.UseEnum():
            return _enum_reader(trait.enum_class)
        case traitlets.Enum():
            return lambda text: _choice(trait, text)
        case traitlets.Bool():
            return _bool
        case traitlets.Int():
            return _int
        case traitlets.Float():
            return _bounded_float if _is_bounded(trait, obj) else _float
        case traitlets.Unicode():
            return str
        case traitlets.Dict() | traitlets.Container():
            return lambda text: _from_json(trait, _json(text, dict | list), obj)
        case traitlets.Union():
            return _union_reader(trait, obj)
        case traitlets.Instance():
            return _READERS.get(trait.klass) if isinstance(trait.klass, type) else None
    return _WIDGET_READERS.get(type(trait).__name__) if _is_of_widgets(trait) else None


def _is_of_widgets(trait: Trait) -> bool:
    return type(trait).__module__.startswith("ipywidgets.")


def _is_bounded(trait: traitlets.Float[Any, Any], obj: HasTraits) -> bool:
    has_limits = trait.min > -math.inf or trait.max < math.inf
    return has_limits or obj.has_trait("max")


def _reader_like(value: object) -> Reader | None:
    """Return a reader for a trait that takes anything, by what it holds."""
    if value is None:
        return str
    if isinstance(value, enum.Enum):
        return _enum_reader(type(value))
    return next((read for kind, read in _READERS.items() if isinstance(value, kind)), None)


def _bool(text: str) -> bool:
    if text.lower() not in _BOOLS:
        message = f"{text!r} is neither true nor false"
        raise ValueError(message)
    return _BOOLS[text.lower()]


def _int(text: str) -> int:
    if not _INT.fullmatch(text):  # int() also takes 1_000, spaces and the digits of any script
        message = f"{text!r} is no whole number"
        raise ValueError(message)
    return int(text)


def _float(text: str) -> float:
    if not _FLOAT.fullmatch(text):
        message = f"{text!r} is no number"
        raise ValueError(message)
    number = float(text)
    if math.isinf(number) and "inf" not in text:
        message = f"{text!r} is too large"
        raise ValueError(message)
    return number


def _bounded_float(text: str) -> float:
    number = _float(text)
    if not math.isfinite(number):
        message = f"{text!r} is not between any bounds"
        raise ValueError(message)
    return number


def _datetime(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def _json(text: str, kind: Any) -> Any:
    value = json.loads(text, parse_constant=_bounded_float, parse_float=_bounded_float)
    if not isinstance(value, kind):
        message = f"{text!r} is JSON of another type"
        raise ValueError(message)  # noqa: TRY004 - the text is wrong, not the type of an argument
    return value


def _from_json(trait: Trait | None, value: Any, obj: HasTraits) -> Any:
    """Return what JSON stands for as a value of a trait: tuples, sets, dates and enums again."""
    match trait:
        case traitlets.Dict():
            _expect(value, dict)
            # traitlets has no public way to ask for the traits of what a container holds
            keys, values = getattr(trait, "_key_trait", None), getattr(trait, "_value_trait", None)
            return {_key(keys, k, obj): _from_json(values, v, obj) for k, v in value.items()}
        case traitlets.Tuple():
            _expect(value, list)
            traits = getattr(trait, "_traits", None) or [None] * len(value)
            return tuple(_from_json(t, v, obj) for t, v in zip(traits, value, strict=True))
        case traitlets.Container():
            _expect(value, list)
            items = (_from_json(getattr(trait, "_trait", None), v, obj) for v in value)
            return (trait.klass if isinstance(trait.klass, type) else list)(items)
        case None | traitlets.Unicode():
            return value
    if isinstance(value, str) and not isinstance(trait, traitlets.Int | traitlets.Float):
        read = _reader_by_type(trait, obj)
        return read(value) if read else value
    return value


def _key(trait: Trait | None, key: str, obj: HasTraits) -> Any:
    read = _reader_by_type(trait, obj) if trait is not None else None
    return read(key) if read else key


def _expect(value: object, kind: type) -> None:
    if not isinstance(value, kind):
        message = f"JSON holds {type(value).__name__} where {kind.__name__} has to be"
        raise ValueError(message)  # noqa: TRY004 - the text is wrong, not the type of an argument


def _enum_reader(members: type[enum.Enum]) -> Reader:
    def read(text: str) -> enum.Enum:
        for member in members:
            if text == member.name:
                return member
        message = f"{text!r} is none of {', '.join(members.__members__)}"
        raise ValueError(message)

    return read


def _choice(trait: traitlets.Enum[Any], text: str) -> Any:
    for choice in trait.values or ():
        if choice is not None and text_of_value(choice) == text:
            return choice
    return (
        text  # for those that take other spellings too; the trait refuses what is none of its own
    )


def _union_reader(trait: traitlets.Union, obj: HasTraits) -> Reader | None:
    readers = [
        (t, read) for t in trait.trait_types if (read := _reader_by_type(t, obj)) is not None
    ]

    def read_first(text: str) -> Any:
        for kind, read in readers:
            try:
                return kind.validate(obj, read(text)) if hasattr(kind, "validate") else read(text)
            except (ValueError, traitlets.TraitError):
                continue
        message = f"{text!r} is no {trait.info()}"
        raise ValueError(message)

    return read_first if readers else None


_READERS: dict[type, Reader] = {
    bool: _bool,
    int: _int,
    float: _float,
    str: str,
    dt.datetime: _datetime,
    dt.date: dt.date.fromisoformat,
    dt.time: dt.time.fromisoformat,
    tuple: lambda text: tuple(_json(text, list)),
    list: lambda text: _json(text, list),
    dict: lambda text: _json(text, dict),
}
"""By type; a bool is an int and a datetime a date, so the order counts."""

_WIDGET_READERS: dict[str, Reader] = {
    "Date": dt.date.fromisoformat,
    "Datetime": _datetime,
    "Time": dt.time.fromisoformat,
}
