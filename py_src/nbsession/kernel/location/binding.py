"""One trait of one object, bound to one key of the URL's query."""

from __future__ import annotations

import datetime as dt
import inspect
import numbers
import threading
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from traitlets import TraitType

from nbsession.core.errors import warn
from nbsession.kernel.runtime.runner import check_callable, show_error, show_unless_cancelled

from .trait_codec import TraitText, UnreadableTextError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from traitlets import Bunch, HasTraits

    from nbsession.kernel.runtime.runtime import Runtime

    from .navigation import History

_LIMITS = ("options", "children", "titles", "min", "max", "base")
"""Traits that say which values another trait of their object can take."""


class SyncReporter:
    """Reports what of the URL could not be applied: to a callback of `sync`, or as a warning."""

    def __init__(
        self, runtime: Runtime, on_error: Callable[[dict[str, str]], object] | None
    ) -> None:
        if on_error is not None:
            check_callable(on_error)
        self._busy = runtime.busy
        self._runner = runtime.runner
        self._on_error = on_error
        self._context = runtime.runner.context()
        self._has_warned = False

    def report_unapplied(self, texts: dict[str, str]) -> None:
        """Report the texts that could not be applied in one reading, by trait."""
        if self._on_error is None:
            listed = ", ".join(f"{trait} = {text!r}" for trait, text in texts.items())
            self.warn(f"the URL holds what cannot be applied: {listed}; on_error= can handle it")
            return
        with self._busy:
            try:
                result = self.call(self._on_error, texts)
            except Exception as error:  # noqa: BLE001 - the user's; the reading goes on
                self.show(error)
                return
        if inspect.isawaitable(result):
            context, done = self._context, show_unless_cancelled
            finish = partial(self._runner.run, lambda: result, context=context, done=done)
            self._runner.main_loop.call_soon(finish, context=context)

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call what may run code of the user, whose output goes to the cell of the `sync`."""
        return self._runner.call_within(function, *args, context=self._context)

    def show(self, error: Exception) -> None:
        """Show an error in the cell of the `sync`."""
        self._context.copy().run(show_error, error)

    def warn(self, message: str) -> None:
        """Warn in the cell of the `sync`, the first time."""
        if not self._has_warned:
            self._has_warned = True
            self._context.copy().run(warn, message)


class LocationBinding:
    """One trait and one key."""

    def __init__(self, text: TraitText, key: str, history: History, reporter: SyncReporter) -> None:
        self.obj = text.obj
        self.trait = text.name
        self.attribute = text.attribute  # the trait that is set: of a selection widget the label
        self.key = key
        self.history: History = history
        self.reporter = reporter
        self.texts: list[str] = []  # the values of the key in the URL
        # The trait's own texts for what `texts` stand for, such as `6.0` for `6`; None: not taken.
        self.taken: list[str] | None = None
        self.is_converted = False  # the object took another value than the one in the URL
        self.is_pending = False
        self.is_start_value = False  # `sync` has written the trait's value into the URL
        self._text = text
        self._initial = _copied(getattr(self.obj, self.attribute))
        self._initial_texts = self._texts_of(self._initial)
        self._changes: dict[int, list[Bunch]] = {}  # by the thread that sets the trait for the URL
        others = (name for name in _LIMITS if name not in (self.trait, self.attribute))
        self._limits = [name for name in others if self.obj.has_trait(name)]
        self._limits_before: list[object] = []
        self._pending_lock = threading.Lock()
        self._on_change: Callable[[LocationBinding], None] | None = None
        self._on_limits: Callable[[LocationBinding], None] | None = None

    # -- the trait's changes ----------------------------------------------------------------------

    def begin(
        self,
        on_change: Callable[[LocationBinding], None],
        on_limits: Callable[[LocationBinding], None],
    ) -> None:
        """Call whenever the trait changes, or may take the text that it could not take."""
        self._on_change = on_change
        self._on_limits = on_limits
        self.obj.observe(self._note_change, self.attribute)

    def end(self) -> None:
        """Call no more."""
        self.end_pending()
        if self._on_change is not None:
            self._on_change = self._on_limits = None
            self.obj.unobserve(self._note_change, self.attribute)

    @property
    def is_bound(self) -> bool:
        """Return whether it has begun and not ended."""
        return self._on_change is not None

    @property
    def is_being_set(self) -> bool:
        """Return whether this thread is setting the trait to the value in the URL."""
        return threading.get_ident() in self._changes

    def _note_change(self, change: Bunch) -> None:
        changes = self._changes.get(threading.get_ident())
        if changes is not None:
            changes.append(change)
        if self._on_change is not None:
            self._on_change(self)

    # -- the trait as text ------------------------------------------------------------------------

    def present_texts(self) -> list[str] | None:
        """Return the trait's value as values of the key; None, and warn, if none stand for it."""
        return self._texts_of(getattr(self.obj, self.attribute), warns=True)

    def _texts_of(self, value: object, *, warns: bool = False) -> list[str] | None:
        try:
            return self._text.texts_of(value)
        except (TypeError, ValueError, RecursionError) as error:
            if warns:
                self.reporter.warn(f"{self.trait} is not written into the URL: {error}")
            return None

    # -- the URL's text ---------------------------------------------------------------------------

    def note_url(self, texts: list[str]) -> None:
        """Note the values of the key in the URL, without applying them."""
        self.texts = texts
        self.taken = None
        self.is_converted = self.is_start_value = False
        self.end_pending()

    def note_written(self, texts: list[str]) -> None:
        """Note that the trait's value was written into the URL."""
        self.texts = self.taken = texts
        self.is_converted = False
        self.end_pending()

    @property
    def expected_texts(self) -> list[str]:
        """The values of the key in the URL, as the trait writes them."""
        return self.texts if self.taken is None else self.taken

    @property
    def is_applied(self) -> bool:
        """Return whether the trait has the value in the URL, or without the key its first one."""
        expected = self.expected_texts if self.texts else self._initial_texts
        return self._texts_of(getattr(self.obj, self.attribute)) == expected

    @property
    def is_exact(self) -> bool:
        """Return whether the trait has the very value in the URL."""
        return self.is_applied and not self.is_converted

    def apply(self) -> bool:
        """Set the trait to the value in the URL, or to its initial one if the key is not there.

        Return whether observers have changed it again.
        """
        texts = self.texts
        if not texts:
            return self._set(_copied(self._initial))[2]
        try:
            value = self._text.value_of(texts)
        except UnreadableTextError:
            self.end_pending()
            return False
        was_taken, taken, is_changed_again = self._set(value)
        if texts is not self.texts:  # another thread has written the trait's value
            return is_changed_again
        self.taken = None
        self.is_converted = False
        if was_taken:
            is_same = _is_same(taken, value)
            if is_same or not _is_number(value):  # a number that differs was clamped
                self.taken = self._texts_of(taken)
            if not is_same and self.taken is not None:
                self.is_converted = self.taken not in (texts, self._texts_of(value) or self.taken)
        if self.taken is None and self._is_beyond_limits(value):
            self._begin_pending()
        else:
            self.end_pending()
        return is_changed_again

    def _set(self, value: object) -> tuple[bool, object, bool]:
        """Set the trait, and return whether and as what it took the value; and as `apply` does."""
        before = getattr(self.obj, self.attribute)
        error: Exception | None = None
        thread = threading.get_ident()
        changes = self._changes[thread] = []
        try:
            self.reporter.call(setattr, self.obj, self.attribute, value)
        except Exception as raised:  # noqa: BLE001 - the trait's refusal, or an observer's own error
            error = raised
        finally:
            del self._changes[thread]
        taken = getattr(self.obj, self.attribute)
        for change in changes:
            # Observers may have changed it since; what they did began with another old value.
            if change["old"] is before:
                taken = change["new"]
                break
        if error is not None:
            if _is_same(taken, before):
                return False, taken, False
            self.reporter.show(error)
        return True, taken, len(changes) > 1

    def url_value(self) -> Any:
        """Return the value in the URL, or the initial one; UnreadableTextError if it is none."""
        return self._text.value_of(self.texts) if self.texts else _copied(self._initial)

    @contextmanager
    def being_set(self) -> Iterator[None]:
        """Note that this thread sets the trait to the value in the URL."""
        thread = threading.get_ident()
        self._changes[thread] = []
        try:
            yield
        finally:
            del self._changes[thread]

    def note_set(self, value: object) -> bool:
        """Note, and return, whether the trait has the value in the URL."""
        texts = self._texts_of(value)
        if texts is None or texts != self._texts_of(getattr(self.obj, self.attribute)):
            return False
        self.taken = texts
        self.end_pending()
        return True

    # -- what it cannot take yet ------------------------------------------------------------------

    def _begin_pending(self) -> None:
        with self._pending_lock:
            self._limits_before = self._present_limits()
            if not self.is_pending:
                self.is_pending = True
                self.obj.observe(self._note_limits, self._limits)

    def end_pending(self) -> None:
        """Do not try again to apply what could not be applied."""
        with self._pending_lock:
            if self.is_pending:
                self.is_pending = False
                self.obj.unobserve(self._note_limits, self._limits)

    def _note_limits(self, _change: object) -> None:
        self._limits_before = self._present_limits()
        if self._on_limits is not None and self.is_pending and not self.is_being_set:
            self._on_limits(self)

    @property
    def is_moved_by_limits(self) -> bool:
        """Return whether the object itself changes the trait, since its limits change."""
        is_same = all(map(_is_same, self._limits_before, self._present_limits()))
        return not is_same or _is_validating(self.obj, self._limits)

    def _present_limits(self) -> list[object]:
        return [getattr(self.obj, name) for name in self._limits]

    def _is_beyond_limits(self, value: object) -> bool:
        limits = dict(zip(self._limits, self._present_limits(), strict=True))
        values = value if isinstance(value, list | tuple) else [value]
        if values and all(isinstance(one, str) for one in values):
            return "options" in limits and not _labels(self.obj, limits["options"]) >= set(values)
        if not values or not all(map(_is_number, values)):
            return False
        lengths = [len(v) for n in _LIMITS[:3] if isinstance(v := limits.get(n), _Sized)]
        low, high = limits.get("min"), limits.get("max")
        if "base" in limits:  # a logarithmic slider's limits are exponents
            low, high = (None if end is None else limits["base"] ** end for end in (low, high))  # type: ignore[operator]  # of numbers
        return any(
            _is_less(one, low)
            or _is_less(high, one)
            or (isinstance(one, int) and any(one >= length for length in lengths))
            for one in values
        )


def apply_at_once(bindings: Sequence[LocationBinding]) -> None:
    """Set several traits of one object to what the URL says; it sees them only all together."""
    values: dict[LocationBinding, object] = {}
    for binding in bindings:
        with suppress(UnreadableTextError):
            values[binding] = binding.url_value()
    obj, reporter = bindings[0].obj, bindings[0].reporter
    error: Exception | None = None
    with ExitStack() as stack:
        for binding in values:
            stack.enter_context(binding.being_set())
        try:
            reporter.call(_set_at_once, obj, {b.attribute: v for b, v in values.items()})
        except Exception as raised:  # noqa: BLE001 - the object's refusal, or an observer's own error
            error = raised
    is_set = [binding.note_set(value) for binding, value in values.items()]
    if error is not None and any(is_set):
        reporter.show(error)


def _set_at_once(obj: HasTraits, values: dict[str, object]) -> None:
    with obj.hold_trait_notifications():
        for name, value in values.items():
            setattr(obj, name, value)


def _copied(value: Any) -> Any:
    """Return a copy of a container, which its user may edit in place; else the value itself."""
    if type(value) is list:
        return [_copied(item) for item in value]
    if type(value) is dict:
        return {key: _copied(item) for key, item in value.items()}
    return set(value) if type(value) is set else value


_Sized = (list, tuple, dict)


def _labels(obj: Any, options: Any) -> set[object]:
    """Return the labels of a selection widget's options, or the options that are text."""
    labels = getattr(obj, "_options_labels", None)
    if labels is None:
        labels = options if isinstance(options, _Sized) else ()
    return {label for label in labels if isinstance(label, str)}


def _is_less(one: Any, other: Any) -> bool:
    try:
        return one is not None and other is not None and bool(one < other)
    except TypeError:  # a limit of another type
        return False


def _is_number(value: object) -> bool:
    """Return whether it is a number, a date or time, or several of them."""
    if isinstance(value, list | tuple):
        return bool(value) and all(map(_is_number, value))
    kinds = (numbers.Real, dt.date, dt.time)
    return isinstance(value, kinds) and not isinstance(value, bool)


def _is_same(one: object, other: object) -> bool:
    if one is other:
        return True
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001 - arrays and their like have no one answer
        return False


def _is_validating(obj: HasTraits, names: Sequence[str]) -> bool:
    """Return whether this thread is within the validation of one of an object's traits.

    A slider moves its value below a new maximum before it has that maximum.
    """
    frame = inspect.currentframe()
    code = TraitType._cross_validate.__code__  # noqa: SLF001 - traitlets has no public way to ask
    while frame is not None:
        if frame.f_code is code and frame.f_locals.get("obj") is obj:
            return frame.f_locals["self"].name in names
        frame = frame.f_back
    return False
