"""An event loop that an interrupt has stopped, run once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine

_MAX_INTERRUPTS = 3


def run_on_stopped(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine on a loop that does not run any more, to the end.

    The interrupt that stopped the loop may have struck in the middle of a task, whose future raises
    it once more as soon as the loop goes on: that is not one more interrupt of the user. Who
    presses Ctrl-C again and again is obeyed; so is a server's handler of SIGTERM, which stops the
    loop at every signal.
    """
    task = loop.create_task(coroutine)
    for interrupts in range(_MAX_INTERRUPTS + 1):
        try:
            loop.run_until_complete(task)
        except (KeyboardInterrupt, RuntimeError) as error:
            was_stopped = isinstance(error, KeyboardInterrupt) or not task.done()
            if not was_stopped or task.done() or interrupts == _MAX_INTERRUPTS:
                raise
        else:
            return
