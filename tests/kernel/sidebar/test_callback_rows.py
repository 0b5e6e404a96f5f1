"""Names and errors of callbacks, as pages and the server get them."""

from __future__ import annotations

import functools
import json
import xmlrpc.client
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest

from nbsession.kernel.callbacks.registry import PeriodicCallbacks
from nbsession.kernel.sidebar.report import callback_row, report
from turns import on_loop

if TYPE_CHECKING:
    from collections.abc import Callable


def update() -> None: ...


@pytest.mark.parametrize(
    ("callback", "name"),
    [
        (update, "update"),
        (functools.partial(update), "update"),
        ([].clear, "list.clear"),
        (lambda: None, "<lambda>"),
        # They have whatever one asks them for, a `func` too.
        (Mock(), "Mock"),
        (xmlrpc.client.ServerProxy("http://localhost").ping, "_Method"),
    ],
)
@on_loop(PeriodicCallbacks)
async def test_names(
    callbacks: PeriodicCallbacks, callback: Callable[[], object], name: str
) -> None:
    periodic = callbacks.add(callback, 60_000, count=None, timeout=None, start=False)
    assert callback_row("1", periodic)["name"] == name


@on_loop(PeriodicCallbacks)
async def test_text_of_odd_bytes_can_be_sent(callbacks: PeriodicCallbacks) -> None:
    def odd() -> None: ...

    odd.__qualname__ = "odd \ud800"
    periodic = callbacks.add(odd, 60_000, count=None, timeout=None, start=False)
    periodic.record("last_error", ValueError("of \udcff.txt"))
    rows: Any = (callback_row("1", periodic), report(callbacks, None))
    json.dumps(rows, ensure_ascii=False).encode()
    assert rows[0]["last_error"] == "ValueError: of ?.txt"
    assert rows[1]["callbacks"][0]["name"] == "odd ?"
