"""Exceptions as text for people, and the part of a traceback that is the user's code."""

from __future__ import annotations

import asyncio
import importlib
import os
from typing import TYPE_CHECKING

from .text import escape_surrogates

if TYPE_CHECKING:
    from types import TracebackType

MAX_ERROR_CHARACTERS = 2_000
MAX_TRACEBACK_CHARACTERS = 32_768


def error_text(error: BaseException) -> str:
    """Return an error's type and message, on one line for each of the message's."""
    try:
        message = str(error)
    except BaseException:  # noqa: BLE001 - the user's class; its name has to suffice
        message = "<its text cannot be shown>"
    text = f"{type(error).__qualname__}: {message}" if message else type(error).__qualname__
    return clean(text, MAX_ERROR_CHARACTERS)


def traceback_text(error: BaseException, frames: TracebackType | None = None) -> str:
    """Return an error's traceback: of these frames, or else from the user's first one on."""
    import traceback

    try:
        lines = traceback.format_exception(type(error), error, frames or user_traceback(error))
    except BaseException:  # noqa: BLE001 - the user's class; the run has to end all the same
        lines = [f"{type(error).__qualname__}, whose traceback cannot be shown"]
    return clean("".join(lines), MAX_TRACEBACK_CHARACTERS)


def clean(text: str, limit: int) -> str:
    """Return text that any database takes, its middle left out if it is longer than `limit`."""
    if len(text) > limit:
        half = limit // 2
        text = f"{text[:half]}\n[… {len(text) - 2 * half:,} characters left out …]\n{text[-half:]}"
    return escape_surrogates(text)


_OURS = (
    "<frozen importlib",
    *(
        os.path.dirname(os.path.abspath(path)) + os.sep  # noqa: PTH100, PTH120 - no pathlib for three names
        for path in (os.path.dirname(__file__), asyncio.__file__, importlib.__file__)  # noqa: PTH120
    ),
)
"""Files whose frames call the user's code: all of nbsession, the loop, the import system."""


def user_traceback(error: BaseException) -> TracebackType | None:
    """Return a traceback from the user's first frame on; None if there is none."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OURS):
        trace = trace.tb_next
    return trace


def traceback_from_user_code(error: BaseException) -> TracebackType | None:
    """Return a traceback from the user's first frame on; all of it if there is none."""
    return user_traceback(error) or error.__traceback__
