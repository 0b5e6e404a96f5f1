"""What the pages show of the periodic callbacks, and what they may ask of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from traitlets import TraitError

if TYPE_CHECKING:
    from .pages import Pages
    from .periodic import PeriodicCallback, PeriodicCallbacks
    from .runtime import Runtime

_ERROR_LENGTH = 2000
"""Of an error no more characters are shown: its traceback is in its cell."""

Refuse = Callable[[str, str], object]


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
    """Keeps the page model's rows up to date, and carries out what a row asks.

    Parameters
    ----------
    runtime
        On whose main loop commands are carried out.
    callbacks
        The session's.
    pages
        Publishes the rows, at most every 50 ms.
    """

    def __init__(self, runtime: Runtime, callbacks: PeriodicCallbacks, pages: Pages) -> None:
        self._runtime = runtime
        self._callbacks = callbacks
        self._changed = pages.mirror("callbacks", self.read)
        runtime.on_remove(callbacks.observe(self._changed))

    def publish(self) -> None:
        """Send the rows again, to a page model that may be a new one."""
        self._changed()

    def read(self) -> list[CallbackRow]:
        """Return the rows, in the order in which the callbacks were added."""
        return [row_of(str(number), callback) for number, callback in self._callbacks.items()]

    def receive(self, content: object, refuse: Refuse) -> None:
        """Carry out a command of a page, on the main loop. From any thread.

        Parameters
        ----------
        content
            What the page sent: it may be anything.
        refuse
            Called with the row's id and the reason if a command is not carried out.
        """
        if isinstance(content, Mapping) and content.get("kind") in ("callback", "period"):
            context = self._runtime.runner.context()
            self._runtime.main_loop.call_soon(self._carry_out, content, refuse, context=context)

    def _carry_out(self, command: Mapping[str, Any], refuse: Refuse) -> None:
        row_id = str(command.get("id"))
        callback = {str(n): each for n, each in self._callbacks.items()}.get(row_id)
        if callback is None:
            refuse(row_id, "This callback is no longer there.")
            return
        with self._runtime.busy:  # observers of the traits are the user's
            try:
                _apply(callback, command)
            except (TraitError, ValueError, RuntimeError) as error:
                refuse(row_id, str(error))


MAX_PERIOD_MS = 2**31
"""24 days; what comes from a page may be any whole number."""


def _apply(callback: PeriodicCallback, command: Mapping[str, Any]) -> None:
    if command["kind"] == "period":
        set_period(callback, command.get("period"))
    elif command.get("action") == "start":
        callback.start()
    elif command.get("action") == "stop":
        callback.stop()
    else:
        message = f"no action {command.get('action')!r}; use 'start' or 'stop'"
        raise ValueError(message)


def set_period(callback: PeriodicCallback, period: Any) -> None:
    """Set a callback's period to what somebody has sent.

    Raises
    ------
    TraitError, ValueError
        If it is no period.
    """
    if isinstance(period, int) and period > MAX_PERIOD_MS:
        message = f"a period is at most {MAX_PERIOD_MS:,} ms"
        raise ValueError(message)
    callback.period = period


def row_of(row_id: str, callback: PeriodicCallback) -> CallbackRow:
    """Return a callback as a page shows it."""
    error = callback.last_error
    return {
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


def _name_of(callback: Callable[..., object]) -> str:
    while hasattr(callback, "func"):  # a partial
        callback = callback.func
    name = getattr(callback, "__qualname__", None) or type(callback).__qualname__
    return str(name).replace("<locals>.", "")


def _text_of(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - the user's class
        text = ""
    name = type(error).__name__
    return (f"{name}: {text}" if text else name)[:_ERROR_LENGTH]
