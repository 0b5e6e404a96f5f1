"""The future that `state.execute` and `Task.run_now` return."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator

Result = TypeVar("Result")


class AwaitableFuture(Future[Result]):
    """To be awaited on any loop; ``result()`` waits in a thread, and is there once it is done."""

    def _check_can_wait(self) -> None:
        """Raise RuntimeError if waiting here would block what has to end first."""
        raise NotImplementedError

    def result(self, timeout: float | None = None) -> Result:
        """Return the result, or raise the error.

        Parameters
        ----------
        timeout
            In seconds; None for no end.

        Raises
        ------
        RuntimeError
            If it is not done, on the thread of the event loop that it may need.
        TimeoutError
            If it is not done in time.
        """
        self._check_can_wait()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the error, None if there is none; waits and raises as `result` does."""
        self._check_can_wait()
        return super().exception(timeout)

    def __await__(self) -> Generator[object, None, Result]:
        """Wait on the running loop."""
        return asyncio.wrap_future(self).__await__()
