"""What the server asks and orders on the control channel, which is answered while a cell runs."""

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
    from nbsession.kernel.lifecycle.hooks import SessionHooks
    from nbsession.kernel.runtime.runtime import Runtime
    from nbsession.kernel.tasks.hosted import KernelTasks

    from .report import SessionReport

REQUEST = "nbsession_request"
REPLY = "nbsession_reply"

PATIENCE_SECONDS = 0.2
"""How long an order may take before it is answered all the same: the channel also takes the
requests to interrupt and to shut down, one after the other."""

Answer = dict[str, Any]


class ControlRequests:
    """Answers the server's requests."""

    def __init__(self, runtime: Runtime, parts: Mapping[str, Any]) -> None:
        self._runtime = runtime
        self._parts = parts
        self._kernel: Any = runtime.kernel
        handlers = getattr(self._kernel, "control_handlers", None)
        if isinstance(handlers, dict):  # as in ipykernel
            handler = handlers[REQUEST] = self._handle
            runtime.on_remove(lambda: handlers.get(REQUEST) is handler and handlers.pop(REQUEST))

    async def _handle(self, stream: Any, ident: Any, message: Any) -> None:
        try:
            answer = await self._answer(message["content"])
        except Exception as error:  # noqa: BLE001 - an error here would be lost in the kernel's log
            answer = refusal("failed", f"{type(error).__name__}: {error}")
        self._kernel.session.send(stream, REPLY, answer, parent=message, ident=ident)

    async def _answer(self, content: Mapping[str, Any]) -> Answer:
        action = content.get("action")
        if action == "activity":
            busy = bool(self._runtime.busy)
            return {"status": "ok", **self._runtime.activity.report(busy=busy)}
        if action == "end":
            hooks: SessionHooks | None = self._parts.get("session_hooks")
            return {"status": "ok", "done": hooks is None or await hooks.end_now()}

        desk = RequestDesk(self._runtime, self._parts)
        if action == "describe":
            return {"status": "ok", **desk.describe()}
        order = asyncio.wrap_future(desk.order(content))
        done, _ = await asyncio.wait([order], timeout=PATIENCE_SECONDS)
        return order.result() if done else {"status": "ok", "done": False}


def refusal(kind: str, message: str) -> Answer:
    """Return the answer to what cannot be done."""
    return {"status": "error", "kind": kind, "message": well_formed(message)}


MAX_PERIOD_MS = 2**31
"""24 days; what comes from a page may be any whole number."""

_DONE: Answer = {"status": "ok", "done": True}


class RequestDesk:
    """Describes the session, and hands orders over to its main loop."""

    def __init__(self, runtime: Runtime, parts: Mapping[str, Any]) -> None:
        self._runtime = runtime
        self._parts = parts

    def describe(self) -> SessionReport:
        """Return the rows of callbacks and tasks."""
        return report(self._parts)

    def order(self, content: Mapping[str, Any]) -> Future[Answer]:
        """Have an order carried out; return the answer to come."""
        match content:
            case {"action": "callback", "id": str(row_id), "set": dict(wanted)}:
                return self._order_callback(row_id, wanted)
            case {"action": "task", "name": str(name), "order": str(order)}:
                return self._order_task(name, order)
        message = (
            "a request is {'action': 'describe'}, {'action': 'callback', 'id': …, 'set': …} or "
            "{'action': 'task', 'name': …, 'order': …}"
        )
        return _at_once(refusal("bad_request", message))

    def _order_callback(self, row_id: str, wanted: Mapping[str, Any]) -> Future[Answer]:
        callbacks: PeriodicCallbacks | None = self._parts.get("periodic")
        items = callbacks.items() if callbacks is not None else []
        callback = {str(number): each for number, each in items}.get(row_id)
        if callback is None:
            message = f"no periodic callback {row_id!r} is there any more"
            return _at_once(refusal("no_such_callback", message))
        return self._hand_over(lambda: _set(callback, wanted))

    def _order_task(self, name: str, order: str) -> Future[Answer]:
        tasks: KernelTasks | None = self._parts.get("tasks")
        if tasks is None:
            return _at_once(refusal("no_such_task", str(NoSuchTaskError(name))))
        try:
            tasks.show(name)
        except NoSuchTaskError as error:
            return _at_once(refusal("no_such_task", str(error)))
        orders: dict[str, Callable[[], object]] = {
            "run": lambda: tasks.run_now(name),
            "pause": lambda: tasks.pause(name),
            "resume": lambda: tasks.resume(name),
            "cancel": lambda: tasks.cancel(name, wait=False),
        }
        if order not in orders:
            message = f"no order {order!r} to a task; there are {', '.join(orders)}"
            return _at_once(refusal("bad_request", message))
        return self._hand_over(orders[order])

    def _hand_over(self, work: Callable[[], object]) -> Future[Answer]:
        def carry_out() -> Answer:
            with self._runtime.busy:  # observers of the traits are the user's
                try:
                    work()
                except NoSuchTaskError as error:
                    return refusal("no_such_task", str(error))
                except (TraitError, ValueError, RuntimeError) as error:
                    return refusal("bad_request", str(error))
            return _DONE

        return LoopCalls(self._runtime.main_loop).hand_over(carry_out)


def _set(callback: PeriodicCallback, wanted: Mapping[str, Any]) -> None:
    match wanted:
        case {"running": bool(running), **rest} if not rest:
            callback.running = running
        case {"period": period, **rest} if not rest:
            if isinstance(period, int) and period > MAX_PERIOD_MS:
                message = f"a period is at most {MAX_PERIOD_MS:,} ms"
                raise ValueError(message)
            callback.period = period
        case _:
            message = "set is {'running': True or False} or {'period': milliseconds}"
            raise ValueError(message)


def _at_once(answer: Answer) -> Future[Answer]:
    future: Future[Answer] = Future()
    future.set_result(answer)
    return future
