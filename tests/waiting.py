"""Waiting for what must come true."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def eventually(look: Callable[[], T], seconds: float = 20, what: str = "") -> T:
    """Return the first true value of `look`; fail if there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = look()
        if value:
            return value
        if time.monotonic() > deadline:
            message = f"not within {seconds} s: {what or look}"
            raise AssertionError(message)
        time.sleep(0.05)
