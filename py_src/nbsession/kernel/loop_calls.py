"""Calling on the main loop from other threads, which must not wait for it for ever."""

from __future__ import annotations

import contextvars
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from .main_loop import MainLoop

Result = TypeVar("Result")

PATIENCE_SECONDS = 0.25
"""How long a thread waits for the loop: a cell that blocks it may wait for that very thread."""


class LoopBlockedError(TimeoutError):
    """The main loop has no turn; what was asked of it is done at its next one.

    Parameters
    ----------
    future
        Of what was asked.
    """

    def __init__(self, future: Future[Any]) -> None:
        super().__init__("the main loop is blocked; what was asked of it is done at its next turn")
        self.future = future


class LoopCalls:
    """Makes calls on the loop's thread.

    Parameters
    ----------
    main_loop
        The loop.
    """

    def __init__(self, main_loop: MainLoop) -> None:
        self._main_loop = main_loop

    def call(self, function: Callable[[], Result]) -> Result:
        """Call on the loop's thread, at once if this is it, and return what that returns.

        Raises
        ------
        LoopBlockedError
            If another thread gets no answer in time, or the loop does not run yet. The call is made
            all the same.
        """
        is_here = self._main_loop.is_here()
        if is_here and self._main_loop.loop.is_running():
            return function()
        future = self.hand_over(function)
        try:
            return future.result(0 if is_here else PATIENCE_SECONDS)
        except TimeoutError:
            if future.done():  # it has raised one itself
                raise
            raise LoopBlockedError(future) from None

    def hand_over(self, function: Callable[[], Result]) -> Future[Result]:
        """Call on the loop's thread at its next turn, in the caller's context."""
        future: Future[Result] = Future()

        def run() -> None:
            try:
                result = function()
            except BaseException as error:  # noqa: BLE001 - for who asked
                future.set_exception(error)
            else:
                future.set_result(result)

        self._main_loop.call_soon(run, context=contextvars.copy_context())
        return future
