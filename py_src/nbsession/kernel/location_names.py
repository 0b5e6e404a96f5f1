"""What `Location.sync` binds to what: traits and keys, checked."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from traitlets import HasTraits

from .location_binding import LocationBinding
from .query_text import text_of_key
from .trait_text import TraitText

if TYPE_CHECKING:
    from collections.abc import Callable

    from .location_binding import Reporting
    from .navigation import History


def bindings_for(
    obj: Any,
    names: Iterable[str] | Mapping[str, str] | None,
    history: History,
    reporting: Reporting,
    text_of: Callable[[HasTraits, str], TraitText] = TraitText,
) -> list[LocationBinding]:
    """Return a binding for each trait that `names` means.

    Parameters
    ----------
    text_of
        Returns what reads and writes a trait of an object.

    Raises
    ------
    TypeError, ValueError
        As `Location.sync` does.
    """
    if not isinstance(obj, HasTraits):
        message = f"only an object with traits can be synced, got {type(obj).__name__}: {obj!r}"
        raise TypeError(message)
    if names is not None or is_widget(obj):
        keys = _default_keys(obj) if names is None else checked_names(names)
        texts = [(key, text_of(obj, name)) for name, key in _checked(obj, keys)]
    else:
        texts = _texts_of_all(obj, text_of)
    return [LocationBinding(text, key, history, reporting) for key, text in texts]


def _texts_of_all(
    obj: HasTraits, text_of: Callable[[HasTraits, str], TraitText]
) -> list[tuple[str, TraitText]]:
    texts = []
    refusal: TypeError | None = None
    for name, trait in obj.traits().items():
        if not name.startswith("_") and not trait.read_only:
            try:
                texts.append((name, text_of(obj, name)))
            except TypeError as error:  # no text stands for it, and nobody asked for it by name
                refusal = refusal or error
    if refusal is not None and not texts:
        raise refusal
    if not texts:
        message = f"{type(obj).__name__} has no public trait that could be synced"
        raise ValueError(message)
    return texts


def is_widget(obj: HasTraits) -> bool:
    """Return whether it is an ipywidget."""
    module: Any = sys.modules.get("ipywidgets.widgets.widget")
    return module is not None and isinstance(obj, module.Widget)


def _default_keys(widget: HasTraits) -> dict[str, str]:
    # ipyvuetify's widgets have their value in v_model, some beside HTML's attribute `value`
    name = "v_model" if widget.has_trait("v_model") else "value"
    return {name: getattr(widget, "description", "") or name}


def checked_names(names: Iterable[str] | Mapping[str, str]) -> dict[str, str]:
    """Return the key of each trait.

    Raises
    ------
    TypeError
        If `names` is neither a list nor a mapping of text.
    """
    if isinstance(names, str) or not isinstance(names, Iterable):
        message = (
            f"names must be a list of traits or {{trait: key}}, got {names!r}; write [{names!r}]"
        )
        raise TypeError(message)
    keys = dict(names) if isinstance(names, Mapping) else {name: name for name in names}
    if not all(isinstance(text, str) for item in keys.items() for text in item):
        message = f"names of traits and keys are text, got {keys!r}"
        raise TypeError(message)
    return keys


def _checked(obj: HasTraits, keys: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    used: set[str] = set()
    for name, key in keys.items():
        if not obj.has_trait(name):
            message = f"{type(obj).__name__} has no trait {name!r}; give names=[…] of those it has"
            raise ValueError(message)
        if obj.traits()[name].read_only:
            message = f"{type(obj).__name__}.{name} is read-only: the URL could not set it"
            raise ValueError(message)
        if key in used:
            message = f"two traits under the key {key!r}; give each a key of its own"
            raise ValueError(message)
        used.add(key)
        yield name, text_of_key(key)
