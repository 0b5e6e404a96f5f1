"""The part of a traceback that is about the user's code."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

_CALLERS = tuple(
    os.path.dirname(os.path.abspath(path)) + os.sep  # noqa: PTH100, PTH120 - no pathlib for two names
    for path in (__file__, asyncio.__file__)
)


def user_traceback(error: BaseException) -> TracebackType | None:
    """Return the traceback of an error without the frames from which we called the user's code.

    All of it, if the error is not from there.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_CALLERS):
        trace = trace.tb_next
    return trace or error.__traceback__
