"""What is kept of an exception that a task has raised."""

from __future__ import annotations

import traceback

from .abc import Outcome

MAX_TRACEBACK_CHARACTERS = 20_000


def failed(
    error: BaseException,
    ended_us: int,
    started_us: int | None = None,
    reason: str | None = None,
    skip: int = 0,
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
    skip
        How many frames of the traceback are ours, and are left out.
    """
    frames = error.__traceback__
    for _ in range(skip):
        frames = frames and frames.tb_next
    text = "".join(traceback.format_exception(type(error), error, frames))
    return Outcome(
        state="failed",
        started_us=started_us,
        ended_us=ended_us,
        reason=reason,
        error="".join(traceback.format_exception_only(error)).strip(),
        traceback=text[-MAX_TRACEBACK_CHARACTERS:],
    )
