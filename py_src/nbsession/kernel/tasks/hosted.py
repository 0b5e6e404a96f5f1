"""The tasks that run in this kernel and end with it."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from nbsession.core.errors import NoSuchTaskError, TaskExistsWarning, warn
from nbsession.core.schedule.clock import SystemClock
from nbsession.core.tasks.schema import task_json
from nbsession.kernel.runtime.loop import LoopBlockedError, LoopCalls
from nbsession.kernel.runtime.runner import show_error
from nbsession.scheduler.api.service import EngineTaskService
from nbsession.scheduler.engine.engine import Engine
from nbsession.scheduler.stores.memory import MemoryStore

from .executor import CallbackExecutor, code_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from nbsession.core.tasks.schema import TaskJSON
    from nbsession.core.tasks.spec import TaskSpec
    from nbsession.kernel.runtime.loop import Context
    from nbsession.kernel.runtime.runtime import Runtime
    from nbsession.scheduler.engine.events import Changes

Result = TypeVar("Result")

_TRIES = 100
_log = logging.getLogger("nbsession")


class KernelTasks(EngineTaskService):
    """The tasks of this kernel: an engine on the main loop, and its `TaskService`.

    On the loop's thread every method answers at once. Elsewhere what is read is read there and
    then, while the loop may be changing it: one row may be older than another. An action waits for
    the loop only so long: a blocked loop carries it out later.
    """

    def __init__(self, runtime: Runtime, kernel_id: str | None) -> None:
        self._runner = runtime.runner
        self._main_loop = runtime.main_loop
        self._calls = LoopCalls(self._main_loop)
        self._clock = SystemClock()
        self._store = MemoryStore(clock=self._clock)
        self._observers: list[Callable[[], object]] = []
        self._moves = self._main_loop.follow()
        super().__init__(self._new_engine(), self._main_loop.loop, kernel_id)
        self._is_open = False
        self._promised: dict[str, TaskJSON] = {}
        self._closing: asyncio.Task[None] | None = None  # a loop keeps only weak references
        runtime.on_remove(self._close)
        self._open()

    def context(self) -> Context:
        """Return the context of the cell that is running."""
        return self._runner.context()

    def observe(self, observer: Callable[[], object]) -> None:
        """Call after changes, once per turn of the loop, on its thread."""
        self._observers.append(observer)

    def declare(self, spec: TaskSpec, *, replace: bool) -> tuple[TaskJSON, str]:
        """Declare a task with its code; see `Engine.schedule`.

        The code of a cell that runs again takes the place of what it was, and the schedule goes on.
        """
        if self._main_loop.follow() != self._moves:
            self._move()
        try:
            return self._calls.call(lambda: self._declare(spec, replace=replace))
        except LoopBlockedError as error:
            known = self._promised[spec.name] = task_json(spec, self._kernel_id)
            error.future.add_done_callback(partial(_show_late, self._promised, spec.name))
            return known, "made"  # the loop may have taken it out of those promised by now

    def _declare(self, spec: TaskSpec, *, replace: bool) -> tuple[TaskJSON, str]:
        known = self._engine.find(spec.name)
        if known is not None and known.state != "finished" and _take_over(known.spec, spec):
            return self.to_json(known), "same"
        task, outcome = self._engine.schedule(spec, replace)
        return self.to_json(task), outcome

    def list(self) -> list[TaskJSON]:
        if not self._is_open:
            return []
        return self._read(lambda: [self.to_json(task) for task in self._engine.tasks()])

    def show(self, name: str, task_id: int | None = None) -> TaskJSON:
        promised = self._promised.get(name) if task_id is None else None
        if promised is not None:
            return promised
        if not self._is_open:
            raise NoSuchTaskError(name)
        return self._read(lambda: self.to_json(self._engine.get(name, task_id)))

    def cancel(self, name: str, *, wait: bool) -> None:
        self.show(name)
        with suppress(LoopBlockedError):
            super().cancel(name, wait=wait)

    def pause(self, name: str) -> TaskJSON:
        try:
            return super().pause(name)
        except LoopBlockedError:
            return self.show(name)

    def resume(self, name: str) -> TaskJSON:
        try:
            return super().resume(name)
        except LoopBlockedError:
            return self.show(name)

    def _call(self, request: Callable[[], Result]) -> Result:
        return self._calls.call(request)

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
        self._engine.subscribe(self._notify)
        self._is_open = True

    def _move(self) -> None:
        """Go on with the process's next loop: what ran on the one before has ended with it."""
        self._moves = self._main_loop.follow()
        if self._is_open:
            self._engine.abandon()
        self._is_open, self._engine, self._loop = False, self._new_engine(), self._main_loop.loop
        self._open()

    def _notify(self, _changes: Changes) -> None:
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


def _show_late(
    promised: dict[str, TaskJSON], name: str, future: Future[tuple[TaskJSON, str]]
) -> None:
    """Show in the cell why a declaration that had to wait for the loop has failed; on the loop."""
    promised.pop(name, None)
    error = future.exception()
    if error is not None:
        show_error(error)
        return
    if future.result()[1] == "exists":
        message = f"a task named {name!r} is there already; nothing has changed"
        warn(message, TaskExistsWarning)
