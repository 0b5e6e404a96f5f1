"""What a periodic callback counts, cheap to count and observable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from traitlets import All, Bunch, HasTraits, TraitType

from .isolated import IsolatedObservers
from .read_only import ReadOnly


@dataclass(slots=True)
class Tally:
    """How a periodic callback has fared since it was made."""

    counter: int = 0
    """How many times it has been called, those that raised included."""

    skipped: int = 0
    """How many ticks passed while it, or something else, kept the loop."""

    errors: int = 0
    """How many times it raised."""

    last_error: BaseException | None = None
    """What it raised last."""

    last_duration: float | None = None
    """How long the last call took, in ms."""


class Tallied(ReadOnly, TraitType[Any, Any]):
    """A read-only trait that shows a value of the object's `tally`.

    Setting a trait costs ten times what the rest of a tick does, so ticks write the tally, and tell
    only those who observe.
    """

    instead = "it is counted; what can be set is running, period, count, timeout and callback"

    def __init__(self, help: str) -> None:  # noqa: A002 - traitlets' own word
        super().__init__(help=help)

    def get(self, obj: HasTraits, cls: Any = None) -> Any:  # noqa: ARG002 - of TraitType
        """Return the value."""
        return getattr(obj.tally, self.name or "")  # type: ignore[attr-defined]  # its owner's

    def set(self, obj: HasTraits, value: Any) -> None:
        """Do nothing: the value is already there when traitlets replays held notifications."""


class Tallying(IsolatedObservers):
    """Something with a tally that shows in its `Tallied` traits."""

    tally: Tally
    _observed: frozenset[Any] = frozenset()  # names, maybe more than are observed now

    def observe(self, handler: Any, names: Any = All, type: Any = "change") -> None:  # noqa: A002
        """Call a handler when a trait changes, as any `HasTraits` does."""
        self._observed |= {names} if names is All or isinstance(names, str) else set(names)
        super().observe(handler, names, type)

    def tell(self, name: str, value: object) -> None:
        """Write a value into the tally, and tell those who observe it."""
        old = getattr(self.tally, name)
        setattr(self.tally, name, value)
        if name in self._observed or All in self._observed:
            change = Bunch(name=name, old=old, new=value, owner=self, type="change")
            self.notify_change(change)
