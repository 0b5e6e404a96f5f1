"""Asking again while another server holds the database for a moment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from nbsession.core.errors import StoreBusyError

if TYPE_CHECKING:
    from collections.abc import Callable

BUSY_SECONDS = 5.0
_PAUSE_SECONDS = 0.05

T = TypeVar("T")


async def patiently(ask: Callable[[], T]) -> T:
    """Return what is answered at last, leaving the loop free meanwhile.

    Raises
    ------
    StoreBusyError
        If the database is still held after `BUSY_SECONDS`; and whatever else `ask` raises.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + BUSY_SECONDS
    while True:
        try:
            return ask()
        except StoreBusyError:
            if loop.time() > deadline:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)
