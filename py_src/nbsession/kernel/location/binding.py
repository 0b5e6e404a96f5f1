"""One trait of one object, bound to one key of the URL's query."""

from __future__ import annotations

import datetime as dt
import inspect
import numbers
import threading
import warnings
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from traitlets import TraitType

from nbsession.core.errors import NBSessionWarning
from nbsession.kernel.runtime.runner import check_callable, show_error, show_unless_cancelled

from .trait_codec import TraitText, UnreadableTextError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from traitlets import Bunch, HasTraits

    from nbsession.kernel.runtime.runtime import Runtime

    from .navigation import History

_LIMITS = ("options", "children", "titles", "min", "max", "base")
"""Traits that say which values another trait of their object can take."""


class Reporting:
    """Reports what of the URL could not be applied: to a callback of `sync`, or as a warning."""

    def __init__(
        self, runtime: Runtime, on_error: Callable[[dict[str, str]], object] | None
    ) -> None:
        if on_error is not None:
            check_callable(on_error)
        self._runtime = runtime
        self._on_error = on_error
        self.context = runtime.runner.context()
        self._has_warned = False

    def tell_unapplied(self, errors: dict[str, str]) -> None:
        """Tell what could not be applied in one reading."""
        if self._on_error is None:
            listed = ", ".join(f"{trait} = {text!r}" for trait, text in errors.items())
            self.warn(f"the URL holds what cannot be applied: {listed}; on_error= can handle it")
            return
        with self._runtime.busy:
            try:
                result = self.call(self._on_error, errors)
            except Exception as error:  # noqa: BLE001 - the user's; the reading goes on
                self.context.copy().run(show_error, error)
                return
        if inspect.isawaitable(result):
            self._runtime.main_loop.call_soon(self._finish, result, context=self.context)

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call what may run code of the user, whose output goes to the cell of the `sync`."""
        return self._runtime.runner.call_within(function, *args, context=self.context)

    def warn(self, message: str) -> None:
        """Warn in the cell of the `sync`, the first time."""
        if not self._has_warned:
            self._has_warned = True
            self.context.copy().run(warnings.warn, message, NBSessionWarning, stacklevel=2)

    def _finish(self, result: Any) -> None:
        self._runtime.runner.run(lambda: result, context=self.context, done=show_unless_cancelled)


class LocationBinding:
    """One trait and one key."""

    def __init__(self, text: TraitText, key: str, history: History, reporting: Reporting) -> None:
        self.obj = text.obj
        self.trait = text.name
        self.key = key
        self.history: History = history
        self.reporting = reporting
        self.texts: list[str] = []
        self.is_pending = False
        self.is_start_value = False
        self._text = text
        self._initial = _copied(getattr(self.obj, text.attribute))
        self._initial_texts = self._present_texts()
        # The trait's own texts for what `texts` stand for, such as `6.0` for `6`; None: not taken.
        self._taken: list[str] | None = None
        self._is_converted = False
        self._changes: dict[int, list[Bunch]] = {}  # by the thread that sets the trait for the URL
        others = (name for name in _LIMITS if name not in (self.trait, self.attribute))
        self._limits = [name for name in others if self.obj.has_trait(name)]
        self._limits_met: list[object] = []
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
        self.obj.observe(self._note_change, self._text.attribute)

    def end(self) -> None:
        """Call no more."""
        self.end_pending()
        if self._on_change is not None:
            self._on_change = self._on_limits = None
            self.obj.unobserve(self._note_change, self._text.attribute)

    @property
    def attribute(self) -> str:
        """The trait that is set: for the value of a selection widget its label."""
        return self._text.attribute

    @property
    def is_bound(self) -> bool:
        """Return whether it has begun and not ended."""
        return self._on_change is not None

    @property
    def is_being_set(self) -> bool:
        """Return whether this thread is setting the trait to what the URL says."""
        return threading.get_ident() in self._changes

    def _note_change(self, change: Bunch) -> None:
        changes = self._changes.get(threading.get_ident())
        if changes is not None:
            changes.append(change)
        if self._on_change is not None:
            self._on_change(self)

    # -- the trait as text ------------------------------------------------------------------------

    def texts_of_trait(self) -> list[str] | None:
        """Return the trait's value as values of the key; None, and warn, if none stand for it."""
        try:
            return self._text.texts()
        except (TypeError, ValueError, RecursionError) as error:
            self.reporting.warn(f"{self.trait} is not written into the URL: {error}")
            return None

    def _present_texts(self) -> list[str] | None:
        return self._texts_of(getattr(self.obj, self._text.attribute))

    def _texts_of(self, value: object) -> list[str] | None:
        try:
            return self._text.texts_of(value)
        except (TypeError, ValueError, RecursionError):
            return None

    # -- the URL's text ---------------------------------------------------------------------------

    def meet(self, texts: list[str]) -> None:
        """Take over the values of the key in the URL, without applying them."""
        self.texts = texts
        self._taken = None
        self.is_start_value = False
        self.end_pending()

    def note_written(self, texts: list[str]) -> None:
        """Note that the trait's value was written into the URL."""
        self.texts = self._taken = texts
        self._is_converted = False
        self.end_pending()

    @property
    def is_applied(self) -> bool:
        """Return whether the trait is what the URL says, or without the key its first value."""
        present = self._present_texts()
        return present == (self._said if self.texts else self._initial_texts)

    @property
    def _said(self) -> list[str]:
        """The URL's values of the key, as the trait writes them."""
        return self.texts if self._taken is None else self._taken

    def new_texts(self) -> list[str] | None:
        """Return the trait's value as values of the key; None if the URL says just that.

        None, and a warning, too if none stand for it.
        """
        texts = self.texts_of_trait()
        return None if texts == self._said else texts

    @property
    def is_converted(self) -> bool:
        """Return whether the object made another value of the one in the URL, and took that."""
        return self._is_converted and self._taken is not None

    @property
    def is_taken(self) -> bool:
        """Return whether the trait took the value in the URL, whatever became of it since."""
        return self._taken is not None

    def apply(self) -> bool:
        """Set the trait to what the URL says, or to its initial value if the key is not there."""
        texts = self.texts
        if not texts:
            return self._set(_copied(self._initial))[2]
        try:
            value = self._text.value_of(texts)
        except UnreadableTextError:
            self.end_pending()
            return False
        is_taken, taken, is_changed_again = self._set(value)
        is_same = is_taken and _is_same(taken, value)
        if texts is not self.texts:  # another thread has written the trait's value
            return is_changed_again
        self._taken = None
        self._is_converted = False
        if is_taken and (is_same or not _is_number(value)):  # a number that differs was clamped
            self._taken = self._texts_of(taken)
            if not is_same:
                spellings = (texts, self._texts_of(value) or self._taken)
                self._is_converted = self._taken not in spellings
        if self._taken is None and self._is_beyond_limits(value):
            self._begin_pending()
        else:
            self.end_pending()
        return is_changed_again

    def _set(self, value: object) -> tuple[bool, object, bool]:
        """Set the trait."""
        attribute = self._text.attribute
        before = getattr(self.obj, attribute)
        error: Exception | None = None
        thread = threading.get_ident()
        changes = self._changes[thread] = []
        try:
            self.reporting.call(setattr, self.obj, attribute, value)
        except Exception as raised:  # noqa: BLE001 - the trait's refusal, or an observer's own error
            error = raised
        finally:
            del self._changes[thread]
        # Observers may have changed it since; what they did began with another old value.
        first = next((change.new for change in changes if change.old is before), _UNCHANGED)
        taken = getattr(self.obj, attribute) if first is _UNCHANGED else first
        if error is not None:
            if _is_same(taken, before):
                return False, taken, False
            self.reporting.context.copy().run(show_error, error)
        return True, taken, len(changes) > 1

    def wanted_value(self) -> Any:
        """Return the value that the URL says; UnreadableTextError if it is none."""
        return self._text.value_of(self.texts) if self.texts else _copied(self._initial)

    @contextmanager
    def being_set(self) -> Iterator[None]:
        """Note that this thread sets the trait to what the URL says."""
        thread = threading.get_ident()
        self._changes[thread] = []
        try:
            yield
        finally:
            del self._changes[thread]

    def note_set(self, value: object) -> bool:
        """Note whether the trait has a value, which is the one in the URL."""
        texts = self._texts_of(value)
        if texts is None or texts != self._present_texts():
            return False
        self._taken = texts
        self.end_pending()
        return True

    # -- what it cannot take yet ------------------------------------------------------------------

    def _begin_pending(self) -> None:
        with self._pending_lock:
            self._limits_met = self._present_limits()
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
        self._limits_met = self._present_limits()
        if self._on_limits is not None and self.is_pending and not self.is_being_set:
            self._on_limits(self)

    @property
    def is_moved_by_limits(self) -> bool:
        """Return whether the object itself changes the trait, since its limits change."""
        return not all(map(_is_same, self._limits_met, self._present_limits())) or _is_validating(
            self.obj, self._limits
        )

    def _present_limits(self) -> list[object]:
        return [getattr(self.obj, name) for name in self._limits]

    def _is_beyond_limits(self, value: object) -> bool:
        limits = dict(zip(self._limits, self._present_limits(), strict=True))
        values = value if isinstance(value, list | tuple) else [value]
        if values and all(isinstance(one, str) for one in values):
            return "options" in limits and not _labels(self.obj, limits["options"]).issuperset(
                values
            )
        if not values or not all(map(_is_number, values)):
            return False
        lengths = [len(v) for n in _LIMITS[:3] if isinstance(v := limits.get(n), _Sized)]
        low, high = limits.get("min"), limits.get("max")
        if "base" in limits:  # a logarithmic slider's limits are exponents
            low, high = (None if end is None else limits["base"] ** end for end in (low, high))  # type: ignore[operator]  # of numbers
        return any(
            _is_less(one, low)
            or _is_less(high, one)
            or any(_is_index_beyond(one, n) for n in lengths)
            for one in values
        )


def apply_at_once(bindings: Sequence[LocationBinding]) -> None:
    """Set several traits of one object to what the URL says; it sees them only all together."""
    values: dict[LocationBinding, object] = {}
    for binding in bindings:
        with suppress(UnreadableTextError):
            values[binding] = binding.wanted_value()
    obj, reporting = bindings[0].obj, bindings[0].reporting
    error: Exception | None = None
    with ExitStack() as stack:
        for binding in values:
            stack.enter_context(binding.being_set())
        try:
            reporting.call(_set_at_once, obj, {b.attribute: v for b, v in values.items()})
        except Exception as raised:  # noqa: BLE001 - the object's refusal, or an observer's own error
            error = raised
    is_set = [binding.note_set(value) for binding, value in values.items()]
    if error is not None and any(is_set):
        reporting.context.copy().run(show_error, error)


def _set_at_once(obj: HasTraits, values: dict[str, object]) -> None:
    with obj.hold_trait_notifications():
        for name, value in values.items():
            setattr(obj, name, value)


_UNCHANGED = object()


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


def _is_index_beyond(value: Any, length: int) -> bool:
    return isinstance(value, int) and value >= length


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
