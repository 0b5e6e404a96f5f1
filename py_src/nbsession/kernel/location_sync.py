"""The two-way bindings of traits and query keys."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .location_binding import LocationBinding, Reporting
from .location_names import bindings_for, checked_names, is_widget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from traitlets import HasTraits

    from .live_url import LiveUrl
    from .navigation import History, QueryChanges
    from .runtime import Runtime


class LocationSync:
    """All bindings of one location.

    Parameters
    ----------
    location
        Whose query they read and write.
    runtime
        Of this process.
    lock
        The location's own; never held while user code runs.
    """

    def __init__(self, location: LiveUrl, runtime: Runtime, lock: threading.RLock) -> None:
        self._location = location
        self._runtime = runtime
        self._lock = lock
        self._bindings: list[LocationBinding] = []
        self._being_applied = threading.local()

    def add(
        self,
        obj: HasTraits,
        names: Iterable[str] | Mapping[str, str] | None,
        on_error: Callable[[dict[str, str]], object] | None,
        history: History,
    ) -> None:
        """Bind; see `Location.sync`."""
        if obj is self._location:  # each write would be the next one's cause
            message = "the location is the URL itself; sync another object's traits with it"
            raise ValueError(message)
        reporting = Reporting(self._runtime, on_error)
        new = bindings_for(obj, names, history, reporting)
        keys = {binding.key for binding in new}
        traits = {binding.trait for binding in new}
        with self._lock:
            replaced = [b for b in self._bindings if b.obj is obj and b.trait in traits]
            taken_over = [b for b in self._bindings if b.key in keys and b not in replaced]
            gone = [*replaced, *taken_over]
            self._bindings = [b for b in self._bindings if b not in gone] + new
        for binding in gone:
            binding.end()
        for binding in taken_over:
            _warn_of_take_over(binding, obj, reporting)
        for binding in new:
            binding.begin(self._write)
        self._start(new, [b.key for b in replaced if b.key not in keys])

    def remove(self, obj: HasTraits, names: Iterable[str] | None) -> None:
        """Unbind; see `Location.unsync`."""
        wanted = None if names is None else list(checked_names(names))
        with self._lock:
            mine = [b for b in self._bindings if b.obj is obj]
            synced = [b.trait for b in mine]
            if not mine:
                message = f"{type(obj).__name__} is not synced with the URL"
                raise ValueError(message)
            if missing := [name for name in wanted or () if name not in synced]:
                message = (
                    f"not synced with the URL: {', '.join(map(repr, missing))}; of this "
                    f"{type(obj).__name__}, {', '.join(map(repr, synced))} are"
                )
                raise ValueError(message)
            gone = [b for b in mine if wanted is None or b.trait in wanted]
            self._bindings = [b for b in self._bindings if b not in gone]
        for binding in gone:
            binding.end()
        self._location.write(query=lambda: {b.key: [] for b in gone}, history="replace")

    def end(self) -> None:
        """Unbind everything, and leave the URL as it is."""
        with self._lock:
            gone, self._bindings = self._bindings, []
        for binding in gone:
            binding.end()

    def start_again(self) -> None:
        """Let the URL of a page that was loaded win, and write what it does not say."""
        with self._lock:
            bindings = tuple(self._bindings)
        self._start(bindings, [])

    def adopt(self) -> None:
        """Take the query as it is, without applying it."""
        query = self._location.query
        for binding in self._bindings:
            binding.texts = query.get(binding.key, [])

    def keys(self) -> list[str]:
        """Return the keys that are bound."""
        return [binding.key for binding in self._bindings]

    def follow(self) -> None:
        """Apply what has changed in the query."""
        with self._lock:
            query = self._location.query if self._bindings else {}
            changed = [b for b in self._bindings if query.get(b.key, []) != b.texts]
            for binding in changed:
                binding.texts = query.get(binding.key, [])
        self._apply(changed)

    def _start(self, bindings: Iterable[LocationBinding], gone_keys: list[str]) -> None:
        with self._lock:
            query = self._location.query
            for binding in bindings:
                binding.texts = query.get(binding.key, [])
        self._apply([binding for binding in bindings if binding.texts])
        self._location.write(
            query=lambda: {key: [] for key in gone_keys} | _changes_of(bindings), history="replace"
        )

    def _write(self, binding: LocationBinding) -> None:
        """Write what a trait has become; on whatever thread changed it."""
        applying = self._applying()
        if binding not in applying:
            # What follows from going back must not be a way forward.
            history: History = "replace" if applying else binding.history
            self._location.write(query=lambda: _change_of(binding), history=history)

    def _apply(self, bindings: list[LocationBinding]) -> None:
        if not bindings:
            return
        with self._applied(bindings):
            failed = {b: text for b in bindings if (text := b.apply()) is not None}
            if len(bindings) > 1:
                # One may have stood in the way of another: a maximum, of a value above the old one.
                again = [b for b in bindings if b in failed or not b.is_applied()]
                failed = {b: text for b in again if (text := b.apply()) is not None}
            for reporting in {b.reporting for b in failed}:
                reporting.tell_unapplied(
                    {b.trait: text for b, text in failed.items() if b.reporting is reporting}
                )

    def _applying(self) -> frozenset[LocationBinding]:
        return getattr(self._being_applied, "bindings", frozenset())

    @contextmanager
    def _applied(self, bindings: Iterable[LocationBinding]) -> Iterator[None]:
        before = self._applying()
        self._being_applied.bindings = before.union(bindings)
        try:
            yield
        finally:
            self._being_applied.bindings = before


def _change_of(binding: LocationBinding) -> QueryChanges:
    texts = binding.texts_of_trait()
    if texts is None or texts == binding.texts:
        return {}
    binding.texts = texts
    return {binding.key: texts}


def _changes_of(bindings: Iterable[LocationBinding]) -> QueryChanges:
    """Return what is to be written of every trait that is not None."""
    changes = {}
    for binding in bindings:
        if texts := binding.texts_of_trait():
            binding.texts = changes[binding.key] = texts
    return changes


def _warn_of_take_over(binding: LocationBinding, obj: HasTraits, reporting: Reporting) -> None:
    """Warn, unless it looks like the same object made again by the same cell."""
    is_same_kind = type(binding.obj).__qualname__ == type(obj).__qualname__
    if not is_same_kind or (is_widget(obj) and binding.key == "value"):
        reporting.warn(
            f"the key {binding.key!r} was synced with another {type(binding.obj).__name__}, and is "
            "not any more; give one of them another key: names={'value': 'another'}"
        )
