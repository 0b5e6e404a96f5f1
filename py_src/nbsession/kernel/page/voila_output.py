"""Output and errors of callbacks on a Voilà page, whose cells are sent only once."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nbsession.core.environment import SHOW_TRACEBACKS
from nbsession.core.errors import LinkError
from nbsession.core.text import MAX_LOG_CHARACTERS, LineLimit
from nbsession.core.tracebacks import clean, traceback_from_user_code
from nbsession.kernel.runtime.process import kernel_log, put_hook
from nbsession.kernel.runtime.runner import error_output, watchers

if TYPE_CHECKING:
    from nbsession.kernel.link.session_info import Session
    from nbsession.kernel.runtime.runtime import Runtime

_FLUSH_SECONDS = 0.05
_MAX_CHARACTERS = 32_768
_MAX_OUTPUTS = 100
_MAX_ERRORS_PER_SECOND = 10

Output = dict[str, Any]


class _Area:
    """An empty Output widget in a cell that has registered callbacks, for their late output."""

    def __init__(self) -> None:
        from ipywidgets import Output as OutputWidget

        self.is_sent = False  # the cell's own output: what comes later is added here
        self.widget = OutputWidget(layout={"display": "none"})
        self._outputs: list[Output] = []
        self._clear_first = False

    def add(self, output: Output | None, *, waits: bool = False) -> None:
        """Add an output; None clears all, at once or before the next."""
        if output is None:
            self._clear_first = waits
            if not waits:
                self._outputs.clear()
            return
        if self._clear_first:
            self._outputs.clear()
            self._clear_first = False
        last = self._outputs[-1] if self._outputs else {}
        if output["output_type"] == "stream" and last.get("name") == output["name"]:
            text = (last["text"] + output["text"])[-_MAX_CHARACTERS:]
            self._outputs[-1] = {**last, "text": text}
        else:
            self._outputs.append(output)
            del self._outputs[:-_MAX_OUTPUTS]

    def show(self) -> None:
        """Show it on the page."""
        self.widget.layout.display = None
        self.widget.outputs = tuple(self._outputs)


class VoilaOutput:
    """Shows what callbacks print after their page was sent, and logs what they raise.

    As in Voilà's cells, visitors see tracebacks and stderr only with ``show_tracebacks``; else
    these are in the server's log alone.
    """

    def __init__(self, runtime: Runtime, session: Session) -> None:
        self._runtime = runtime
        self._session = session
        self._kernel: Any = runtime.kernel
        self._shows_errors = os.environ.get(SHOW_TRACEBACKS) == "1"
        self._areas: dict[str, _Area] = {}
        self._pending: list[tuple[_Area | None, Output | None, bool]] = []
        self._lock = threading.Lock()
        self._limit = LineLimit(_MAX_ERRORS_PER_SECOND)
        watchers.append(self)
        runtime.on_remove(lambda: watchers.remove(self))

    # -- callbacks ------------------------------------------------------------------------------

    def registered(self) -> None:
        """Make a place for the output in the cell that registers a callback."""
        is_main = threading.current_thread() is threading.main_thread()
        hooks = self._runtime.hooks
        if not (is_main and hooks is not None and hooks.status.in_cell):
            return
        cell_id = _cell_id()
        if not cell_id or cell_id in self._areas:
            return
        from IPython.display import display

        if not self._areas:
            self._hook_into_session()
        area = self._areas[cell_id] = _Area()
        display(area.widget)  # type: ignore[no-untyped-call]  # IPython's

    def raised(self, error: BaseException) -> None:
        """Log an error with its traceback, and show it where its cell is on the page."""
        trace = traceback_from_user_code(error)
        with self._lock:
            is_logged = self._limit.take()
        if is_logged:
            text = "".join(traceback.format_exception(type(error), error, trace))
            self._write_to_log("error", "a callback raised an error", text)
        area = self._areas.get(_cell_id())
        if area is None or not area.is_sent:
            return
        sys.stdout.flush()  # what was printed before comes first
        output = error_output(error)
        if not self._shows_errors:
            text = "an error in a callback of this page; its traceback is in the server's log"
            output |= {"evalue": text, "traceback": [f"{output['ename']}: {text}"]}
        self._add(area, output)

    # -- messages -------------------------------------------------------------------------------

    def _hook_into_session(self) -> None:
        session = self._kernel.session
        original = session.send

        def send(stream: Any, message: Any, *args: Any, **options: Any) -> Any:
            self._watch(message, *args, **options)
            return original(stream, message, *args, **options)

        self._runtime.on_remove(self._areas.clear)
        self._runtime.on_remove(put_hook(vars(session), "send", send))

    def _watch(
        self, message: Any, content: Any = None, parent: Any = None, *_: Any, **__: Any
    ) -> None:
        """Look at a message that is about to be published; on any thread."""
        if isinstance(message, dict):
            kind, content = message["header"]["msg_type"], message["content"]
            header = message["parent_header"]
        else:
            kind, header = message, (parent or {}).get("header", parent)
        area = self._areas.get((header or {}).get("msg_id", ""))
        if area is None:
            return
        if kind == "status":
            area.is_sent = area.is_sent or content["execution_state"] == "idle"
        elif area.is_sent:
            self._take(area, kind, content)

    def _take(self, area: _Area, kind: str, content: Any) -> None:
        match kind:
            case "stream" if content["name"] == "stderr" and not self._shows_errors:
                self._add(None, {"text": content["text"]})
            case "stream":
                output = {"name": content["name"], "text": content["text"]}
                self._add(area, {"output_type": kind, **output})
            case "display_data":
                output = {"data": content["data"], "metadata": content["metadata"]}
                self._add(area, {"output_type": kind, **output})
            case "clear_output":
                self._add(area, None, waits=content["wait"])

    def _add(self, area: _Area | None, output: Output | None, *, waits: bool = False) -> None:
        """Have an output added on the main loop; without an area it goes to the log."""
        with self._lock:
            is_first = not self._pending
            self._pending.append((area, output, waits))
        if is_first:
            self._runtime.main_loop.call_soon(self._flush_soon)

    def _flush_soon(self) -> None:
        self._runtime.main_loop.loop.call_later(_FLUSH_SECONDS, self._flush)

    def _flush(self) -> None:
        with self._lock:
            pending, self._pending = self._pending, []
        unseen = ""
        for area, output, waits in pending:
            if area is not None:
                area.add(output, waits=waits)
            elif output is not None:
                unseen += output["text"]
        for changed in dict.fromkeys(area for area, _, _ in pending if area is not None):
            changed.show()
        if unseen:
            self._write_to_log("info", "a callback printed to stderr", unseen)

    def _write_to_log(self, level: str, message: str, text: str) -> None:
        text = clean(text, MAX_LOG_CHARACTERS)
        line = {"level": level, "message": message, "trace": text}
        link = self._session.link
        if link is not None and link.usable:
            with suppress(LinkError):
                link.post("log", line)
                return
        kernel_log().error("nbsession: %s\n%s", message, text)


def _cell_id() -> str:
    """Return the id of the message whose output the calling code's prints are."""
    header = getattr(sys.stdout, "parent_header", None) or {}
    is_cell = header.get("msg_type") == "execute_request"
    return str(header.get("msg_id", "")) if is_cell else ""
