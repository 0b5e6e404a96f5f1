"""What the requests of the server and of the pages mean in this session."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from traitlets import TraitError

from nbsession.core.errors import NoSuchTaskError

from .control_requests import refusal
from .loop_calls import LoopCalls
from .session_report import report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .control_requests import Answer
    from .kernel_tasks import KernelTasks
    from .periodic import PeriodicCallback, PeriodicCallbacks
    from .runtime import Runtime
    from .session_report import SessionReport

MAX_PERIOD_MS = 2**31
"""24 days; what comes from a page may be any whole number."""

_DONE: Answer = {"status": "ok", "done": True}


class RequestDesk:
    """Describes the session, and hands orders over to its main loop.

    Parameters
    ----------
    runtime
        Of the session.
    parts
        Of the session.
    """

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
        board = tasks.board
        try:
            board.show(name)
        except NoSuchTaskError as error:
            return _at_once(refusal("no_such_task", str(error)))
        orders: dict[str, Callable[[], object]] = {
            "run": lambda: board.run_now(name),
            "pause": lambda: board.pause(name),
            "resume": lambda: board.resume(name),
            "cancel": lambda: board.cancel(name, wait=False),
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
