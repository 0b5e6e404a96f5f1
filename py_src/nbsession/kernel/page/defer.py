"""`state.defer`: a widget whose content is made once the page has loaded."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ipywidgets import Output
from ipywidgets.widgets.interaction import show_inline_matplotlib_plots

from nbsession.kernel.runtime.process import put_hook, running_shell
from nbsession.kernel.runtime.runner import Callback, check_callable, error_output

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from nbsession.kernel.runtime.runtime import Runtime

_current: ContextVar[OutputCapture | None] = ContextVar("nbsession_output_capture", default=None)


class OutputCapture:
    """The outputs of one callback, as a notebook stores them (nbformat 4)."""

    def __init__(self) -> None:
        self.outputs: list[dict[str, Any]] = []
        self.is_closed = False
        self._clear_first = False
        self._lock = threading.Lock()

    @contextmanager
    def capturing(self) -> Iterator[None]:
        """Catch the output of this context, also across an ``await``.

        Not what threads display, nor what goes to a widget's own output.
        """
        token = _current.set(self)
        publisher = getattr(running_shell(), "display_pub", None)
        register = getattr(publisher, "register_hook", None)
        if register is not None:
            register(self._on_message)
        _diversions.begin()
        try:
            yield
        finally:
            _diversions.end()
            if register is not None:
                publisher.unregister_hook(self._on_message)  # type: ignore[union-attr]  # it has the other
            _current.reset(token)

    def add_stream(self, name: str, text: str) -> None:
        """Add what was printed to ``stdout`` or ``stderr``."""
        with self._lock:  # threads print too
            self._clear_if_due()
            last = self.outputs[-1] if self.outputs else {}
            if last.get("name") == name:
                last["text"] += text
            else:
                self.outputs.append({"output_type": "stream", "name": name, "text": text})

    def add_value(self, value: object) -> None:
        """Add a value as `display` would show it."""
        shell = running_shell()
        if shell is None:
            data, metadata = {"text/plain": repr(value)}, {}
        else:
            data, metadata = shell.display_formatter.format(value)
        if data:  # else it has displayed itself
            self._add_display(data, metadata, {})

    def add_error(self, error: BaseException) -> None:
        """Add an error with its traceback."""
        output = error_output(error)
        self._clear_if_due()
        self.outputs.append(output)

    def _add_display(self, data: Any, metadata: Any, transient: Any) -> None:
        self._clear_if_due()
        output = {"output_type": "display_data", "data": data, "metadata": metadata}
        self.outputs.append({**output, "transient": transient} if transient else output)

    def _clear_if_due(self) -> None:
        if self._clear_first:
            self.outputs.clear()
            self._clear_first = False

    def _on_message(self, message: dict[str, Any]) -> dict[str, Any] | None:
        if _current.get() is not self:
            return message
        content = message["content"]
        match message["header"]["msg_type"]:
            case "display_data":
                self._add_display(content["data"], content["metadata"], content["transient"])
            case "clear_output":
                self._clear_first = True
                if not content["wait"]:
                    self._clear_if_due()
            case "update_display_data" if not self._update(content):
                return message
        return None

    def _update(self, content: dict[str, Any]) -> bool:
        ours = [out for out in self.outputs if out.get("transient") == content["transient"]]
        for output in ours:
            output.update(data=content["data"], metadata=content["metadata"])
        return bool(ours)


class _Diversion:
    """A standard stream that gives each capture its own, and the rest to the stream it replaces.

    Not derived from `io.TextIOBase`, which would answer for the stream: no encoding, no terminal.
    """

    def __init__(self, stream: str, original: Any) -> None:
        self.stream = stream
        self.original = original

    def write(self, text: object) -> int:
        capture = _current.get()
        if capture is None or capture.is_closed:
            return int(self.original.write(text) or 0)
        if not isinstance(text, str):  # libraries try whether a stream takes bytes
            raise TypeError(f"write() takes str, got {type(text).__name__}")
        capture.add_stream(self.stream, text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)


class _Diversions:
    """The standard streams, diverted while anything is captured."""

    def __init__(self) -> None:
        self._captures = 0
        self._undos: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def begin(self) -> None:
        with self._lock:
            self._captures += 1
            if self._captures == 1:
                for name in ("stdout", "stderr"):
                    diversion = _Diversion(name, getattr(sys, name))
                    self._undos.append(put_hook(vars(sys), name, diversion))

    def end(self) -> None:
        with self._lock:
            self._captures -= 1
            if self._captures == 0:
                while self._undos:
                    self._undos.pop()()


_diversions = _Diversions()

SPINNER = """\
<style>
.nbsession-spinner {
  display: inline-flex; align-items: center; gap: 0.6em; padding: 0.5em;
  color: var(--jp-ui-font-color2, #6b6b6b); font-family: var(--jp-ui-font-family, sans-serif);
}
.nbsession-spinner::before {
  content: ""; width: 1.2em; height: 1.2em; border-radius: 50%; box-sizing: border-box;
  border: 0.18em solid var(--jp-border-color2, #c8c8c8);
  border-top-color: var(--jp-brand-color1, #1976d2);
  animation: nbsession-turn 0.9s linear infinite;
}
@keyframes nbsession-turn { to { transform: rotate(1turn); } }
@media (prefers-reduced-motion: reduce) { .nbsession-spinner::before { animation: none; } }
</style>
<div class="nbsession-spinner" role="status">Loading…</div>
"""


class Deferred(Output):  # type: ignore[misc]  # ipywidgets has no types
    """Shows a placeholder until the page has loaded, then the result of a function.

    What the function prints and displays is shown as well, above its result; what it raises is
    shown in place, with the traceback. It runs on the main loop, once, unless the session has been
    taken out before. See `State.defer`.
    """

    def __init__(
        self,
        fn: Callback,
        placeholder: object,
        runtime: Runtime,
        onload: Callable[[Callback], object],
    ) -> None:
        check_callable(fn)
        super().__init__(outputs=_placeholder_outputs(placeholder))
        self._fn: Callback | None = fn
        self._forget = runtime.on_remove(self._drop)
        onload(self._run)

    def _drop(self) -> None:
        self._fn = None

    def _run(self) -> Awaitable[None] | None:
        fn, self._fn = self._fn, None
        self._forget()
        if fn is None:
            return None
        capture = OutputCapture()
        result = None
        try:
            with capture.capturing():
                result = fn()
                if not inspect.isawaitable(result):
                    _add_result(capture, result)
        except BaseException as error:  # noqa: BLE001 - shown in place, an interrupt too
            capture.add_error(error)
        if inspect.isawaitable(result):
            return self._finish(capture, result)
        self._show(capture)
        return None

    async def _finish(self, capture: OutputCapture, awaitable: Awaitable[Any]) -> None:
        try:
            with capture.capturing():
                _add_result(capture, await awaitable)
        except asyncio.CancelledError as error:
            capture.add_error(error)
            raise
        except BaseException as error:  # noqa: BLE001 - shown in place
            capture.add_error(error)
        finally:
            self._show(capture)

    def _show(self, capture: OutputCapture) -> None:
        capture.is_closed = True
        self.outputs = tuple(_stored(output) for output in capture.outputs)


def _add_result(capture: OutputCapture, result: object) -> None:
    show_inline_matplotlib_plots()  # else they wait for the end of a cell
    if result is not None:
        capture.add_value(result)


def _placeholder_outputs(placeholder: object) -> tuple[dict[str, Any], ...]:
    if placeholder is None or isinstance(placeholder, str):
        data = {"text/plain": placeholder or "Loading…"}
        if placeholder is None:
            data["text/html"] = SPINNER
        return ({"output_type": "display_data", "data": data, "metadata": {}},)
    capture = OutputCapture()
    with capture.capturing():
        capture.add_value(placeholder)
    return tuple(_stored(output) for output in capture.outputs)


def _stored(output: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in output.items() if key != "transient"}
