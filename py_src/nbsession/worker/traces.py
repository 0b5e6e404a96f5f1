"""Tracebacks as text, from where the user's code begins."""

from __future__ import annotations

import asyncio
import importlib
import os
from typing import TYPE_CHECKING

from nbsession.scheduler import failure

if TYPE_CHECKING:
    from types import TracebackType

_OURS = (
    "<frozen importlib",
    *(
        os.path.dirname(os.path.abspath(path)) + os.sep  # noqa: PTH100, PTH120 - no pathlib for three names
        for path in (os.path.dirname(__file__), asyncio.__file__, importlib.__file__)  # noqa: PTH120
    ),
)
"""Whose frames call the user's code: all of nbsession, the loop, the import system."""


def traceback_text(error: BaseException) -> str:
    """Return an error's traceback, without the frames from which we called the user's code."""
    return failure.traceback_text(error, user_traceback(error))


def user_traceback(error: BaseException) -> TracebackType | None:
    """Return a traceback from the user's first frame on; None if there is none."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OURS):
        trace = trace.tb_next
    return trace
