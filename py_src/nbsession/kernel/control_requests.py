"""What the server asks and orders on the control channel, which is answered while a cell runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .well_formed import well_formed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .runtime import Runtime
    from .session_hooks import SessionHooks

REQUEST = "nbsession_request"
REPLY = "nbsession_reply"

PATIENCE_SECONDS = 0.2
"""How long an order may take before it is answered all the same: the channel also takes the
requests to interrupt and to shut down, one after the other."""

Answer = dict[str, Any]


class ControlRequests:
    """Answers the server's requests.

    Parameters
    ----------
    runtime
        Of the session, with which they end.
    parts
        Of the session.
    """

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
        from .request_desk import RequestDesk

        desk = RequestDesk(self._runtime, self._parts)
        if action == "describe":
            return {"status": "ok", **desk.describe()}
        order = asyncio.wrap_future(desk.order(content))
        done, _ = await asyncio.wait([order], timeout=PATIENCE_SECONDS)
        return order.result() if done else {"status": "ok", "done": False}


def refusal(kind: str, message: str) -> Answer:
    """Return the answer to what cannot be done."""
    return {"status": "error", "kind": kind, "message": well_formed(message)}
