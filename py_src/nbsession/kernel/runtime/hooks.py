"""Hooks around the kernel's messages: for busy, and for a status that ipykernel leaves out."""

from __future__ import annotations

import inspect
import os
import sys
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self

from nbsession.core.environment import FIX_FROZEN_WIDGETS

from .process import put_hook

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from .busy import Activity, Busy


def receives_beside_cells(kernel: Any) -> bool:
    """Return whether a kernel handles messages of pages while a cell awaits, as ipykernel 7.4 does.

    Where that cannot be seen, it counts as one that does.
    """
    dispatch = getattr(type(kernel), "dispatch_shell", None)  # our own hook is on the object
    if dispatch is None:
        return True
    parameters = inspect.signature(dispatch).parameters
    return "concurrent" in parameters or any(
        parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()
    )


class _Concurrent:
    """A message that ipykernel handles beside a running cell."""

    published = False  # whether ipykernel itself has published a status for it


_concurrent: ContextVar[_Concurrent | None] = ContextVar("nbsession_concurrent", default=None)


class CellStatus:
    """Publishes busy and idle where ipykernel does not, and again busy for a running cell."""

    def __init__(self, kernel: Any) -> None:
        self.enabled = os.environ.get(FIX_FROZEN_WIDGETS) != "0"
        self._kernel = kernel
        self._cells: list[Any] = []
        self._lock = threading.Lock()  # a cell's last busy must not come after its idle

    @property
    def in_cell(self) -> bool:
        """Return whether a cell runs, or waits for something."""
        return bool(self._cells)

    @property
    def receives_page_messages(self) -> bool:
        """Return whether messages of a page are handled now, also if a cell runs."""
        return not self._cells or receives_beside_cells(self._kernel)

    def begin_cell(self, message: Any) -> None:
        """Note that a cell begins."""
        with self._lock:
            self._cells.append(message)

    def end_cell(self, message: Any) -> None:
        """Note that a cell has ended."""
        with self._lock:
            self._cells.remove(message)

    def is_silent(self) -> bool:
        """Return whether ipykernel publishes no status for the message that is being handled."""
        concurrent = _concurrent.get()
        return concurrent is not None and self.enabled and not concurrent.published

    def end_silent(self, message: Any) -> None:
        """Publish idle for a message for which ipykernel publishes nothing."""
        sys.stdout.flush()  # the page drops what comes after the idle
        sys.stderr.flush()
        self.publish("idle", message)
        self._publish_busy_again()

    def note_published(self) -> None:
        """Note that ipykernel publishes a status for the message that is being handled."""
        concurrent = _concurrent.get()
        if concurrent is not None:
            concurrent.published = True

    def wrap_dispatch(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Return what takes the place of the kernel's `dispatch_shell`."""

        async def dispatch_shell(message: Any, /, *args: Any, **options: Any) -> Any:
            concurrent = options.get("concurrent", False)
            token = _concurrent.set(_Concurrent() if concurrent else None)
            try:
                return await original(message, *args, **options)
            finally:
                _concurrent.reset(token)
                if self._cells and not concurrent:
                    self._publish_busy_again()

        return dispatch_shell

    def _publish_busy_again(self) -> None:
        with self._lock:
            if self._cells and self.enabled:
                self.publish("busy", self._cells[-1])

    def publish(self, status: str, parent: Any) -> None:
        """Publish a status as ipykernel does."""
        token = _concurrent.set(None)  # our own are not ipykernel's
        try:
            self._kernel._publish_status(status, "shell", parent=parent)  # noqa: SLF001 - MessageHooks has checked it
        finally:
            _concurrent.reset(token)


MESSAGE_TYPES = ("execute_request", "comm_open", "comm_msg", "comm_close")
"""The messages that run user code."""

_STATES_TARGET = "jupyter.widget.control"
_STATE_REQUESTS = ("request_state", "request_states")


def in_cell() -> bool:
    """Return whether this code was called from a cell; only the stack shows it."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - documented, and the only way
    while frame is not None:
        code = frame.f_code
        if code.co_name == "run_cell_async" and "IPython" in code.co_filename:
            return True
        frame = frame.f_back
    return False


class _Handling:
    """The steps around the handling of one message. Every message pays for it: no generators."""

    __slots__ = ("_busy", "_goes_on", "_is_cell", "_is_silent", "_message", "_status")

    def __init__(
        self, status: CellStatus, busy: Busy | None, message: Any, *, is_cell: bool
    ) -> None:
        self._status = status
        self._busy = busy
        self._message = message
        self._is_cell = is_cell
        self._is_silent = status.is_silent()
        self._goes_on = False

    def __enter__(self) -> Self:
        if self._is_cell:
            self._status.begin_cell(self._message)
        try:
            if self._is_silent:
                self._status.publish("busy", self._message)
            if self._busy is not None:
                self._busy.enter()
        except BaseException:  # an interrupt
            self._end_status()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if not self._goes_on:
            self._end()

    def go_on(self, result: Any) -> Any:
        """Return what awaits a result: the message is handled when that is done."""
        self._goes_on = True

        async def await_result() -> Any:
            try:
                return await result
            finally:
                self._end()

        return await_result()

    def _end(self) -> None:
        try:
            if self._busy is not None:
                self._busy.leave()
        finally:
            self._end_status()

    def _end_status(self) -> None:
        if self._is_cell:
            self._status.end_cell(self._message)
        if self._is_silent:
            self._status.end_silent(self._message)


class MessageHooks:
    """Wraps the kernel's message handlers."""

    def __init__(self, kernel: Any, shell: Any, busy: Busy, activity: Activity) -> None:
        self._activity = activity
        self.own_comms: set[str] = set()  # whose messages run no code of the user by themselves
        self.status = CellStatus(kernel)
        self._kernel = kernel
        self._shell = shell
        self._busy = busy
        self._loading_cell: Any | None = None
        self._loading_lock = threading.Lock()
        self._undos: list[Callable[[], None]] = []
        self._active = True

    def install(self) -> None:
        """Put the hooks in."""
        handlers = getattr(self._kernel, "shell_handlers", None)
        if not isinstance(handlers, dict):
            self._install_into_shell()
            return
        for message_type in MESSAGE_TYPES:
            if message_type in handlers:
                self._put(handlers, message_type, self._wrap(message_type, handlers[message_type]))
        dispatch = getattr(self._kernel, "dispatch_shell", None)
        publish = getattr(self._kernel, "_publish_status", None)
        if dispatch is None or publish is None:
            return
        attributes = vars(self._kernel)
        if "subshell_id" in inspect.signature(dispatch).parameters:
            self._put(attributes, "dispatch_shell", self.status.wrap_dispatch(dispatch))
        self._put(attributes, "_publish_status", self._wrap_publish(publish))
        if in_cell():  # the cell that loads us counts, though its message came before our hooks
            self._loading_cell = self._kernel.get_parent("shell")
            self.status.begin_cell(self._loading_cell)
            self._busy.enter()

    def _install_into_shell(self) -> None:
        """Put the hooks where other kernels run cells and handle messages of pages."""
        shell = self._shell
        for name in ("run_cell", "run_cell_async"):
            self._put(vars(shell), name, self._wrap_run_cell(getattr(shell, name)))
        comms = self._kernel.comm_manager
        for message_type in MESSAGE_TYPES:
            if message_type.startswith("comm_"):
                handler = self._wrap(message_type, getattr(comms, message_type))
                self._put(vars(comms), message_type, handler)
        if in_cell():
            self._loading_cell = object()
            self.status.begin_cell(self._loading_cell)
            self._busy.enter()
            shell.events.register("post_run_cell", self._loading_cell_ended)

    def _loading_cell_ended(self, *_: object) -> None:
        self._shell.events.unregister("post_run_cell", self._loading_cell_ended)
        self._end_loading_cell()

    def remove(self) -> None:
        """Take the hooks out. One that another extension has wrapped stays, and does nothing."""
        self._end_loading_cell()
        self._active = self.status.enabled = False
        while self._undos:
            self._undos.pop()()

    def _put(self, entries: dict[str, Any], name: str, hook: Any) -> None:
        self._undos.append(put_hook(entries, name, hook))

    def _wrap(self, message_type: str, original: Any) -> Any:
        is_cell = message_type == "execute_request"

        def handler(stream: Any, ident: Any, message: Any) -> Any:
            if not self._active:
                return original(stream, ident, message)
            busy: Busy | None = self._busy
            if self._runs_no_user_code(message_type, message):
                busy = None
                self._activity.note_own_message()
            with _Handling(self.status, busy, message, is_cell=is_cell) as handling:
                result = original(stream, ident, message)
                if result is not None and inspect.isawaitable(result):
                    return handling.go_on(result)
                return result

        return handler

    def _wrap_run_cell(self, original: Any) -> Any:
        def run_cell(*args: Any, **options: Any) -> Any:
            if not self._active:
                return original(*args, **options)
            with _Handling(self.status, self._busy, object(), is_cell=True) as handling:
                result = original(*args, **options)
                return handling.go_on(result) if inspect.iscoroutine(result) else result

        return run_cell

    def _runs_no_user_code(self, message_type: str, message: Any) -> bool:
        content = message["content"]
        if message_type == "comm_open":
            return bool(content.get("target_name") == _STATES_TARGET)
        # A page that requests the widgets' states must not get what its request changes: the change
        # that follows comes before it has made its models, and is lost.
        data = content.get("data")  # of a comm that is no widget's: any JSON
        return message_type == "comm_msg" and (
            content.get("comm_id") in self.own_comms
            or (isinstance(data, dict) and data.get("method") in _STATE_REQUESTS)
        )

    def _end_loading_cell(self) -> None:
        with self._loading_lock:  # a subshell's idle may come at the same time
            cell, self._loading_cell = self._loading_cell, None
        if cell is not None:
            self.status.end_cell(cell)
            self._busy.leave()

    def _wrap_publish(self, original: Any) -> Any:
        def publish_status(
            status: str, channel: str, parent: Any = None, *args: Any, **options: Any
        ) -> Any:
            self.status.note_published()
            cell = self._loading_cell
            if cell is not None and status == "idle" and channel == "shell":
                ended = parent or self._kernel.get_parent("shell")
                if ended.get("header") == cell.get("header"):
                    self._end_loading_cell()
            return original(status, channel, parent, *args, **options)

        return publish_status
