"""A widget whose content is made once the page has loaded."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, Protocol

from ipywidgets import Output
from ipywidgets.widgets.interaction import show_inline_matplotlib_plots

from .callbacks import Callback, check_callable
from .output_capture import OutputCapture

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from .runtime import Runtime

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


class LoadWatcher(Protocol):
    """What tells when the page has loaded."""

    def onload(self, callback: Callback, threaded: bool = False) -> None:
        """Call once it has; at once if it has already."""


class Deferred(Output):  # type: ignore[misc]  # ipywidgets has no types
    """Shows a placeholder until the page has loaded, then the result of a function.

    What the function prints and displays is shown as well, above its result; what it raises is
    shown in place, with the traceback. It runs on the main loop, once.

    Parameters
    ----------
    fn
        Takes nothing; sync or async.
    placeholder
        Whatever `display` takes; None for a spinner.
    runtime
        Of the session: once that has been taken out, the function is not called any more.
    loading
        Tells when the page has loaded.

    Raises
    ------
    TypeError
        If `fn` cannot be called.
    """

    def __init__(
        self, fn: Callback, placeholder: object, runtime: Runtime, loading: LoadWatcher
    ) -> None:
        check_callable(fn)
        super().__init__(outputs=_placeholder_outputs(placeholder))
        self._fn: Callback | None = fn
        self._forget = runtime.on_remove(self._drop)
        loading.onload(self._run)

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
