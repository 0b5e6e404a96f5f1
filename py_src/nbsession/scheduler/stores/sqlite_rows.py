"""Tasks and runs as rows, there and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbsession.core.run import Run
from nbsession.scheduler.task_record import TaskRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

IS_OPEN = "state IN ('queued', 'running')"
"""As the index of open runs says it: otherwise SQLite does not see that it can use it."""

TASK_COLUMNS = (
    "id, due_us, paused, asks, ending, open_runs, run_count, error_count, last_run_us, last_state, "
    "gap_id, last_error, ended_by, revision, epoch"
)
RUN_COLUMNS = (
    "id, task, state, reason, due_us, started_us, ended_us, tries, error, traceback, output, "
    "progress, progress_text, until_us, count"
)


@dataclass(slots=True, eq=False)
class KeptTask(TaskRecord):
    """A task's record, and what its store notes of it.

    Attributes
    ----------
    epoch
        The revision that laid its occurrences out.
    told
        The revision that the engine knows of.
    grown
        How many rows this engine has added since it last looked for too many.
    """

    epoch: int = 0
    told: int = 0
    grown: int = 0

    def take(self, row: Sequence[Any]) -> None:
        """Become what a row of `TASK_COLUMNS` says."""
        (
            _,
            self.due_us,
            paused,
            asks,
            ending,
            self.open_runs,
            self.run_count,
            self.error_count,
            self.last_run_us,
            self.last_state,
            self.gap_id,
            self.last_error,
            self.ended_by,
            self.revision,
            self.epoch,
        ) = row
        self.paused, self.asks, self.ending = bool(paused), bool(asks), bool(ending)


def read_run(row: Sequence[Any]) -> Run:
    """Return the run that a row of `RUN_COLUMNS` says."""
    (
        run_id,
        task,
        state,
        reason,
        due_us,
        started_us,
        ended_us,
        tries,
        error,
        traceback,
        output,
        progress,
        progress_text,
        until_us,
        count,
    ) = row
    return Run(
        id=run_id,
        task=task,
        state=state,
        reason=reason,
        due_us=due_us,
        started_us=started_us,
        ended_us=ended_us,
        tries=tries,
        error=error,
        traceback=traceback,
        output=output,
        progress=progress,
        progress_text=progress_text,
        until_us=until_us,
        count=count,
    )


def storable(text: str | None) -> str | None:
    """Return text as SQLite takes it: a lone surrogate, as odd bytes give, becomes ``?``."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")
