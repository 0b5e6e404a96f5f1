"""The two-way bindings of traits and query keys."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from traitlets import HasTraits

from .binding import LocationBinding, apply_at_once
from .codec import text_of_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from .binding import SyncReporter
    from .navigation import History, QueryChanges


def _bindings_for(
    obj: Any,
    names: Iterable[str] | Mapping[str, str] | None,
    bind: Callable[[str, str], LocationBinding],
) -> list[LocationBinding]:
    """Return a binding for each trait that `names` means."""
    if not isinstance(obj, HasTraits):
        message = f"only an object with traits can be synced, got {type(obj).__name__}: {obj!r}"
        raise TypeError(message)
    if names is not None or _is_widget(obj):
        keys = _default_keys(obj) if names is None else _checked_names(names)
        return [bind(name, key) for name, key in _checked(obj, keys)]
    bindings = []
    refusal: TypeError | None = None
    for name, trait in obj.traits().items():
        if not name.startswith("_") and not trait.read_only:
            try:
                bindings.append(bind(name, name))
            except TypeError as error:  # no text stands for it, and nobody asked for it by name
                refusal = refusal or error
    if refusal is not None and not bindings:
        raise refusal
    if not bindings:
        raise ValueError(f"{type(obj).__name__} has no public trait that could be synced")
    return bindings


def _is_widget(obj: HasTraits) -> bool:
    """Return whether it is an ipywidget."""
    module: Any = sys.modules.get("ipywidgets.widgets.widget")
    return module is not None and isinstance(obj, module.Widget)


def _default_keys(widget: HasTraits) -> dict[str, str]:
    # ipyvuetify's widgets have their value in v_model, some beside HTML's attribute `value`
    name = "v_model" if widget.has_trait("v_model") else "value"
    return {name: getattr(widget, "description", "") or name}


def _checked_names(names: Iterable[str] | Mapping[str, str]) -> dict[str, str]:
    """Return the key of each trait."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise TypeError(
            f"names must be a list of traits or {{trait: key}}, got {names!r}; write [{names!r}]"
        )
    keys = dict(names) if isinstance(names, Mapping) else {name: name for name in names}
    if not all(isinstance(text, str) for item in keys.items() for text in item):
        raise TypeError(f"names of traits and keys are text, got {keys!r}")
    return keys


def _checked(obj: HasTraits, keys: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    used: set[str] = set()
    for name, key in keys.items():
        if not obj.has_trait(name):
            message = f"{type(obj).__name__} has no trait {name!r}; give names=[…] of those it has"
            raise ValueError(message)
        if obj.traits()[name].read_only:
            raise ValueError(f"{type(obj).__name__}.{name} is read-only: the URL could not set it")
        if key in used:
            raise ValueError(f"two traits under the key {key!r}; give each a key of its own")
        used.add(key)
        yield name, text_of_key(key)


@dataclass
class UrlReading:
    """The application of a URL, in the thread that applies it."""

    outer: UrlReading | None
    changed: dict[LocationBinding, None] = field(default_factory=dict)
    overwritten: set[LocationBinding] = field(default_factory=set)  # by observers
    is_finished: bool = False

    def apply(self, binding: LocationBinding) -> None:
        """Apply the text of one binding."""
        self.changed[binding] = None
        self.overwritten.discard(binding)
        if binding.is_bound and binding.apply():  # an observer may have ended it
            self.overwritten.add(binding)

    def apply_together(self, bindings: list[LocationBinding]) -> None:
        """Apply the texts of several bindings, also where an object takes them only at once."""
        for binding in bindings:
            self.apply(binding)
        unapplied = [b for b in bindings if b.is_bound and not b.is_applied]
        for obj in {id(b.obj): b.obj for b in unapplied}.values():
            group = [b for b in bindings if b.obj is obj and b.is_bound]
            if len(group) > 1:
                apply_at_once(group)

    def note_change(self, binding: LocationBinding) -> None:
        """Note that a trait has changed, in this thread."""
        self.changed[binding] = None
        if not binding.is_being_set:
            self.overwritten.add(binding)

    def has_failed(self, binding: LocationBinding) -> bool:
        """Return whether its text could not be applied, and no other thread has set the trait."""
        is_foreign = binding.taken is not None and binding not in self.overwritten
        return bool(binding.texts) and not binding.is_pending and not is_foreign


class LocationSync:
    """All bindings of one location, whose query it reads and writes by two functions."""

    def __init__(
        self,
        lock: threading.RLock,
        read: Callable[[], dict[str, list[str]]],
        write: Callable[[Callable[[], QueryChanges], History], None],
    ) -> None:
        self._lock = lock
        self._read = read
        self._write = write
        self._bindings: list[LocationBinding] = []
        self._thread = threading.local()  # its `reading`

    def add(
        self,
        obj: HasTraits,
        names: Iterable[str] | Mapping[str, str] | None,
        bind: Callable[[str, str], LocationBinding],
        reporter: SyncReporter,
    ) -> None:
        """Bind traits, each of which `bind` binds to a key; see `Location.sync`."""
        new = _bindings_for(obj, names, bind)
        keys = {binding.key for binding in new}
        traits = {binding.trait for binding in new}
        with self._lock:
            replaced = [b for b in self._bindings if b.obj is obj and b.trait in traits]
            taken_over = [b for b in self._bindings if b.key in keys and b not in replaced]
            removed = [*replaced, *taken_over]
            self._bindings = [b for b in self._bindings if b not in removed] + new
        for binding in removed:
            binding.end()
        for binding in taken_over:
            _warn_of_take_over(binding, obj, reporter)
        for binding in new:
            binding.begin(self._note_change, self._try_again)
        self._start(new, [b.key for b in replaced if b.key not in keys])

    def remove(self, obj: HasTraits, names: Iterable[str] | None) -> None:
        """Unbind; see `Location.unsync`."""
        wanted = None if names is None else list(_checked_names(names))
        with self._lock:
            of_obj = [b for b in self._bindings if b.obj is obj]
            synced = [b.trait for b in of_obj]
            if not of_obj:
                raise ValueError(f"{type(obj).__name__} is not synced with the URL")
            if missing := [name for name in wanted or () if name not in synced]:
                raise ValueError(
                    f"not synced with the URL: {', '.join(map(repr, missing))}; of this "
                    f"{type(obj).__name__}, {', '.join(map(repr, synced))} are"
                )
            removed = [b for b in of_obj if wanted is None or b.trait in wanted]
            self._bindings = [b for b in self._bindings if b not in removed]
        for binding in removed:
            binding.end()
        self._write(lambda: {b.key: [] for b in removed}, "replace")

    def close(self) -> None:
        """Unbind everything, and leave the URL as it is."""
        with self._lock:
            removed, self._bindings = self._bindings, []
        for binding in removed:
            binding.end()

    def start_again(self) -> None:
        """Let the URL of a page that was loaded win, and write what it does not say."""
        with self._lock:
            bindings = tuple(self._bindings)
        self._start(bindings, [])

    def adopt(self) -> None:
        """Take the query as it is, without applying it."""
        query = self._read()
        for binding in self._bindings:
            binding.note_url(query.get(binding.key, []))

    def keys(self) -> list[str]:
        """Return the keys that are bound."""
        return [binding.key for binding in self._bindings]

    @property
    def is_reading(self) -> bool:
        """Return whether this thread is applying the URL, and so is within an observer."""
        return self._reading is not None

    def follow(self) -> None:
        """Apply what has changed in the query."""
        changed = []
        with self._lock:
            query = self._read() if self._bindings else {}
            for binding in self._bindings:
                texts = query.get(binding.key, [])
                if texts != binding.texts:
                    binding.note_url(texts)
                    changed.append(binding)
        if changed:
            self._apply(changed)

    def _start(self, bindings: Iterable[LocationBinding], removed_keys: list[str]) -> None:
        with self._lock:
            query = self._read()
            for binding in bindings:
                binding.note_url(query.get(binding.key, []))
        self._apply([binding for binding in bindings if binding.texts], is_start=True)
        self._write(lambda: {key: [] for key in removed_keys} | _starts_of(bindings), "replace")

    # -- a trait changes --------------------------------------------------------------------------

    @property
    def _reading(self) -> UrlReading | None:
        return getattr(self._thread, "reading", None)

    def _note_change(self, binding: LocationBinding) -> None:
        """Write what a trait has become; on whatever thread changed it."""
        reading = self._reading
        if reading is not None and not reading.is_finished:
            reading.note_change(binding)
        elif not (binding.is_pending and binding.is_moved_by_limits):
            binding.end_pending()
            history: History = "replace" if reading else binding.history
            self._write(lambda: _change_of(binding), history)

    def _try_again(self, binding: LocationBinding) -> None:
        """Apply a text that may fit now, since a limit of the object has changed."""
        reading = self._reading
        if reading is None or reading.is_finished:
            self._apply([binding])
        else:
            reading.apply(binding)

    # -- the URL is applied -----------------------------------------------------------------------

    def _apply(self, bindings: list[LocationBinding], *, is_start: bool = False) -> None:
        """Apply what the URL says, then write what still differs."""
        outer = self._reading
        reading = self._thread.reading = UrlReading(outer)
        try:
            rest = self._apply_in_steps(reading, bindings, is_start=is_start)
        finally:
            self._thread.reading = outer
            if outer is not None:
                outer.changed |= reading.changed
                outer.overwritten |= reading.overwritten
        if rest:
            self._write(lambda: _rest_of(rest, is_start=is_start), "replace")

    def _apply_in_steps(
        self, reading: UrlReading, bindings: list[LocationBinding], *, is_start: bool
    ) -> list[LocationBinding]:
        """Apply texts in three steps, report failures, and return what is not as the URL says."""
        for binding in bindings:
            if not binding.texts:
                reading.apply(binding)
        again = [b for b in bindings if not b.texts and not b.is_applied]
        for binding in bindings:
            if binding.texts:
                reading.apply(binding)
        reading.apply_together(again)
        affected, different = self._affected(bindings, reading)
        if again := _named(different, is_start=is_start):
            reading.apply_together(again)
            affected, different = self._affected(bindings, reading)
        reading.is_finished = True
        _report([b for b in _named(different, is_start=is_start) if reading.has_failed(b)])
        return [b for b in affected if b.is_converted or (b in different and not b.is_pending)]

    def _affected(
        self, bindings: list[LocationBinding], reading: UrlReading
    ) -> tuple[list[LocationBinding], list[LocationBinding]]:
        """Return the bindings that a reading is about, and those that are not as the URL says.

        In the order of `sync`.
        """
        is_within = reading.outer is not None and not reading.outer.is_finished
        wanted = {*bindings, *(() if is_within else reading.changed)}
        with self._lock:
            affected = [binding for binding in self._bindings if binding in wanted]
        return affected, [binding for binding in affected if not binding.is_applied]


def _named(bindings: list[LocationBinding], *, is_start: bool) -> list[LocationBinding]:
    """Return those whose keys the URL names; at the start not for what only `sync` has written."""
    return [b for b in bindings if b.texts and not (is_start and b.is_start_value)]


def _report(failed: list[LocationBinding]) -> None:
    for reporter in {b.reporter: None for b in failed}:
        texts = {b.trait: b.texts[-1] for b in failed if b.reporter is reporter}
        reporter.report_unapplied(texts)


def _change_of(binding: LocationBinding) -> QueryChanges:
    texts = binding.present_texts()
    if texts is None or texts == binding.expected_texts:
        return {}
    binding.note_written(texts)
    binding.is_start_value = False
    return {binding.key: texts}


def _starts_of(bindings: Iterable[LocationBinding]) -> QueryChanges:
    """Return what is to be written of every trait that is not None and not as the URL says."""
    changes = {}
    for binding in bindings:
        if (binding.texts and binding.is_exact) or binding.is_pending:
            continue
        if texts := binding.present_texts():
            binding.is_start_value = not binding.texts
            binding.note_written(texts)
            changes[binding.key] = texts
    return changes


def _rest_of(bindings: list[LocationBinding], *, is_start: bool) -> QueryChanges:
    """Return what is to be written of traits that are not quite what the URL says."""
    changes = {}
    for binding in bindings:
        texts = binding.present_texts()
        if texts is None or (is_start and not texts):
            continue
        if binding.is_bound and not binding.is_exact:
            binding.note_written(texts)
            changes[binding.key] = texts
    return changes


def _warn_of_take_over(binding: LocationBinding, obj: HasTraits, reporter: SyncReporter) -> None:
    """Warn, unless it looks like the same object made again by the same cell."""
    is_same_kind = type(binding.obj).__qualname__ == type(obj).__qualname__
    if not is_same_kind or (_is_widget(obj) and binding.key in ("value", "v_model")):
        reporter.warn(
            f"the key {binding.key!r} was synced with another {type(binding.obj).__name__}, and is "
            f"not any more; give one of them another key: names={{{binding.trait!r}: 'another'}}"
        )
