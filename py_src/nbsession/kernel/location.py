"""The page's URL, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from nbsession.core.references import PartOfState

from .callbacks import check_callable
from .live_url import LiveUrl
from .navigation import History, check_history
from .query_text import text_of_key, texts_of_value
from .trait_text import TraitText

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
    soon as one reports. In JupyterLab it is this notebook's own, one of many of the page: the
    address bar shows it while the notebook is in front, the path is JupyterLab's, and writes
    replace.

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

    def sync(  # noqa: PLR0913 - the public signature
        self,
        obj: HasTraits,
        names: Iterable[str] | Mapping[str, str] | None = None,
        on_error: Callable[[dict[str, str]], object] | None = None,
        history: History = "push",
        *,
        to_text: Callable[[Any], str | None] | None = None,
        from_text: Callable[[str], Any] | None = None,
    ) -> None:
        """Bind traits of an object and parameters of the search, both ways.

        The URL wins at the start; then every value that is not None is written into it. When a key
        goes away, its trait goes back to the value it had when it was synced.

        Parameters
        ----------
        obj
            Anything with traits, such as a widget.
        names
            Names of traits, or ``{trait: key}``. By default a widget's `value` (ipyvuetify's
            `v_model`) under its description, or under the name of the trait; and all public traits
            of anything else.
        on_error
            Called, once for each reading of the URL, with ``{trait: text}`` of all that could not
            be applied. By default a warning is shown, the first time.
        history
            ``"push"``: each change can be taken back by the browser's back. ``"replace"``: not.
        to_text
            Returns the text of a value, or None to remove the key; in place of the trait's own.
        from_text
            Returns the value that a text stands for, or raises any error if it stands for none.

        Raises
        ------
        TypeError
            If no text stands for what a trait holds, as for bytes, widgets and other objects, also
            within a list: give `to_text` and `from_text`.
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
        a selection widget the label of the option, of several a JSON list of labels. What an HTML
        form sends is read, too: ``on``, and a repeated key for several choices. A trait that takes
        any value gets back the type that was written. Text that is spelled otherwise, such as
        ``6`` for 6.0, stays in the URL until the trait changes.

        The URL is applied in three steps: traits whose keys are absent get their start value, then
        the keys in the URL in the order of `sync`, then once more those that observers have changed
        meanwhile. What still differs goes to `on_error`, and is written as it is. An option, index
        or number beyond the object's present `options`, `children`, `titles`, `min` or `max` stays
        in the URL, and is tried again when these change, until the trait is set otherwise.
        """
        check_history(history)
        for function in (to_text, from_text):
            if function is not None:
                check_callable(function)
        text_of = partial(TraitText, to_text=to_text, from_text=from_text)
        self._sync.add(obj, names, on_error, history, text_of)

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
