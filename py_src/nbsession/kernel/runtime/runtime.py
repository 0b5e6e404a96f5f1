"""The runtime of a session in its process: main loop, busy, hooks, and the way to remove them."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nbsession.core.process import ForkGuard

from .busy import Activity, Busy
from .hooks import MessageHooks
from .process import is_kernel
from .traits import Listeners

if TYPE_CHECKING:
    from collections.abc import Callable

    from .loop import MainLoop
    from .runner import CallbackRunner


class Runtime:
    """The loop, the busy count and the hooks of one process."""

    def __init__(self, shell: Any | None) -> None:
        self.shell = shell
        self.kernel = getattr(shell, "kernel", None) if is_kernel() else None
        self.process = ForkGuard()
        self.started_at = datetime.now(UTC)
        self.activity = Activity()
        self.busy = Busy(self._notify_busy)
        self.busy_listeners = Listeners()
        self._runner: CallbackRunner | None = None
        self._undos: list[Callable[[], object]] = []
        self.lock = threading.RLock()  # also for the parts of `state`
        self.hooks: MessageHooks | None = None
        if self.kernel is not None:
            self.hooks = MessageHooks(self.kernel, shell, self.busy, self.activity)
            self.hooks.install()
            self.on_remove(self.hooks.remove)

    @property
    def runner(self) -> CallbackRunner:
        """Runs callbacks. Made on the first use: a plain process gets a loop of its own for it."""
        with self.lock:
            if self._runner is None:
                from .loop import MainLoop
                from .runner import CallbackRunner

                main_loop = MainLoop.find(self.kernel)
                has_kernel = self.kernel is not None
                self._runner = CallbackRunner(main_loop, self.busy, has_kernel=has_kernel)
                self.on_remove(self._runner.close)
            return self._runner

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
                from .runner import show_error

                show_error(error)

    def _notify_busy(self, busy: bool) -> None:
        self.activity.note_user_code()
        self.busy_listeners.notify(busy)
