"""Messages from a kernel to its pages, as in `js_src/shared/pageMessages.ts`.

What pages send is untrusted: `nbsession.kernel.page.records` reads it.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class Ping(TypedDict):
    """Every page is to say hello again."""

    kind: Literal["ping"]


class LocationParts(TypedDict, total=False):
    """The parts of a URL to change; the others stay as they are."""

    pathname: str
    search: str
    hash: str


class Navigate(TypedDict):
    """Write the URL; answered by a message of kind ``location``."""

    kind: Literal["navigate"]
    page: NotRequired[str]
    serial: NotRequired[int]
    parts: LocationParts
    history: Literal["push", "replace"]
    reload: bool


class SetTitle(TypedDict):
    """Write the browser tab's title; answered by one of kind ``document``."""

    kind: Literal["title"]
    page: NotRequired[str]
    serial: NotRequired[int]
    title: str


KernelMessage = Ping | Navigate | SetTitle
Command = Navigate | SetTitle
