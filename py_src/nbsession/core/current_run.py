"""The run that the running code belongs to: what a task sees as `state.run`."""

from __future__ import annotations

import math
from contextvars import ContextVar
from typing import TYPE_CHECKING

from .references import PartOfState

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_TEXT_CHARACTERS = 200


class CurrentRun(PartOfState):
    """What a task may know and say of its own run.

    Attributes
    ----------
    id
        The run's.
    task
        The task's name.
    due_us
        When it was due, an instant in µs since the epoch, UTC; None for a run by hand.
    attempt
        1 for the first try.

    Parameters
    ----------
    report
        Takes the fraction and the text of a progress; callable on any thread.
    """

    _path = "run"
    __slots__ = ("_report", "attempt", "due_us", "id", "task")

    def __init__(
        self,
        run_id: int,
        task: str,
        due_us: int | None,
        attempt: int,
        report: Callable[[float, str], object],
    ) -> None:
        self.id = run_id
        self.task = task
        self.due_us = due_us
        self.attempt = attempt
        self._report = report

    def progress(self, fraction: float, text: str = "") -> None:
        """Say how far the run has come.

        Parameters
        ----------
        fraction
            From 0 to 1.
        text
            What is being done, at most 200 characters of it.

        Raises
        ------
        ValueError
            If the fraction is not between 0 and 1.
        TypeError
            If it is no number.
        """
        message = f"progress takes a fraction from 0 to 1, got {fraction!r}"
        if isinstance(fraction, bool | str | bytes):
            raise TypeError(message)
        try:
            number = float(fraction)
        except TypeError:
            raise TypeError(message) from None
        if math.isnan(number) or not 0 <= number <= 1:
            raise ValueError(message)
        self._report(number, str(text)[:MAX_TEXT_CHARACTERS])


current_run: ContextVar[CurrentRun | None] = ContextVar("nbsession_current_run", default=None)
