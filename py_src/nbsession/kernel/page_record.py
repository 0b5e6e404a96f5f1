"""What a kernel knows of one page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from nbsession.core.references import PartOfState

LOCATION_PARTS = (
    "href",
    "origin",
    "protocol",
    "hostname",
    "port",
    "pathname",
    "search",
    "hash",
)

Theme = Literal["light", "dark"]


@dataclass(frozen=True)
class BrowserInfo(PartOfState):
    """What a browser says of itself.

    Attributes
    ----------
    language
        BCP 47, ``"de-DE"``.
    timezone
        IANA name, ``"Europe/Berlin"``.
    timezone_offset
        Minutes from local time to UTC, with JavaScript's sign: Berlin in winter is -60.
    dark_mode
        Whether the browser asks for dark pages; not Jupyter's theme.
    device_pixel_ratio
        Screen pixels per CSS pixel.
    """

    _path: ClassVar[str] = "browser_info"

    language: str
    timezone: str
    timezone_offset: int
    dark_mode: bool
    device_pixel_ratio: float

    @classmethod
    def from_json(cls, content: object) -> BrowserInfo:
        """Read what a page sent; what is missing or of another kind counts as not said."""
        said = content if isinstance(content, Mapping) else {}
        return cls(
            language=_text(said.get("language")),
            timezone=_text(said.get("timezone")),
            timezone_offset=int(_number(said.get("timezone_offset"), 0)),
            dark_mode=said.get("dark_mode") is True,
            device_pixel_ratio=_number(said.get("device_pixel_ratio"), 1),
        )


@dataclass(frozen=True)
class PageRecord:
    """A page that shows the kernel's notebook, as it last described itself.

    Attributes
    ----------
    id
        Of the browser's document: a reload is another page.
    location
        Read-only; its keys are `LOCATION_PARTS`, all text, without the ``token`` parameter.
    knows_query
        Whether the page knows query and hash; in JupyterLab it may show the notebook before.
    theme
        Jupyter's, or the browser's where Jupyter has none.
    visible
        Whether its tab is in front.
    awaits
        The kinds of commands, ``"navigate"`` and ``"title"``, that are on their way to it: until it
        has answered, what it says of its location and title is older than what was written.
    """

    id: str
    info: BrowserInfo
    location: Mapping[str, str] = field(default_factory=lambda: read_location(None))
    knows_query: bool = True
    title: str = ""
    theme: Theme | None = None
    visible: bool = True
    awaits: frozenset[str] = frozenset()


def read_location(content: object) -> Mapping[str, str]:
    """Read a location that a page sent."""
    said = content if isinstance(content, Mapping) else {}
    return MappingProxyType({part: _text(said.get(part)) for part in LOCATION_PARTS})


def read_document(content: object) -> dict[str, Any]:
    """Read title, theme and visibility that a page sent."""
    said = content if isinstance(content, Mapping) else {}
    theme = said.get("theme")
    return {
        "title": _text(said.get("title")),
        "theme": theme if theme in ("light", "dark") else None,
        "visible": said.get("visible", True) is True,
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object, default: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    try:
        number = float(value)
    except OverflowError:  # JSON has whole numbers of any size
        return default
    return number if math.isfinite(number) else default
