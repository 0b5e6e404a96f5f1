"""Values as the text of a query parameter."""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
import numbers
from collections.abc import Mapping
from typing import Any


def text_of_value(value: object) -> str:
    """Return a value as the text of a query parameter, before it is percent-encoded.

    A bool is ``true`` or ``false``, a number as Python writes it, a date or time ISO 8601, a member
    of an enum its name; a list, tuple, set or dict is JSON without spaces: ``[1,5]``.

    Raises
    ------
    TypeError
        If the value is of another type.
    ValueError
        If no URL can hold it: half a surrogate pair, or NaN in JSON.
    """
    text = _plain_text(value)
    return checked_text(_json_text(value) if text is None else text)


def checked_text(text: str) -> str:
    """Return text that a URL can hold, or raise ValueError."""
    if not _is_unicode(text):
        message = f"{text!r} holds half of a surrogate pair, which no URL can hold"
        raise ValueError(message)
    return text


def _plain_text(value: object) -> str | None:  # noqa: PLR0911 - one line a type
    match value:
        case enum.Enum():
            return value.name
        case str():
            return str(value)
        case bool():
            return "true" if value else "false"
        case numbers.Integral():
            return str(int(value))
        case numbers.Real():
            return repr(float(value))
        case dt.date() | dt.time():
            return value.isoformat()
        case _:
            return None


def _json_text(value: object) -> str:
    if not isinstance(value, list | tuple | set | frozenset | Mapping):
        message = (
            f"{type(value).__name__} cannot be a query parameter: {value!r}; use text, a number, a "
            "bool, a date or time, an enum, or a list, tuple or dict of these"
        )
        raise TypeError(message)
    return json.dumps(
        value, default=_json_value, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )


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


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def texts_of_value(value: object) -> list[str]:
    """Return a value as those of a key: each of a list, none for None, else the one."""
    if value is None:
        return []
    return [text_of_value(v) for v in value] if isinstance(value, list) else [text_of_value(value)]


def text_of_key(key: object) -> str:
    """Return a key of the query.

    Raises
    ------
    TypeError
        If it is no text.
    ValueError
        If no URL can hold it.
    """
    if not isinstance(key, str):
        message = f"a key of the query is text, got {type(key).__name__}: {key!r}"
        raise TypeError(message)
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
"""Of the most frequent types, since abstract ones take long to ask for."""


def _kind(value: object) -> type:
    if kind := _EXACT_KINDS.get(type(value)):
        return kind
    if isinstance(value, enum.Enum):
        return type(value)
    return next((kind for kind in _KINDS if isinstance(value, kind)), type(value))


def dump_json(value: object) -> str:
    """Return a value as JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def native_json(value: Any) -> Any:
    """Return a value as JSON data that are read as the same value.

    Raises
    ------
    TypeError
        If JSON would make something else of it.
    """
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
    message = f"{type(value).__name__} would be read back as another type: {value!r}"
    raise TypeError(message)
