"""The callbacks of a setup script for sessions of the server that begin or end."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextvars import Context
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from nbsession.core.callables import is_async
from nbsession.core.session import takes_context
from nbsession.core.tracebacks import traceback_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbsession.core.session import SessionContext

    from .channel import Channel, ServerLog
    from .threads import ThreadPool

Hook = tuple["Callable[..., Any]", bool]
"""A callback, and whether it takes the session's context."""


class SessionHooks:
    """Keeps the callbacks, and calls them.

    The events of one session are dealt with in their order, one callback after the other; those of
    several sessions side by side.
    """

    def __init__(self, setup: str | None) -> None:
        self._setup = setup
        self._hooks: dict[str, list[Hook]] = {"created": [], "destroyed": []}
        self._latest: dict[str, asyncio.Task[None]] = {}
        self._lock = threading.Lock()

    def add(self, event: str, callback: Callable[..., Any]) -> Callable[[], None]:
        """Register a callback; return a function that unregisters it."""
        if self._setup is None:
            message = (
                f"state.on_session_{event} works in a setup script (--NBSession.setup=…), where "
                "every session of the server is seen, and in a notebook, where its own is"
            )
            raise RuntimeError(message)
        hook = callback, takes_context(callback)
        with self._lock:
            self._hooks[event].append(hook)

        def unregister() -> None:
            with self._lock:
                self._hooks[event] = [known for known in self._hooks[event] if known is not hook]

        return unregister

    def begin_calls(
        self, message: Mapping[str, Any], channel: Channel, log: ServerLog, pool: ThreadPool
    ) -> None:
        """Call every callback for an event, then answer the server; on the loop."""
        session_id = message["context"]["id"]
        before = self._latest.get(session_id)

        async def call_all() -> None:
            try:
                if before is not None:
                    await asyncio.wait([before])
                await self._call_all(message, log, pool)
            finally:
                channel.send({"op": "answered", "job": message["job"]})

        def forget(_done: asyncio.Task[None]) -> None:
            if self._latest.get(session_id) is task:
                del self._latest[session_id]

        task = self._latest[session_id] = asyncio.get_running_loop().create_task(call_all())
        task.add_done_callback(forget)

    async def _call_all(self, message: Mapping[str, Any], log: ServerLog, pool: ThreadPool) -> None:
        from nbsession.core.session import SessionContext

        session = SessionContext.from_json(message["context"])
        event = message["event"]
        with self._lock:
            hooks = list(self._hooks[event])
        for hook in hooks if event == "created" else reversed(hooks):
            trace = await _call(hook, session, pool)
            if trace is not None:
                log.write_trace(f"a callback of state.on_session_{event} has raised", trace)


async def _call(hook: Hook, session: SessionContext, pool: ThreadPool) -> str | None:
    """Call one callback; return its traceback if it raises."""
    callback, takes = hook
    arguments = (session,) if takes else ()
    try:
        if is_async(callback):
            await callback(*arguments)
        else:
            result = await _call_in_thread(lambda: callback(*arguments), pool)
            if isawaitable(result):
                await result
    except (Exception, SystemExit, asyncio.CancelledError) as error:  # noqa: BLE001 - the user's; reported, and the others go on
        return traceback_text(error)
    return None


async def _call_in_thread(call: Callable[[], Any], pool: ThreadPool) -> Any:
    future: Future[Any] = Future()

    def run() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(Context().run(call))
        except StopIteration as error:  # which no future of asyncio takes
            future.set_exception(RuntimeError(f"the callback raised {error!r}"))
        except BaseException as error:  # noqa: BLE001 - carried over to the loop
            future.set_exception(error)

    pool.submit(run)
    return await asyncio.wrap_future(future)
