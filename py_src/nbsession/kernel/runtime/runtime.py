"""The runtime of a session in its process: main loop, busy, hooks, and the way to remove them."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .busy import Activity, Busy
from .hooks import MessageHooks, receives_beside_cells
from .loop import MainLoop
from .process import is_kernel, is_terminal
from .runner import CallbackRunner, show_error

if TYPE_CHECKING:
    from collections.abc import Callable


class Runtime:
    """The loop, the busy count and the hooks of one process."""

    def __init__(self, shell: Any | None) -> None:
        self.shell = shell
        self.kernel = getattr(shell, "kernel", None) if is_kernel() else None
        self.pid = os.getpid()
        self.started_at = datetime.now(UTC)
        self.activity = Activity()
        self.busy = Busy(self._notify_busy)
        self._busy_observers: tuple[Callable[[bool], object], ...] = ()
        self._runner: CallbackRunner | None = None
        self._undos: list[Callable[[], object]] = []
        self.lock = threading.RLock()  # also for the parts of `state`
        self._hooks = self._hook_into_kernel() if self.kernel is not None else None

    @property
    def runner(self) -> CallbackRunner:
        """Runs callbacks. Made on the first use: a plain process gets a loop of its own for it."""
        with self.lock:
            if self._runner is None:
                self._runner = CallbackRunner(
                    self._find_loop(), self.busy, has_kernel=self.kernel is not None
                )
                self.on_remove(self._runner.close)
            return self._runner

    def _find_loop(self) -> MainLoop:
        if self.kernel is not None:
            return MainLoop.of_kernel(self.kernel)
        return MainLoop.of_terminal() if is_terminal() else MainLoop.of_process()

    @property
    def main_loop(self) -> MainLoop:
        """The loop on which user code runs."""
        return self.runner.main_loop

    def on_remove(self, undo: Callable[[], object]) -> Callable[[], None]:
        """Call something when the session is taken out; the last one first."""
        with self.lock:
            self._undos.append(undo)

        def forget() -> None:
            with self.lock, suppress(ValueError):
                self._undos.remove(undo)

        return forget

    def remove(self) -> None:
        """Take everything out of the process that this session has put there."""
        while True:
            with self.lock:
                if not self._undos:
                    return
                undo = self._undos.pop()
            try:
                undo()
            except Exception as error:  # noqa: BLE001 - the rest comes out all the same
                show_error(error)

    def add_own_comm(self, comm_id: str) -> None:
        """Do not count what a page reports on a comm of ours as busy; what it leads to does."""
        if self._hooks is not None:
            self._hooks.own_comms.add(comm_id)

    def observe_busy(self, observer: Callable[[bool], object]) -> Callable[[], None]:
        """Call after every change of busy; return a function that ends it."""
        with self.lock:
            self._busy_observers += (observer,)

        def end() -> None:
            with self.lock:
                others = tuple(each for each in self._busy_observers if each is not observer)
                self._busy_observers = others

        return end

    def _notify_busy(self, busy: bool) -> None:
        self.activity.note_user_code()
        for observer in self._busy_observers:
            observer(busy)

    @property
    def in_cell(self) -> bool:
        """Return whether a cell runs."""
        return self._hooks is not None and self._hooks.status.in_cell

    @property
    def receives_page_messages(self) -> bool:
        """Return whether messages of a page are handled also while a cell runs."""
        return not self.in_cell or receives_beside_cells(self.kernel)

    def _hook_into_kernel(self) -> MessageHooks:
        hooks = MessageHooks(self.kernel, self.shell, self.busy, self.activity)
        hooks.install()
        self.on_remove(hooks.remove)
        return hooks
