"""`state.on_session_created` and `on_session_destroyed`: hooks of this session."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nbsession.core.errors import LinkError
from nbsession.core.session import SessionContext, takes_context
from nbsession.kernel.runtime.process import kernel_log
from nbsession.kernel.runtime.runner import (
    check_callable,
    settle,
    show_error,
    show_unless_cancelled,
)

from .shutdown import BUDGET_SECONDS, Shutdown

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbsession.kernel.link.session_info import Session
    from nbsession.kernel.runtime.loop import Context
    from nbsession.kernel.runtime.runner import Callback
    from nbsession.kernel.runtime.runtime import Runtime


@dataclass(frozen=True, eq=False)
class _Hook:
    callback: Callback
    takes_context: bool
    context: Context

    def call(self, session: SessionContext) -> Any:
        arguments = (session,) if self.takes_context else ()
        return self.context.copy().run(self.callback, *arguments)


class LifecycleHooks:
    """Calls back at the start and at the end of this session."""

    def __init__(self, runtime: Runtime, session: Session) -> None:
        self._runtime = runtime
        self._link = session.link
        self.context = SessionContext(
            id=session.kernel_id or uuid.uuid4().hex,
            kernel_id=session.kernel_id,
            started_at=runtime.started_at,
            find_request=lambda: session.info("page").request,
        )
        self._hooks: list[_Hook] = []
        self._lock = threading.Lock()
        self._shutdown: Shutdown | None = None
        self._running: _Hook | None = None  # at the session's end
        self._has_warned = False
        runtime.on_remove(self._hooks.clear)

    def on_created(self, callback: Callback) -> Callable[[], None]:
        """Call back at once: the session is there. On the main loop's thread."""
        hook = self._hook(callback)
        cancelled = threading.Event()

        def call() -> Any:
            return None if cancelled.is_set() else hook.call(self.context)

        runner = self._runtime.runner
        runner.call(call, context=hook.context, done=show_unless_cancelled)
        return cancelled.set

    def on_destroyed(self, callback: Callback) -> Callable[[], None]:
        """Call back when the session ends; the last one registered first."""
        hook = self._hook(callback)
        with self._lock:
            self._hooks.append(hook)
            is_first = self._shutdown is None
            if self._shutdown is None:
                self._shutdown = Shutdown(self._runtime, self._run_all, self._warn_late)
                self._shutdown.install()
                self._runtime.on_remove(self._shutdown.remove)
        if is_first and self._announce(has_hooks=True):
            self._runtime.on_remove(lambda: self._announce(has_hooks=False))

        def unregister() -> None:
            with self._lock, suppress(ValueError):
                self._hooks.remove(hook)

        return unregister

    def _announce(self, *, has_hooks: bool) -> bool:
        """Let the server know of hooks, so that it has them called when it ends."""
        if self._link is None or not self._link.usable:
            return False
        try:
            self._link.post("hooks", {"has_hooks": has_hooks})
        except LinkError as error:  # a server that does not listen is no harm
            kernel_log().debug("nbsession: the server cannot call the hooks: %s", error)
            return False
        return True

    async def end_now(self) -> bool:
        """Call what is registered, as the server ends; return whether that was done in time."""
        return self._shutdown is None or await self._shutdown.end()

    def _hook(self, callback: Callback) -> _Hook:
        check_callable(callback)
        return _Hook(callback, takes_context(callback), contextvars.copy_context())

    def _take_last(self) -> _Hook | None:
        with self._lock:
            return self._hooks.pop() if self._hooks else None

    async def _run_all(self, deadline: float) -> None:
        """Call every hook of the session's end, on whatever loop runs this."""
        ended = replace(self.context, ended_at=datetime.now(UTC))
        with self._runtime.busy:
            while hook := self._take_last():
                self._running = hook
                if time.monotonic() >= deadline:
                    self._warn_late()
                    return
                await self._run_hook(hook, ended, deadline)
            self._running = None

    async def _run_hook(self, hook: _Hook, ended: SessionContext, deadline: float) -> None:
        context = hook.context.copy()
        try:
            result = hook.call(ended)
        except BaseException as error:  # noqa: BLE001 - the others have to run
            _show(error, context)
            return
        if not inspect.isawaitable(result):
            return
        task = asyncio.get_running_loop().create_task(settle(result), context=context)
        _, late = await asyncio.wait([task], timeout=max(0, deadline - time.monotonic()))
        if late:
            task.cancel()
            self._warn_late()
        elif not task.cancelled() and (raised := task.result()[1]) is not None:
            _show(raised, context)

    def _warn_late(self) -> None:
        with self._lock:
            hook, left = self._running, len(self._hooks)
            if hook is None or self._has_warned:
                return
            self._has_warned = True
        kernel_log().warning(
            "nbsession: the session's end may take %g s in all; %r was cut off, %d more not called",
            BUDGET_SECONDS,
            hook.callback,
            left,
        )


def _show(error: BaseException, context: Context) -> None:
    # The page may be closed already, and with it the cell that would show it.
    kernel_log().warning("nbsession: a callback at the end of the session raised %r", error)
    context.run(show_error, error)
