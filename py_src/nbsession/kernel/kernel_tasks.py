"""The tasks that run in this kernel and end with it."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import warnings
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from nbsession.core.clock import SystemClock
from nbsession.core.errors import TaskExistsWarning
from nbsession.scheduler.engine import Engine
from nbsession.scheduler.stores.memory import MemoryStore

from .callbacks import show_error
from .loop_calls import LoopBlockedError, LoopCalls
from .task_board import KernelBoard
from .task_code import code_of
from .task_executor import CallbackExecutor

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from nbsession.core.task_spec import TaskSpec
    from nbsession.scheduler.news import Changes
    from nbsession.scheduler.wire import TaskJSON

    from .main_loop import Context
    from .runtime import Runtime

_log = logging.getLogger("nbsession")


class KernelTasks:
    """An engine on the main loop, with what it needs.

    Parameters
    ----------
    runtime
        Of the session, with which the tasks end.
    kernel_id
        This kernel's; None in a plain process.

    Attributes
    ----------
    board
        What can be asked and ordered of the tasks.
    """

    def __init__(self, runtime: Runtime, kernel_id: str | None) -> None:
        self._runner = runtime.runner
        self._main_loop = runtime.main_loop
        self._calls = LoopCalls(self._main_loop)
        self._clock = SystemClock()
        self._store = MemoryStore(clock=self._clock)
        self._observers: list[Callable[[], object]] = []
        self._moves = self._main_loop.follow()
        self._engine = self._new_engine()
        self._closing: asyncio.Task[None] | None = None  # a loop keeps only weak references
        self._kernel_id = kernel_id
        self.board = KernelBoard(self._engine, self._calls, self._main_loop, kernel_id)
        runtime.on_remove(self._close)
        self._open()

    def context(self) -> Context:
        """Return the context of the cell that is running."""
        return self._runner.context()

    def observe(self, observer: Callable[[], object]) -> None:
        """Call after changes, once per turn of the loop, on its thread."""
        self._observers.append(observer)

    def schedule(self, spec: TaskSpec, *, replace: bool) -> tuple[TaskJSON, str]:
        """Declare a task; see `Engine.schedule`.

        The code of a cell that runs again takes the place of what it was, and the schedule goes on.
        """
        if self._main_loop.follow() != self._moves:
            self._move()
        try:
            return self._calls.call(lambda: self._schedule(spec, replace=replace))
        except LoopBlockedError as error:
            promised = self.board.promised
            known = promised[spec.name] = _promised(spec, self._kernel_id)
            error.future.add_done_callback(partial(_tell_late, promised, spec.name))
            return known, "made"  # the loop may have taken it out of those promised by now

    def _schedule(self, spec: TaskSpec, *, replace: bool) -> tuple[TaskJSON, str]:
        known = self._engine.find(spec.name)
        if known is not None and known.state != "finished" and _take_over(known.spec, spec):
            return self.board.to_json(known), "same"
        task, outcome = self._engine.schedule(spec, replace)
        return self.board.to_json(task), outcome

    # -- in and out -------------------------------------------------------------------------------

    def _new_engine(self) -> Engine:
        executor = CallbackExecutor(self._runner, self._clock)
        return Engine(self._store, executor, self._clock, _log)

    def _open(self) -> None:
        if self._main_loop.is_here() and self._main_loop.loop.is_running():
            self._open_here()
        else:  # before whatever is handed over next; to wait for it would keep a lock
            self._calls.hand_over(self._open_here)

    def _open_here(self) -> None:
        self._engine.open()
        self._engine.subscribe(self._tell)
        self.board.is_open = True

    def _move(self) -> None:
        """Go on with the process's next loop: what ran on the one before has ended with it."""
        self._moves = self._main_loop.follow()
        if self.board.is_open:
            self._engine.abandon()
        self._engine = self._new_engine()
        self.board.move(self._engine)
        self._open()

    def _tell(self, _changes: Changes) -> None:
        for observer in tuple(self._observers):
            observer()

    def _close(self) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._main_loop.call_soon(self._close_here, context=contextvars.Context())

    def _close_here(self) -> None:
        self._closing = asyncio.get_running_loop().create_task(self._engine.close())


def _take_over(known: TaskSpec, again: TaskSpec) -> bool:
    """Let the code of the same task take over; return whether it is the same."""
    ours, at = code_of(known.target), code_of(known.at_target)
    code, at_code = code_of(again.target), code_of(again.at_target)
    if ours is None or code is None or not ours.is_same(code):
        return False
    if (at is None) is not (at_code is None) or not _are_rules_equal(known, again):
        return False
    if at is not None and at_code is not None:
        if not at.is_same(at_code):
            return False
        at.become(at_code)
    ours.become(code)
    return True


def _are_rules_equal(known: TaskSpec, again: TaskSpec) -> bool:
    try:
        return bool(
            known.schedule == again.schedule
            and known.policies == again.policies
            and known.args == again.args
            and known.kwargs == again.kwargs
        )
    except Exception:  # noqa: BLE001 - arrays and the like do not say whether they are equal
        return False


def _tell_late(
    promised: dict[str, TaskJSON], name: str, future: Future[tuple[TaskJSON, str]]
) -> None:
    """Say in the cell what came of a declaration that had to wait for the loop; on the loop."""
    promised.pop(name, None)
    error = future.exception()
    if error is not None:
        show_error(error)
        return
    if future.result()[1] == "exists":
        message = f"a task named {name!r} is there already; nothing has changed"
        warnings.warn(message, TaskExistsWarning, stacklevel=2)


def _promised(spec: TaskSpec, kernel_id: str | None) -> TaskJSON:
    """Return a task that is there once the loop has a turn."""
    return {
        "id": 0,
        "name": spec.name,
        "kernel_id": kernel_id,
        "state": "scheduled",
        "schedule": dict(spec.schedule),
        "callback": spec.target.label,
        "home": None,
        "owner": None,
        "policies": spec.policies.to_json(),
        "next_run": None,
        "last_run": None,
        "last_state": None,
        "last_error": None,
        "ended_by": None,
        "run_count": 0,
        "error_count": 0,
        "editable": True,
        "run": None,
    }
