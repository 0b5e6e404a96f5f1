"""The Future of a run that was started by hand."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from typing import TYPE_CHECKING, Any

from nbsession.core.process import HAS_THREADS
from nbsession.core.run import OPEN_STATES, Run

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from .board import TaskBoard

_HOLD_SECONDS = 20.0
"""How long one question for the end of a run is held before it is asked again."""


class RunFuture(concurrent.futures.Future[Run]):
    """A run once it is final; its failure is in its `Run.error`, not raised.

    ``await future`` on any loop, ``future.result()`` in a thread, and anywhere once it is done.
    Nothing cancels it: to end a run, cancel its task.

    Parameters
    ----------
    board
        Knows the run.
    row
        The run as it is now.
    """

    def __init__(self, board: TaskBoard, row: Mapping[str, Any]) -> None:
        super().__init__()
        self.set_running_or_notify_cancel()
        if row["state"] not in OPEN_STATES:
            self.set_result(Run.from_json(row))
            return
        if not HAS_THREADS:  # then the board is of this very loop
            self._task = asyncio.ensure_future(self._wait_here(board, row["id"]))
            return
        work = threading.Thread(
            target=self._wait, args=(board, row["id"]), name="nbsession-run", daemon=True
        )
        work.start()

    def result(self, timeout: float | None = None) -> Run:
        """Return the finished run.

        Parameters
        ----------
        timeout
            In seconds; None for no end.

        Raises
        ------
        RuntimeError
            If it is not done, on a thread whose event loop is running: the run may need that loop.
        TimeoutError
            If it is not done in time.
        """
        self._check()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return why the run's end cannot be told, None if it can; waits as `result` does."""
        self._check()
        return super().exception(timeout)

    def __await__(self) -> Generator[Any, None, Run]:
        """Wait on the running loop."""
        return asyncio.wrap_future(self).__await__()

    async def _wait_here(self, board: Any, run_id: int) -> None:
        try:
            self._finish(await board.until_final(run_id, None), run_id)
        except Exception as error:  # noqa: BLE001 - for whoever waits
            self.set_exception(error)

    def _wait(self, board: TaskBoard, run_id: int) -> None:
        try:
            row = board.wait_for_run(run_id, _HOLD_SECONDS)
            while row is not None and row["state"] in OPEN_STATES:
                row = board.wait_for_run(run_id, _HOLD_SECONDS)
            self._finish(row, run_id)
        except BaseException as error:  # noqa: BLE001 - for whoever waits
            self.set_exception(error)

    def _finish(self, row: Mapping[str, Any] | None, run_id: int) -> None:
        if row is None:
            message = f"run {run_id} is not in the history any more"
            raise LookupError(message)
        self.set_result(Run.from_json(row))

    def _check(self) -> None:
        if self.done():
            return
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        message = (
            "this run is not finished, and waiting for it here would block the loop that it may "
            "need; use `await future` instead"
        )
        raise RuntimeError(message)
