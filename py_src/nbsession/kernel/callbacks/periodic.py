"""`PeriodicCallback`: a callback that is called again and again."""

from __future__ import annotations

import asyncio
import operator
import threading
from dataclasses import dataclass
from math import floor
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn, Self

from traitlets import All, Bool, Bunch, Callable, HasTraits, TraitError, TraitType, validate

from nbsession.core.callables import is_generator, name_of, unwrap
from nbsession.kernel.runtime.runner import ErrorDisplay
from nbsession.kernel.runtime.traits import IsolatedObservers, ReadOnly

if TYPE_CHECKING:
    from collections.abc import Callable as CallableType

    from nbsession.kernel.runtime.runner import Callback, CallbackRunner
    from nbsession.kernel.runtime.timers import TimerQueue


def checked_integer(value: object, name: str, unit: str, least: int) -> int:
    """Return a whole number as an int; 200.0 is one, too."""
    number: int | None = None
    if isinstance(value, float) and value.is_integer():
        number = int(value)
    elif not isinstance(value, bool):
        try:
            number = operator.index(value)  # type: ignore[arg-type]  # what has none raises
        except TypeError:
            number = None
    if number is None or number < least:
        of = f" of {unit}" if unit else ""
        hint = "; 1 s is 1000" if unit == "milliseconds" else ""
        raise ValueError(
            f"{name} must be a whole number{of}, at least {least}{hint}: "
            f"got {value!r} ({type(value).__name__})"
        )
    return number


class PositiveInteger(TraitType[Any, Any]):
    """A trait for a whole number of at least 1."""

    def __init__(self, default_value: int | None, unit: str = "", **options: Any) -> None:
        self._unit = unit
        super().__init__(default_value=default_value, **options)

    def validate(self, obj: HasTraits, value: object) -> int:  # noqa: ARG002 - of TraitType
        """Return the number as an int, or raise TraitError."""
        try:
            return checked_integer(value, self.name or "value", self._unit, 1)
        except ValueError as error:
            none = ", or None for no end" if self.allow_none else ""
            raise TraitError(f"{error}{none}") from None


class PeriodicGrid:
    """Ticks at ``start + n * seconds`` of a loop's time, each at most once."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._start = 0.0
        self._tick = 0  # the last one that was taken or skipped
        self._last = 0.0  # when that was due
        self._lock = threading.Lock()

    def restart(self, now: float) -> float:
        """Return the first tick of a new grid."""
        with self._lock:
            self._start = self._last = now
            self._tick = 0
            return now + self._seconds

    def change(self, now: float, seconds: float) -> float:
        """Return the next tick of a grid from the last tick on.

        Were it from now on, somebody who drags a slider would hold up every tick.
        """
        with self._lock:
            self._seconds = seconds
            self._start = self._last
            self._tick = max(floor((now - self._start) / seconds), 0)
            return self._start + (self._tick + 1) * seconds

    def take(self) -> None:
        """Take the next tick."""
        with self._lock:
            self._tick += 1
            self._last = self._start + self._tick * self._seconds

    def next(self, now: float) -> tuple[float, int]:
        """Return the next tick that has not passed, and how many were skipped for it."""
        with self._lock:
            passed = floor((now - self._start) / self._seconds)
            skipped = max(passed - self._tick, 0)
            self._tick += skipped
            return self._start + (self._tick + 1) * self._seconds, skipped


@dataclass(slots=True)
class Counts:
    """The counts of a periodic callback; its traits of these names show them."""

    counter: int = 0
    skipped: int = 0
    errors: int = 0
    last_error: BaseException | None = None
    last_duration: float | None = None


class Counted(ReadOnly, TraitType[Any, Any]):
    """A read-only trait that shows a value of its owner's `counts`.

    Setting a trait costs ten times what the rest of a tick does, so ticks write the counts, and
    notify only those who observe.
    """

    instead = "it is counted; what can be set is running, period, count, timeout and callback"

    def __init__(self, help: str) -> None:  # noqa: A002 - traitlets' own word
        super().__init__(help=help)

    def get(self, obj: HasTraits, cls: Any = None) -> Any:  # noqa: ARG002 - of TraitType
        """Return the value."""
        return getattr(obj.counts, self.name or "")  # type: ignore[attr-defined]  # its owner's

    def set(self, obj: HasTraits, value: Any) -> None:
        """Do nothing: the value is already there when traitlets replays held notifications."""


_LATE_SECONDS = 0.02
"""The time after its timeout in which the tick that is due just then may still come."""

_AFTER_TICK_SECONDS = 0.0001
"""The time from a tick to an end that is due with it."""


def generator_message(callback: CallableType[..., Any]) -> str:
    """Return what is wrong with a generator function as a callback."""
    return (
        f"a call of {':'.join(name_of(unwrap(callback).function))} runs nothing, as it is a "
        "generator: give a function without yield; for one step a call, call it once, and "
        "give lambda: next(steps)"
    )


class PeriodicCallback(IsolatedObservers):
    """Calls something every `period` ms; made by ``state.add_periodic_callback``.

    The first call is one period after the start. Calls come on a fixed grid and do not drift; what
    cannot come in time is skipped and counted, and no call overlaps the one before. What it prints
    and raises goes to the cell that registered it; an error that repeats is shown once.

    Parameters
    ----------
    callback, period, count, timeout
        The traits.
    """

    callback: Any = Callable(help="Takes nothing; sync or async.")
    period: Any = PositiveInteger(500, "milliseconds", help="In ms; may change while it runs.")
    count: Any = PositiveInteger(
        None, allow_none=True, help="How many calls per start; None: no end."
    )
    timeout: Any = PositiveInteger(
        None, "milliseconds", allow_none=True, help="In ms after a start, when it stops; or None."
    )
    running = Bool(default_value=False, help="Whether it runs; set it to start or stop.")
    counter = Counted("How many calls so far; goes on when started again.")
    skipped = Counted("How many ticks were skipped so far, as the loop had no time for them.")
    errors = Counted("How many calls raised.")
    last_error = Counted("What a call raised last; None if none has.")
    last_duration = Counted("How long the last call took, in ms; None before the first.")

    _observed: frozenset[Any] = frozenset()  # names, maybe more than are observed now

    def __init__(  # noqa: PLR0913 - four of them are the user's
        self,
        callback: Callback,
        period: int,
        count: int | None,
        timeout: int | None,
        *,
        queue: TimerQueue,
        runner: CallbackRunner,
        on_change: CallableType[[], None],
    ) -> None:
        self.counts = Counts()
        self._queue, self._runner, self._on_change = queue, runner, on_change
        self._time = queue.main_loop.time
        self._context = runner.context()
        self._grid = PeriodicGrid(1.0)
        self._start_number = 0
        self._ends_at = float("inf")
        self._calls = 0  # since the start
        self._calling = 0  # the number of the start whose call has not ended; 0 for none
        self._started = self._began = 0.0
        self._errors = ErrorDisplay()
        self._tick_timer = queue.timer(self._on_tick)
        self._end_timer = queue.timer(self._on_end)
        super().__init__(callback=callback, period=period, count=count, timeout=timeout)
        self._grid.change(0.0, self.period / 1000)

    def start(self) -> None:
        """Start; does nothing while it runs. From any thread.

        Raises
        ------
        RuntimeError
            If its session has been taken out by ``%unload_ext``.
        """
        self.running = True

    def stop(self) -> None:
        """Stop; a call that is going on may finish. From any thread."""
        self.running = False

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{self!r} is of this process only and cannot be pickled; pickle its callback and call "
            "state.add_periodic_callback where it arrives"
        )

    def __repr__(self) -> str:
        name = getattr(self.callback, "__qualname__", None) or repr(self.callback)
        how = "running" if self.running else "stopped"
        return f"<PeriodicCallback {name} every {self.period} ms, {how}, {self.counter} calls>"

    # -- traits ---------------------------------------------------------------------------------

    def observe(self, handler: Any, names: Any = All, type: Any = "change") -> None:  # noqa: A002
        """Call a handler when a trait changes, as any `HasTraits` does."""
        self._observed |= {names} if names is All or isinstance(names, str) else set(names)
        super().observe(handler, names, type)

    def record(self, name: str, value: object) -> None:
        """Write a count, and notify those who observe it."""
        old = getattr(self.counts, name)
        setattr(self.counts, name, value)
        if name in self._observed or All in self._observed:
            change = Bunch(name=name, old=old, new=value, owner=self, type="change")
            self.notify_change(change)

    def notify_change(self, change: Bunch) -> None:
        """Apply a trait, then notify its observers, then those of all periodic callbacks."""
        match change.name:
            case "callback":
                self._on_callback()
            case "running":
                self._on_running()
            case "period":
                self._on_period()
            case "timeout":
                self._set_end()
            case "count":
                self._stop_if_complete()
        super().notify_change(change)
        self._on_change()

    @validate("callback")
    def _validate_callback(self, proposal: Bunch) -> CallableType[..., Any]:
        callback: CallableType[..., Any] = proposal["value"]
        if is_generator(callback):
            raise TraitError(generator_message(callback))
        return callback

    @validate("running")
    def _validate_running(self, proposal: Bunch) -> bool:
        if proposal["value"] and self._queue.closed:
            raise RuntimeError(
                "the session of this periodic callback has been taken out by %unload_ext; "
                "load nbsession and call state.add_periodic_callback again"
            )
        return bool(proposal["value"])

    def _on_callback(self) -> None:
        self._context = self._runner.context()
        self._errors.restart()

    def _on_running(self) -> None:
        if not self.running:
            self._tick_timer.cancel()
            self._end_timer.cancel()
            return
        self._start_number += 1
        self._calls = 0
        self._errors.restart()
        self._started = self._time()
        first = self._grid.restart(self._started)
        if not self._calling:
            self._tick_timer.set(first)
        self._set_end()

    def _on_period(self) -> None:
        following = self._grid.change(self._time(), self.period / 1000)
        if self.running and not self._calling:
            self._tick_timer.set(following)

    def _set_end(self) -> None:
        if self.running and self.timeout is not None:
            self._ends_at = self._started + self.timeout / 1000
            self._end_timer.set(self._ends_at + _AFTER_TICK_SECONDS)
        else:
            self._ends_at = float("inf")
            self._end_timer.cancel()

    def _stop_if_complete(self) -> bool:
        complete = self.running and self.count is not None and self._calls >= self.count
        if complete:
            self.stop()
        return complete

    # -- on the loop's thread -----------------------------------------------------------------

    def _on_end(self, _now: float) -> None:
        self._context.copy().run(self.stop)

    def _on_tick(self, now: float) -> None:
        if self.running and not self._calling and now <= self._ends_at + _LATE_SECONDS:
            self._grid.take()
            self._calling = self._start_number
            self._context.copy().run(self._call)

    def _call(self) -> None:
        self._began = perf_counter()
        self._runner.run(self.callback, context=self._context, done=self._on_called)

    def _on_called(self, _result: object, error: BaseException | None) -> None:
        counts, now = self.counts, self._time()
        self.record("last_duration", (perf_counter() - self._began) * 1000)
        is_taken_out = self._queue.closed and isinstance(error, asyncio.CancelledError)
        if error is not None and not is_taken_out:
            self.record("last_error", error)
            self.record("errors", counts.errors + 1)
            self._errors.show(error)
        if self._calling == self._start_number:
            self._calls += 1
        self._calling = 0
        self.record("counter", counts.counter + 1)
        if self.running and not self._stop_if_complete():
            following, skipped = self._grid.next(now)
            if skipped:
                self.record("skipped", counts.skipped + skipped)
            self._tick_timer.set(following)
        if not self._queue.firing:  # an async one, between ticks
            self._on_change()
