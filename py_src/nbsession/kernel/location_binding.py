"""One trait of one object, bound to one key of the URL's query."""

from __future__ import annotations

import contextvars
import inspect
import warnings
from typing import TYPE_CHECKING, Any

from nbsession.core.errors import NBSessionWarning

from .callbacks import check_callable, show_error, show_unless_cancelled
from .trait_text import TraitText, UnreadableTextError

if TYPE_CHECKING:
    from collections.abc import Callable

    from traitlets import HasTraits

    from .navigation import History
    from .runtime import Runtime


class Reporting:
    """Tells what of the URL could not be applied: to the callback of one `sync`, or as a warning.

    Parameters
    ----------
    runtime
        Of this process.
    on_error
        Takes ``{trait: text}``; sync or async. None for a warning, the first time.
    """

    def __init__(
        self, runtime: Runtime, on_error: Callable[[dict[str, str]], object] | None
    ) -> None:
        if on_error is not None:
            check_callable(on_error)
        self._runtime = runtime
        self._on_error = on_error
        self.context = contextvars.copy_context()
        self._has_warned = False

    def tell_unapplied(self, errors: dict[str, str]) -> None:
        """Tell what could not be applied in one reading."""
        if self._on_error is None:
            listed = ", ".join(f"{trait} = {text!r}" for trait, text in errors.items())
            self.warn(f"the URL holds what cannot be applied: {listed}; on_error= can handle it")
            return
        with self._runtime.busy:
            try:
                result = self.context.copy().run(self._on_error, errors)
            except Exception as error:  # noqa: BLE001 - the user's; the reading goes on
                self.context.copy().run(show_error, error)
                return
        if inspect.isawaitable(result):
            self._runtime.main_loop.call_soon(self._finish, result, context=self.context)

    def warn(self, message: str) -> None:
        """Warn in the cell of the `sync`, the first time."""
        if not self._has_warned:
            self._has_warned = True
            self.context.copy().run(warnings.warn, message, NBSessionWarning, stacklevel=2)

    def _finish(self, result: Any) -> None:
        self._runtime.runner.run(lambda: result, context=self.context, done=show_unless_cancelled)


class LocationBinding:
    """One trait and one key.

    Parameters
    ----------
    obj, trait, key
        What is bound to what.
    history
        How changes of the trait are written.
    reporting
        Of the `sync` that made it.

    Attributes
    ----------
    texts
        The values of the key in the URL, as the trait last met them; none if it was not there.
    """

    def __init__(
        self, obj: HasTraits, trait: str, key: str, history: History, reporting: Reporting
    ) -> None:
        self.obj = obj
        self.trait = trait
        self.key = key
        self.history: History = history
        self.reporting = reporting
        self.texts: list[str] = []
        self._text = TraitText(obj, trait)
        self._initial = getattr(obj, self._text.attribute)
        self._on_change: Callable[[LocationBinding], None] | None = None

    def begin(self, on_change: Callable[[LocationBinding], None]) -> None:
        """Call whenever the trait changes."""
        self._on_change = on_change
        self.obj.observe(self._note_change, self._text.attribute)

    def end(self) -> None:
        """Call no more."""
        if self._on_change is not None:
            self._on_change = None
            self.obj.unobserve(self._note_change, self._text.attribute)

    def _note_change(self, _change: object) -> None:
        if self._on_change is not None:
            self._on_change(self)

    def texts_of_trait(self) -> list[str] | None:
        """Return the trait's value as values of the key; None, and warn, if none stand for it."""
        try:
            return self._text.texts()
        except (TypeError, ValueError, RecursionError) as error:
            self.reporting.warn(f"{self.trait} is not written into the URL: {error}")
            return None

    def apply(self) -> str | None:
        """Set the trait to what the URL says; return the text if that could not be done."""
        if not self.texts:
            return None if self._set(self._initial) else "None"
        try:
            value = self._text.value_of(self.texts)
        except UnreadableTextError:
            return self.texts[-1]
        return None if self._set(value) else self.texts[-1]

    def is_applied(self) -> bool:
        """Whether the trait is what the URL says: a widget may have moved it into its bounds."""
        return self.texts_of_trait() == self.texts

    def _set(self, value: object) -> bool:
        attribute = self._text.attribute
        try:
            self.reporting.context.copy().run(setattr, self.obj, attribute, value)
        except Exception as error:  # noqa: BLE001 - the trait's refusal, or an observer's own error
            if not _is_same(getattr(self.obj, attribute), value):
                return False
            self.reporting.context.copy().run(show_error, error)
        return True


def _is_same(one: object, other: object) -> bool:
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001 - arrays and their like have no one answer
        return False
