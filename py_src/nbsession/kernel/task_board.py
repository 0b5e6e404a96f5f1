"""The tasks of this kernel, for any thread; also while a cell blocks the loop."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from nbsession.core.errors import NoSuchTaskError
from nbsession.scheduler.engine_board import EngineBoard

from .loop_calls import LoopBlockedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbsession.scheduler.engine import Engine
    from nbsession.scheduler.wire import TaskJSON

    from .loop_calls import LoopCalls
    from .main_loop import MainLoop

Result = TypeVar("Result")

_TRIES = 100


class KernelBoard(EngineBoard):
    """The `TaskBoard` of this kernel.

    On the loop's thread every method answers straight. Elsewhere what is read is read there and
    then, while the loop may be changing it: one row may be older than another. An order waits for
    the loop only so long: a blocked loop carries it out later.

    Parameters
    ----------
    engine
        The kernel's.
    calls
        Make orders on the main loop.
    main_loop
        The loop.
    kernel_id
        This kernel's; None in a plain process.

    Attributes
    ----------
    is_open
        Whether the loop has had a turn to open the engine.
    promised
        Tasks by name that are there once the loop has a turn.
    """

    is_open = False

    def __init__(
        self, engine: Engine, calls: LoopCalls, main_loop: MainLoop, kernel_id: str | None
    ) -> None:
        super().__init__(engine, main_loop.loop, kernel_id)
        self.promised: dict[str, TaskJSON] = {}
        self._calls = calls
        self._main_loop = main_loop

    def move(self, engine: Engine) -> None:
        """Go on with another engine, on the loop as it is now."""
        self.is_open, self._engine, self._loop = False, engine, self._main_loop.loop

    def list(self) -> list[TaskJSON]:
        """Return every task of this kernel, in the order of names."""
        if not self.is_open:
            return []
        return self._read(lambda: [self.to_json(task) for task in self._engine.tasks()])

    def show(self, name: str, task_id: int | None = None) -> TaskJSON:
        """Return one task."""
        promised = self.promised.get(name) if task_id is None else None
        if promised is not None:
            return promised
        if not self.is_open:
            raise NoSuchTaskError(name)
        return self._read(lambda: self.to_json(self._engine.get(name, task_id)))

    def cancel(self, name: str, *, wait: bool) -> None:
        """Take a task off; with `wait` after one more run."""
        self.show(name)
        with suppress(LoopBlockedError):
            super().cancel(name, wait=wait)

    def pause(self, name: str) -> TaskJSON:
        """Let nothing be due until it is resumed."""
        try:
            return super().pause(name)
        except LoopBlockedError:
            return self.show(name)

    def resume(self, name: str) -> TaskJSON:
        """Go on: the next occurrence is the first one after now."""
        try:
            return super().resume(name)
        except LoopBlockedError:
            return self.show(name)

    def _call(self, ask: Callable[[], Result]) -> Result:
        return self._calls.call(ask)

    def _read(self, read: Callable[[], Result]) -> Result:
        for _ in range(_TRIES):
            try:
                return read()
            except NoSuchTaskError:
                raise
            except (KeyError, RuntimeError):  # a dict has changed while it was read
                if self._main_loop.is_here():
                    raise
        return self._call(read)
