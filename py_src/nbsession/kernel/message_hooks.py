"""Hooks around the kernel's messages: what is busy, and a mend for widgets that freeze."""

from __future__ import annotations

import inspect
import sys
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from .busy import Busy

MESSAGE_TYPES = ("execute_request", "comm_open", "comm_msg", "comm_close")
"""The messages that run user code."""


def in_cell() -> bool:
    """Whether this code was called from a cell, found on the stack: IPython does not tell."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - documented, and the only way
    while frame is not None:
        code = frame.f_code
        if code.co_name == "run_cell_async" and "IPython" in code.co_filename:
            return True
        frame = frame.f_back
    return False


class _Concurrent:
    """A message that ipykernel handles beside a running cell."""

    published = False  # whether ipykernel itself has said that it is busy with it


_concurrent: ContextVar[_Concurrent | None] = ContextVar("nbsession_concurrent", default=None)


async def _awaited(result: Any, handling: ExitStack) -> Any:
    with handling:
        return await result


class MessageHooks:
    """Wraps the kernel's message handlers.

    Parameters
    ----------
    kernel
        ipykernel's. Its `shell_handlers` is a plain dict, looked up for every message.
    busy
        Held while a message is handled. IPython's own events are not balanced.

    Notes
    -----
    ipykernel 7.4 handles a widget's message at once while a cell awaits, and publishes neither busy
    nor idle for it. The page waits for that idle before it sends the widget's next change: moved
    once during such a cell, a widget is dead for good. So we publish both, and then the cell's own
    busy again, or the server takes the kernel for idle and may cull it. Where ipykernel publishes
    them itself, we do not.
    """

    def __init__(self, kernel: Any, busy: Busy) -> None:
        self.mends_frozen_widgets = True
        self._kernel = kernel
        self._busy = busy
        self._cells: list[Any] = []
        self._wrapped: list[tuple[Any, str, Any, Any]] = []
        self._active = True

    def install(self) -> None:
        """Put the hooks in. Does nothing in a kernel that is not like ipykernel's."""
        handlers = getattr(self._kernel, "shell_handlers", None)
        if not isinstance(handlers, dict):
            return
        for message_type in MESSAGE_TYPES:
            if message_type in handlers:
                handler = self._wrap(message_type, handlers[message_type])
                self._wrapped.append((handlers, message_type, handlers[message_type], handler))
                handlers[message_type] = handler
        dispatch = getattr(self._kernel, "dispatch_shell", None)
        publish = getattr(self._kernel, "_publish_status", None)
        if dispatch is None or publish is None:
            return
        if "concurrent" in inspect.signature(dispatch).parameters:
            self._set_attribute("dispatch_shell", self._wrap_dispatch(dispatch))
            self._set_attribute("_publish_status", self._wrap_publish(publish))

    def remove(self) -> None:
        """Take the hooks out. One that another extension has wrapped stays, and does nothing."""
        self._active = False
        for place, name, original, hook in reversed(self._wrapped):
            if isinstance(place, dict):
                if place.get(name) is hook:
                    place[name] = original
            elif vars(place).get(name) is hook:
                object.__delattr__(place, name)
        self._wrapped.clear()

    def _set_attribute(self, name: str, hook: Any) -> None:
        object.__setattr__(self._kernel, name, hook)
        self._wrapped.append((self._kernel, name, None, hook))

    def _wrap(self, message_type: str, original: Any) -> Any:
        def handler(stream: Any, ident: Any, message: Any) -> Any:
            if not self._active:
                return original(stream, ident, message)
            with ExitStack() as handling:
                handling.enter_context(self._handling(message_type, message))
                result = original(stream, ident, message)
                if inspect.isawaitable(result):
                    return _awaited(result, handling.pop_all())
            return result

        return handler

    @contextmanager
    def _handling(self, message_type: str, message: Any) -> Iterator[None]:
        is_cell, is_silent = message_type == "execute_request", self._is_silent()
        if is_cell:
            self._cells.append(message)
        if is_silent:
            self._publish("busy", message)
        try:
            with self._busy:
                yield
        finally:
            if is_cell:
                self._cells.remove(message)
            if is_silent:
                self._publish("idle", message)
                if self._cells:
                    self._publish("busy", self._cells[-1])

    def _is_silent(self) -> bool:
        """Whether ipykernel publishes no status for the message that is being handled."""
        concurrent = _concurrent.get()
        return self.mends_frozen_widgets and concurrent is not None and not concurrent.published

    def _publish(self, status: str, parent: Any) -> None:
        token = _concurrent.set(None)  # our own words are not ipykernel's
        try:
            self._kernel._publish_status(status, "shell", parent=parent)  # noqa: SLF001 - checked in install
        finally:
            _concurrent.reset(token)

    def _wrap_dispatch(self, original: Any) -> Any:
        async def dispatch_shell(
            message: Any, /, subshell_id: Any = None, *, concurrent: bool = False
        ) -> Any:
            token = _concurrent.set(_Concurrent() if concurrent else None)
            try:
                return await original(message, subshell_id=subshell_id, concurrent=concurrent)
            finally:
                _concurrent.reset(token)

        return dispatch_shell

    def _wrap_publish(self, original: Any) -> Any:
        def publish_status(*args: Any, **kwargs: Any) -> Any:
            concurrent = _concurrent.get()
            if concurrent is not None:
                concurrent.published = True
            return original(*args, **kwargs)

        return publish_status
