"""What the pages show of the periodic callbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from nbsession.core.callable_reference import name_of, unwrap

from .well_formed import well_formed

if TYPE_CHECKING:
    from collections.abc import Callable

    from .pages import Pages
    from .periodic import PeriodicCallback, PeriodicCallbacks
    from .runtime import Runtime

_ERROR_LENGTH = 2000
"""Of an error no more characters are shown: its traceback is in its cell."""


class CallbackRow(TypedDict):
    """A periodic callback as a page shows it; js_src/shared/panel.ts has the same."""

    id: str
    name: str
    period: int
    running: bool
    counter: int
    count: int | None
    timeout: int | None
    skipped: int
    last_error: str | None


class CallbackRows:
    """Keeps the page model's rows up to date.

    Parameters
    ----------
    runtime
        Of the session, with which it ends.
    callbacks
        The session's.
    pages
        Publishes the rows, at most every 50 ms.
    """

    def __init__(self, runtime: Runtime, callbacks: PeriodicCallbacks, pages: Pages) -> None:
        self._callbacks = callbacks
        self._changed = pages.mirror("callbacks", self.read)
        runtime.on_remove(callbacks.observe(self._changed))

    def publish(self) -> None:
        """Send the rows again, to a page model that may be a new one."""
        self._changed()

    def read(self) -> list[CallbackRow]:
        """Return the rows, in the order in which the callbacks were added."""
        return [row_of(str(number), callback) for number, callback in self._callbacks.items()]


def row_of(row_id: str, callback: PeriodicCallback) -> CallbackRow:
    """Return a callback as a page shows it."""
    error = callback.last_error
    row: CallbackRow = {
        "id": row_id,
        "name": _name_of(callback.callback),
        "period": callback.period,
        "running": callback.running,
        "counter": callback.counter,
        "count": callback.count,
        "timeout": callback.timeout,
        "skipped": callback.skipped,
        "last_error": None if error is None else _text_of(error),
    }
    return well_formed(row)  # type: ignore[no-any-return]  # of the type that it is given


def _name_of(callback: Callable[..., object]) -> str:
    return name_of(unwrap(callback).function)[1].replace("<locals>.", "")


def _text_of(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - the user's class
        text = ""
    name = type(error).__name__
    return (f"{name}: {text}" if text else name)[:_ERROR_LENGTH]
