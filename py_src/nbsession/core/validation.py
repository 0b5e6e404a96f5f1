"""Checks of what workers, kernels and browsers send. All raise ValueError."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NoReturn

from .tracebacks import clean

if TYPE_CHECKING:
    from collections.abc import Callable

    Check = Callable[[object], Any]
    """Returns the value, or what it stands for."""

MAX_NUMBER = 2**53
"""Every JSON reader holds it exactly."""


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number in JSON")


_decode = json.JSONDecoder(parse_constant=_refuse).decode


def parse_json(text: str) -> Any:
    """Return the value of strict JSON: without NaN and infinities, and not nested too deep."""
    try:
        return _decode(text)
    except RecursionError:
        raise ValueError("nested too deep") from None


def check_plain(value: object, max_depth: int) -> None:
    """Check that no number of JSON data is infinite or NaN, and that it is not nested deeper."""
    level = [value]
    for _ in range(max_depth + 1):
        if any(isinstance(each, float) and not math.isfinite(each) for each in level):
            raise ValueError("a number that is not finite")
        containers = [each for each in level if isinstance(each, list | dict)]
        if not containers:
            return
        level = [
            each
            for items in containers
            for each in (items.values() if isinstance(items, dict) else items)
        ]
    raise ValueError("nested too deep")


def whole_number(least: int, beyond: int) -> Check:
    """Return a check for a whole number in a range."""

    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < beyond:
            raise ValueError("no whole number in its range")
        return value

    return check


def text(limit: int) -> Check:
    """Return a check for text, which is shortened to a limit, in characters."""

    def check(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError("no text")  # noqa: TRY004 - all of these are one error
        return value if value.isascii() and len(value) <= limit else clean(value, limit)

    return check


def one_of(*choices: str) -> Check:
    """Return a check for one of some texts."""

    def check(value: object) -> object:
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"none of {', '.join(choices)}")
        return value

    return check


def or_none(check: Check) -> Check:
    """Return a check that None passes too."""
    return lambda value: None if value is None else check(value)
