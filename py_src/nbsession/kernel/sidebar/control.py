"""Requests of the server and of the panel: describe this session, change a callback or a task."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from traitlets import TraitError

from nbsession.core.errors import NoSuchTaskError
from nbsession.core.text import well_formed
from nbsession.kernel.runtime.loop import LoopCalls

from .report import report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbsession.kernel.callbacks.periodic import PeriodicCallback
    from nbsession.kernel.callbacks.registry import PeriodicCallbacks
    from nbsession.kernel.lifecycle.hooks import LifecycleHooks
    from nbsession.kernel.runtime.runtime import Runtime
    from nbsession.kernel.tasks.hosted import KernelTasks

    from .report import SessionReport

REPLY = "nbsession_reply"

TIMEOUT_SECONDS = 0.2
"""The time that an action may take before it is answered all the same: the channel also takes the
requests to interrupt and to shut down, one after the other."""

MAX_PERIOD_MS = 2**31
"""24 days; what comes from a page may be any whole number."""

Answer = dict[str, Any]

_DONE: Answer = {"status": "ok", "done": True}


class SessionControl:
    """Answers requests about a session's callbacks and tasks, as they are now."""

    def __init__(
        self,
        runtime: Runtime,
        callbacks: PeriodicCallbacks | None,
        tasks: KernelTasks | None,
        hooks: LifecycleHooks | None,
    ) -> None:
        self._runtime = runtime
        self._callbacks = callbacks
        self._tasks = tasks
        self._hooks = hooks

    async def handle(self, stream: Any, ident: Any, message: Any) -> None:
        """Answer the server on the control channel, which is read while a cell runs."""
        try:
            answer = await self._answer(message["content"])
        except Exception as error:  # noqa: BLE001 - an error here would be lost in the kernel's log
            answer = refusal("failed", f"{type(error).__name__}: {error}")
        kernel: Any = self._runtime.kernel
        kernel.session.send(stream, REPLY, answer, parent=message, ident=ident)

    async def _answer(self, content: Mapping[str, Any]) -> Answer:
        match content.get("action"):
            case "activity":
                busy = bool(self._runtime.busy)
                return {"status": "ok", **self._runtime.activity.report(busy=busy)}
            case "end":
                ended = self._hooks is None or await self._hooks.end_now()
                return {"status": "ok", "done": ended}
            case "describe":
                return {"status": "ok", **self.describe()}
        action = asyncio.wrap_future(self.request(content))
        done, _ = await asyncio.wait([action], timeout=TIMEOUT_SECONDS)
        return action.result() if done else {"status": "ok", "done": False}

    def describe(self) -> SessionReport:
        """Return the rows of callbacks and tasks."""
        return report(self._callbacks, self._tasks)

    def request(self, content: Mapping[str, Any]) -> Future[Answer]:
        """Carry out an action on the main loop; return the answer to come."""
        match content:
            case {"action": "callback", "id": str(row_id), "set": dict(wanted)}:
                return self._change_callback(row_id, wanted)
            case {"action": "task", "name": str(name), "order": str(action)}:
                return self._act_on_task(name, action)
        message = (
            "a request is {'action': 'describe'}, {'action': 'callback', 'id': …, 'set': …} or "
            "{'action': 'task', 'name': …, 'order': …}"
        )
        return _refused("bad_request", message)

    def _change_callback(self, row_id: str, wanted: Mapping[str, Any]) -> Future[Answer]:
        callbacks = self._callbacks.items() if self._callbacks is not None else []
        callback = {str(number): each for number, each in callbacks}.get(row_id)
        if callback is None:
            message = f"no periodic callback {row_id!r} is there any more"
            return _refused("no_such_callback", message)
        return self._run(lambda: _set(callback, wanted))

    def _act_on_task(self, name: str, action: str) -> Future[Answer]:
        if self._tasks is None:
            return _refused("no_such_task", str(NoSuchTaskError(name)))
        tasks = self._tasks
        try:
            tasks.show(name)
        except NoSuchTaskError as error:
            return _refused("no_such_task", str(error))
        actions: dict[str, Callable[[], object]] = {
            "run": lambda: tasks.run_now(name),
            "pause": lambda: tasks.pause(name),
            "resume": lambda: tasks.resume(name),
            "cancel": lambda: tasks.cancel(name, wait=False),
        }
        if action not in actions:
            message = f"no action {action!r} on a task; there are {', '.join(actions)}"
            return _refused("bad_request", message)
        return self._run(actions[action])

    def _run(self, action: Callable[[], object]) -> Future[Answer]:
        def run() -> Answer:
            with self._runtime.busy:  # observers of the traits are the user's
                try:
                    action()
                except NoSuchTaskError as error:
                    return refusal("no_such_task", str(error))
                except (TraitError, ValueError, RuntimeError) as error:
                    return refusal("bad_request", str(error))
            return _DONE

        return LoopCalls(self._runtime.main_loop).hand_over(run)


def refusal(kind: str, message: str) -> Answer:
    """Return the answer to what cannot be done."""
    return {"status": "error", "kind": kind, "message": well_formed(message)}


def _refused(kind: str, message: str) -> Future[Answer]:
    future: Future[Answer] = Future()
    future.set_result(refusal(kind, message))
    return future


def _set(callback: PeriodicCallback, wanted: Mapping[str, Any]) -> None:
    match wanted:
        case {"running": bool(running), **rest} if not rest:
            callback.running = running
        case {"period": period, **rest} if not rest:
            if isinstance(period, int) and period > MAX_PERIOD_MS:
                raise ValueError(f"a period is at most {MAX_PERIOD_MS:,} ms")
            callback.period = period
        case _:
            raise ValueError("set is {'running': True or False} or {'period': milliseconds}")
