"""Our kernel manager, composed over whichever one is configured."""

from __future__ import annotations

import asyncio
import contextvars
import os
import sys
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_async
from traitlets.utils.importstring import import_item

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_client.multikernelmanager import MultiKernelManager


class KernelWatcher(Protocol):
    """Prepares the start of kernels, and is notified of their changes."""

    async def before_start(self) -> None:
        """Wait until a kernel may start."""

    def environment_for(self, kernel_id: str, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment for a kernel that is about to start."""

    def started(self, kernel_id: str) -> None:
        """Note that a kernel's process is there: after a start and after every restart."""

    def status_changed(self, kernel_id: str, status: str | None) -> None:
        """Note a kernel's new status: ``"busy"``, ``"idle"`` or another."""

    def restarting(self, kernel_id: str) -> None:
        """Note that another process takes a kernel over."""

    def died(self, kernel_id: str) -> None:
        """Note that a kernel's process has ended; another comes only if the user restarts it."""

    def forget(self, kernel_id: str) -> None:
        """Drop a kernel that has ended; unknown ones are no error."""


_CHECK_SECONDS = 1.0

_watchers: WeakKeyDictionary[Any, KernelWatcher] = WeakKeyDictionary()
_composed: dict[type, str] = {}


class SessionKernelMixin:
    """Gives a kernel its link before it starts, and forgets it when it has ended.

    Nothing in here may keep a kernel from starting.
    """

    if TYPE_CHECKING:  # of jupyter_client.manager.KernelManager
        kernel_id: str
        parent: Any
        log: Any
        add_restart_callback: Any
        is_alive: Any
        has_trait: Any
        observe: Any

    _death_watch: asyncio.Task[None] | None = None

    async def start_kernel(self, *args: Any, **kwargs: Any) -> Any:
        """Start the kernel with the link's variables in its environment."""
        watcher = _watcher_of(self)
        if watcher is None:
            return await super().start_kernel(*args, **kwargs)  # type: ignore[misc]
        kernel_id = self.kernel_id or kwargs.get("kernel_id", "")
        env = kwargs.get("env")
        try:
            await watcher.before_start()
            kwargs["env"] = watcher.environment_for(kernel_id, os.environ if env is None else env)
        except Exception:
            self.log.exception(
                "nbsession: kernel %s starts without a link; state will be empty there", kernel_id
            )
        try:
            started = await super().start_kernel(*args, **kwargs)  # type: ignore[misc]
        except BaseException:
            watcher.forget(kernel_id)
            raise
        watcher.started(kernel_id)
        if self.has_trait("execution_state"):  # as jupyter_server's managers have
            self.observe(
                lambda change: watcher.status_changed(kernel_id, change["new"]), "execution_state"
            )
        if getattr(self, "autorestart", False):
            self.add_restart_callback(lambda: watcher.forget(kernel_id), "dead")
        else:
            self._start_death_watch(watcher)
        return started

    async def restart_kernel(self, *args: Any, **kwargs: Any) -> Any:
        """Restart the kernel: not the end of its session, unless that fails."""
        watcher = _watcher_of(self)
        if watcher is None:
            return await super().restart_kernel(*args, **kwargs)  # type: ignore[misc]
        self._stop_death_watch()
        watcher.restarting(self.kernel_id)
        try:
            restarted = await super().restart_kernel(*args, **kwargs)  # type: ignore[misc]
        except BaseException:
            watcher.died(self.kernel_id)
            raise
        watcher.started(self.kernel_id)
        if not getattr(self, "autorestart", False):
            self._start_death_watch(watcher)
        return restarted

    async def shutdown_kernel(self, now: bool = False, restart: bool = False) -> Any:
        """Shut the kernel down and, unless it comes back, forget it."""
        self._stop_death_watch()
        try:
            return await super().shutdown_kernel(now=now, restart=restart)  # type: ignore[misc]
        finally:
            watcher = _watcher_of(self)
            if watcher is not None and not restart:
                watcher.forget(self.kernel_id)

    def _start_death_watch(self, watcher: KernelWatcher) -> None:
        # Without autorestart jupyter_client does not check whether the process is there.
        self._death_watch = asyncio.create_task(
            self._watch_for_death(watcher), context=contextvars.Context()
        )

    def _stop_death_watch(self) -> None:
        if self._death_watch is not None:
            self._death_watch.cancel()
            self._death_watch = None

    async def _watch_for_death(self, watcher: KernelWatcher) -> None:
        while await ensure_async(self.is_alive()):  # noqa: ASYNC110 - a process sets no event
            await asyncio.sleep(_CHECK_SECONDS)
        watcher.died(self.kernel_id)


def _watcher_of(manager: Any) -> KernelWatcher | None:
    return None if manager.parent is None else _watchers.get(manager.parent)


def compose_over(kernel_managers: MultiKernelManager, watcher: KernelWatcher) -> None:
    """Show a watcher every kernel that a multi-kernel manager starts from now on.

    The class that is configured there stays in charge: ours is made over it, and set by the public
    trait ``MultiKernelManager.kernel_manager_class``.
    """
    configured = kernel_managers.kernel_manager_class
    if not issubclass(import_item(configured), AsyncKernelManager):
        # Nothing awaits what our methods would return there, and no kernel would start.
        kernel_managers.log.warning(
            "nbsession: %s is not asynchronous; state will be empty in its kernels", configured
        )
        return
    _watchers[kernel_managers] = watcher
    kernel_managers.kernel_manager_class = composed_manager(configured)


def composed_manager(configured: str) -> str:
    """Return the importable name of our kernel manager over the configured one."""
    base: type[Any] = import_item(configured)
    if issubclass(base, SessionKernelMixin):
        return configured
    if base not in _composed:
        module = sys.modules[__name__]
        name = f"Session{base.__name__}"
        while hasattr(module, name):
            name += "_"
        made = type(name, (SessionKernelMixin, base), {"__module__": __name__})
        setattr(module, name, made)
        _composed[base] = f"{__name__}.{name}"
    return _composed[base]
