"""The page's URL, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbsession.core.references import PartOfState

from .live_url import LiveUrl
from .navigation import History, check_history
from .query_text import text_of_key, texts_of_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from traitlets import HasTraits

_INSTEAD = {
    "hash": "the fragment is hash_, as in location.hash_ = '#part'",
    "query": "change it by update_query(a=1), or write search, as in location.search = '?a=1'",
    "query_params": "change it by update_query(a=1), which keeps all other parameters",
}
"""What to write, where the names of others lead astray."""


class Location(PartOfState, LiveUrl):
    """The URL of the page last used.

    Filled from the request before a page connects. What is written goes to the page at once, or as
    soon as one reports. In JupyterLab writes do not last: Lab writes the URL itself whenever the
    user turns to another tab.

    Parameters
    ----------
    runtime, session, pages, loading
        Of this process.

    Attributes
    ----------
    pathname, search, hash_
        Each with its ``/``, ``?`` and ``#``, or ''. Writable.
    reload
        Whether a write makes the page load the URL, rather than only show it.
    href, origin, protocol, hostname, port
        Read-only.
    """

    _path = "location"

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _INSTEAD:  # the one would be lost without a word, the others say no mend
            message = f"location.{name} cannot be set: {_INSTEAD[name]}"
            raise AttributeError(message)
        super().__setattr__(name, value)

    @property
    def query_params(self) -> dict[str, str]:
        """The last value of every key of the search, blank ones included."""
        return {key: values[-1] for key, values in self.query.items()}

    def update_query(
        self,
        mapping: Mapping[str, object] | None = None,
        /,
        *,
        history: History = "push",
        **params: object,
    ) -> None:
        """Change parameters of the search; every other one keeps its exact text and place.

        Parameters
        ----------
        mapping, params
            Values by key; keywords come after the mapping. A list gives a repeated key, None
            removes the key. Other values: see `sync`.
        history
            ``"push"``: back leads to the URL before. ``"replace"``: it does not.

        Raises
        ------
        TypeError
            If no text stands for a value, or `mapping` is none.
        ValueError
            If `history` is neither, or no URL can hold a value.
        """
        check_history(history)
        changes = {
            text_of_key(key): texts_of_value(value)
            for key, value in {**_checked_mapping(mapping), **params}.items()
        }
        self.write(query=lambda: changes, history=history)

    def sync(
        self,
        obj: HasTraits,
        names: Iterable[str] | Mapping[str, str] | None = None,
        on_error: Callable[[dict[str, str]], object] | None = None,
        history: History = "push",
    ) -> None:
        """Bind traits of an object and parameters of the search, both ways.

        The URL wins at the start; then every value that is not None is written into it. When a key
        goes away, its trait goes back to the value it had when it was synced.

        Parameters
        ----------
        obj
            Anything with traits, such as a widget.
        names
            Names of traits, or ``{trait: key}``. By default a widget's `value` under its
            description (``"value"`` without one), and all public traits of anything else.
        on_error
            Called, once for each reading of the URL, with ``{trait: text}`` of all that could not
            be applied. By default a warning is shown, the first time.
        history
            ``"push"``: each change can be taken back by the browser's back. ``"replace"``: not.

        Raises
        ------
        TypeError
            If no text stands for what a trait holds.
        ValueError
            If there is no such trait, it is read-only, or a key is given twice; or if the object is
            this location.

        Notes
        -----
        A key has one trait: synced again with another object, the key follows that one, and the
        first is not synced any more but keeps its value. A warning says so, unless both are of one
        kind, as when a cell that makes a widget runs again.

        Text by type: a number as Python writes it; ``true`` and ``false``; dates and times ISO
        8601; a member of an enum its name; list, tuple, set and dict JSON (``[1,5]``); the value of
        a selection widget the label of the option, of several a JSON list of labels.
        """
        check_history(history)
        self._sync.add(obj, names, on_error, history)

    def unsync(self, obj: HasTraits, names: Iterable[str] | None = None) -> None:
        """End what `sync` began, and remove the keys from the URL.

        Parameters
        ----------
        obj
            The object.
        names
            Of its traits; all that are synced by default.

        Raises
        ------
        ValueError
            If the object or one of the traits is not synced.
        """
        self._sync.remove(obj, names)


def _checked_mapping(mapping: object) -> Mapping[Any, object]:
    if mapping is None:
        return {}
    if not isinstance(mapping, Mapping):
        message = (
            "update_query takes a mapping or keywords, got "
            f"{type(mapping).__name__}: {mapping!r}; write update_query(a=1)"
        )
        raise TypeError(message)
    return mapping
