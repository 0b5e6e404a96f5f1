"""What is kept of an exception that a task has raised, as text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .abc import Outcome

if TYPE_CHECKING:
    from types import TracebackType

MAX_ERROR_CHARACTERS = 2_000
MAX_TRACEBACK_CHARACTERS = 32_768


def failed(
    error: BaseException,
    ended_us: int,
    started_us: int | None = None,
    reason: str | None = None,
    frames: TracebackType | None = None,
) -> Outcome:
    """Return the outcome of a try that has raised.

    Parameters
    ----------
    error
        What was raised.
    ended_us, started_us
        Instants.
    reason
        Why, if the exception does not say it.
    frames
        Those of the traceback that are kept; None for all.
    """
    return Outcome(
        state="failed",
        started_us=started_us,
        ended_us=ended_us,
        reason=reason,
        error=error_text(error),
        traceback=traceback_text(error, error.__traceback__ if frames is None else frames),
    )


def error_text(error: BaseException) -> str:
    """Return an error's type and message, on one line for each of the message's."""
    try:
        message = str(error)
    except BaseException:  # noqa: BLE001 - the user's class; its name has to do
        message = "<its text cannot be shown>"
    text = f"{type(error).__qualname__}: {message}" if message else type(error).__qualname__
    return clean(text, MAX_ERROR_CHARACTERS)


def traceback_text(error: BaseException, frames: TracebackType | None) -> str:
    """Return an error's traceback, of these frames."""
    import traceback

    try:
        lines = traceback.format_exception(type(error), error, frames)
    except BaseException:  # noqa: BLE001 - the user's class; the run has to end all the same
        lines = [f"{type(error).__qualname__}, whose traceback cannot be shown"]
    return clean("".join(lines), MAX_TRACEBACK_CHARACTERS)


def clean(text: str, limit: int) -> str:
    """Return text that any database takes, its middle left out if it is longer than `limit`."""
    if len(text) > limit:
        half = limit // 2
        text = f"{text[:half]}\n[… {len(text) - 2 * half:,} characters left out …]\n{text[-half:]}"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
