"""The traits of a location."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from traitlets import HasTraits, TraitError, Unicode

from .read_only import ReadOnly

if TYPE_CHECKING:
    from .live_url import LiveUrl

_NEVER = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
"""Controls, which browsers drop, and halves of surrogate pairs, which no URL can hold."""


class _AnyPart(Unicode[str, Any]):
    """A part of the URL, read from the one value that holds them all."""

    def get(self, obj: LiveUrl, cls: type[Any] | None = None) -> str:  # type: ignore[override]  # of a LiveUrl
        """Return it as it is now."""
        del cls
        return str(getattr(obj._url, str(self.name)))  # noqa: SLF001 - its own


class ReadPart(ReadOnly, _AnyPart):
    """A part of the URL that cannot be written."""

    instead = "what can be set is pathname, search and hash_; no page can be sent to another origin"

    def set(self, obj: LiveUrl, value: Any) -> None:  # type: ignore[override]  # of a LiveUrl
        """Do nothing: it follows from the parts that are written."""


class Part(_AnyPart):
    """A part of the URL that can be written."""

    def __init__(self, start: str, others: str, **options: Any) -> None:
        super().__init__(**options)
        self._start = start
        self._others = others

    def validate(self, obj: HasTraits, value: Any) -> str:
        """Return what is to be written; raise TraitError if it is no such part of a URL."""
        text = super().validate(obj, value)
        if text == "srcdoc" and self.name == "pathname":  # that of an iframe's page
            return text
        if text and not text.startswith(self._start):
            problem = f"has to start with {self._start!r}, or be ''"
        elif found := _NEVER.search(text):
            problem = f"cannot hold {found[0]!r}; write it percent-encoded, or leave it out"
        elif self.name == "pathname" and (text.startswith("//") or "\\" in text):
            problem = "has to be a path on this server: no // at its start, no backslash"
        elif found := re.search(f"[{self._others}]", text) if self._others else None:
            problem = f"ends where {found[0]!r} begins; write %{ord(found[0]):02X} if it is meant"
        else:
            return "" if text == self._start != "/" else text  # as browsers see a lone ? or #
        shown = text if len(text) < 100 else f"{text[:100]}…"  # noqa: PLR2004 - a line of a message
        message = f"{self.name} {problem}, got {shown!r}"
        raise TraitError(message)

    def set(self, obj: LiveUrl, value: Any) -> None:  # type: ignore[override]  # of a LiveUrl
        """Write it."""
        obj.write({str(self.name): str(self._validate(obj, value))})
