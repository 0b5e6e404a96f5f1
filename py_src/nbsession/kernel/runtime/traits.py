"""Read-only traits whose errors name the remedy, and listeners whose errors are shown."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NoReturn

from traitlets import All, Bool, Enum, HasTraits, TraitError

if TYPE_CHECKING:
    from collections.abc import Callable


class ReadOnly:
    """Makes a trait type read-only; to be named before it among the bases."""

    name: str | None
    instead = "it only shows"

    def __init__(self, *arguments: Any, instead: str | None = None, **options: Any) -> None:
        super().__init__(*arguments, read_only=True, **options)  # type: ignore[call-arg]  # of a trait
        if instead is not None:
            self.instead = instead

    def __set__(self, obj: HasTraits, value: Any) -> NoReturn:
        raise TraitError(f"{type(obj).__name__}.{self.name} is read-only: {self.instead}")


class ReadOnlyBool(ReadOnly, Bool[bool, bool]):
    """A read-only `Bool`."""


class ReadOnlyEnum(ReadOnly, Enum[Any]):
    """A read-only `Enum`."""


class Listeners:
    """Functions that are called at every change; one that raises does not stop the others."""

    def __init__(self) -> None:
        self._functions: tuple[Callable[..., object], ...] = ()
        self._lock = threading.Lock()

    def add(self, function: Callable[..., object]) -> Callable[[], None]:
        """Call a function from now on; return what ends that."""
        with self._lock:
            self._functions += (function,)

        def end() -> None:
            with self._lock:
                self._functions = tuple(each for each in self._functions if each is not function)

        return end

    def notify(self, *arguments: object) -> None:
        """Call all of them on this thread."""
        for function in self._functions:
            try:
                function(*arguments)
            except Exception as error:  # noqa: BLE001 - maybe the user's; the others come too
                from .runner import show_error

                show_error(error)


class IsolatedObserver:
    """An observer whose error is shown; equal to any other of the same handler."""

    def __init__(self, handler: Callable[[Any], object]) -> None:
        self.handler = handler

    def __call__(self, change: Any) -> None:
        """Call the handler."""
        try:
            self.handler(change)
        except Exception as error:  # noqa: BLE001 - the user's; the others are notified all the same
            from .runner import show_error

            show_error(error)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IsolatedObserver) and other.handler == self.handler

    def __hash__(self) -> int:
        return hash(self.handler)


class IsolatedObservers(HasTraits):
    """Notifies every observer, also after one that raised."""

    _is_observed = False

    def observe(self, handler: Callable[..., Any], names: Any = All, type: Any = "change") -> None:  # noqa: A002 - traitlets' own word
        """Call a handler when a trait changes, as any `HasTraits` does."""
        self._is_observed = True
        super().observe(IsolatedObserver(handler), names, type)

    def unobserve(
        self,
        handler: Callable[..., Any],
        names: Any = All,
        type: Any = "change",  # noqa: A002 - traitlets' own word
    ) -> None:
        """Do not call a handler any more."""
        super().unobserve(IsolatedObserver(handler), names, type)
