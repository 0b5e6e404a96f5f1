"""What the setup script wants called when a session of the server begins or ends."""

from __future__ import annotations

import asyncio
import threading
from contextvars import Context
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from nbsession.core.callables import is_async
from nbsession.core.session import takes_context
from nbsession.core.tracebacks import user_traceback_text as traceback_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbsession.core.session import SessionContext

    from .channel import Channel, ServerLog
    from .threads import ThreadPool

Hook = tuple["Callable[..., Any]", bool]


class SessionHooks:
    """The callbacks, and the calling of them.

    What is told of one session is dealt with in the order in which it was told, one callback after
    the other; those of several sessions run side by side.
    """

    def __init__(self, setup: str | None) -> None:
        self._setup = setup
        self._hooks: dict[str, list[Hook]] = {"created": [], "destroyed": []}
        self._latest: dict[str, asyncio.Task[None]] = {}
        self._lock = threading.Lock()

    def add(self, event: str, callback: Callable[..., Any]) -> Callable[[], None]:
        """Register a callback; returns what takes it out again."""
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

    def tell(
        self, message: Mapping[str, Any], channel: Channel, log: ServerLog, pool: ThreadPool
    ) -> None:
        """Call everybody for a session, and tell the server when that is done; on the loop."""
        session_id = message["context"]["id"]
        calls = self._call_all(message, self._latest.get(session_id), log, pool)

        async def tell() -> None:
            try:
                await calls
            finally:
                channel.send({"op": "answered", "job": message["job"]})

        task = self._latest[session_id] = asyncio.get_running_loop().create_task(tell())

        def forget(_done: asyncio.Task[None]) -> None:
            if self._latest.get(session_id) is task:
                del self._latest[session_id]

        task.add_done_callback(forget)

    async def _call_all(
        self,
        message: Mapping[str, Any],
        before: asyncio.Task[None] | None,
        log: ServerLog,
        pool: ThreadPool,
    ) -> None:
        from nbsession.core.session import SessionContext

        if before is not None:
            await asyncio.wait([before])
        session = SessionContext.from_json(message["context"])
        event = message["event"]
        with self._lock:
            hooks = list(self._hooks[event])
        for hook in hooks if event == "created" else reversed(hooks):
            problem = await _call(hook, session, pool)
            if problem is not None:
                log.write_trace(f"a callback of state.on_session_{event} has raised", problem)


async def _call(hook: Hook, session: SessionContext, pool: ThreadPool) -> str | None:
    """Call one callback; return its traceback if it raises."""
    callback, takes = hook
    arguments = (session,) if takes else ()
    try:
        if is_async(callback):
            await callback(*arguments)
        else:
            result = await _in_thread(lambda: callback(*arguments), pool)
            if isawaitable(result):
                await result
    except (Exception, SystemExit, asyncio.CancelledError) as error:  # noqa: BLE001 - the user's; told, and the others go on
        return traceback_text(error)
    return None


async def _in_thread(call: Callable[[], Any], pool: ThreadPool) -> Any:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def finish(error: BaseException | None, result: Any) -> None:
        if future.cancelled():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def run() -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            result = Context().run(call)
        except StopIteration as stopped:  # which no future takes
            error = RuntimeError(f"the callback raised {stopped!r}")
        except BaseException as raised:  # noqa: BLE001 - carried over to the loop
            error = raised
        loop.call_soon_threadsafe(finish, error, result)

    pool.submit(run)
    return await future
