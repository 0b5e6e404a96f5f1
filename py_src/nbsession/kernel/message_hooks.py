"""Hooks around the kernel's messages: what is busy, and a mend for widgets that freeze."""

from __future__ import annotations

import inspect
import os
import sys
import threading
from contextlib import ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from nbsession.core.environment import MEND_FROZEN_WIDGETS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from .busy import Busy

MESSAGE_TYPES = ("execute_request", "comm_open", "comm_msg", "comm_close")
"""The messages that run user code."""

_STATES_TARGET = "jupyter.widget.control"
_STATE_REQUESTS = ("request_state", "request_states")


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
    them itself, we do not. A message handled on a subshell ends with an idle too, in the middle of
    the main shell's cell: the same mend.
    """

    def __init__(self, kernel: Any, busy: Busy) -> None:
        self.own_comms: set[str] = set()  # whose messages run no code of the user by themselves
        self.mends_frozen_widgets = os.environ.get(MEND_FROZEN_WIDGETS) != "0"
        self._kernel = kernel
        self._busy = busy
        self._cells: list[Any] = []
        self._cells_lock = threading.Lock()  # a cell's last busy must not come after its idle
        self._loading_cell: Any | None = None
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
        if "subshell_id" in inspect.signature(dispatch).parameters:
            self._set_attribute("dispatch_shell", self._wrap_dispatch(dispatch))
        self._set_attribute("_publish_status", self._wrap_publish(publish))
        if in_cell():  # the cell that loads us counts, though its message came before our hooks
            self._loading_cell = self._kernel.get_parent("shell")
            self._begin_cell(self._loading_cell)
            self._busy.enter()

    def remove(self) -> None:
        """Take the hooks out. One that another extension has wrapped stays, and does nothing."""
        self._end_loading_cell()
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
            self._begin_cell(message)
        if is_silent:
            self._publish("busy", message)
        try:
            with nullcontext() if self._runs_no_user_code(message_type, message) else self._busy:
                yield
        finally:
            if is_cell:
                self._end_cell(message)
            if is_silent:
                sys.stdout.flush()  # the page drops what comes after the idle
                sys.stderr.flush()
                self._publish("idle", message)
                self._publish_busy_again()

    def _runs_no_user_code(self, message_type: str, message: Any) -> bool:
        content = message["content"]
        if message_type == "comm_open":
            return bool(content.get("target_name") == _STATES_TARGET)
        # A page that asks for the widgets' states must not be shown what its asking changes: the
        # change that follows comes before it has made its models, and is lost.
        data = content.get("data")  # of a comm that is no widget's: any JSON
        return message_type == "comm_msg" and (
            content.get("comm_id") in self.own_comms
            or (isinstance(data, dict) and data.get("method") in _STATE_REQUESTS)
        )

    def _begin_cell(self, message: Any) -> None:
        with self._cells_lock:
            self._cells.append(message)

    def _end_cell(self, message: Any) -> None:
        with self._cells_lock:
            self._cells.remove(message)

    def _end_loading_cell(self) -> None:
        with self._cells_lock:  # a subshell's idle may come at the same time
            cell, self._loading_cell = self._loading_cell, None
        if cell is not None:
            self._end_cell(cell)
            self._busy.leave()

    def _publish_busy_again(self) -> None:
        with self._cells_lock:
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
        async def dispatch_shell(message: Any, /, *args: Any, **options: Any) -> Any:
            concurrent = options.get("concurrent", False)
            token = _concurrent.set(_Concurrent() if concurrent else None)
            try:
                return await original(message, *args, **options)
            finally:
                _concurrent.reset(token)
                if self.mends_frozen_widgets and self._active and not concurrent:
                    self._publish_busy_again()

        return dispatch_shell

    def _wrap_publish(self, original: Any) -> Any:
        def publish_status(
            status: str, channel: str, parent: Any = None, *args: Any, **options: Any
        ) -> Any:
            concurrent = _concurrent.get()
            if concurrent is not None:
                concurrent.published = True
            cell = self._loading_cell
            if cell is not None and status == "idle" and channel == "shell":
                ended = parent or self._kernel.get_parent("shell")
                if ended.get("header") == cell.get("header"):
                    self._end_loading_cell()
            return original(status, channel, parent, *args, **options)

        return publish_status
