"""What a page and its kernel say to each other: the shapes of `js_src/shared/wire.ts`."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class InfoContent(TypedDict):
    """What the browser says of itself. `timezone_offset` is in minutes, local time to UTC."""

    language: str
    timezone: str
    timezone_offset: int
    dark_mode: bool
    device_pixel_ratio: float


class LocationContent(TypedDict):
    """`window.location`, without the ``token`` parameter in `href` and `search`.

    In JupyterLab the notebook's own, as `window.location` would be if it were in front.
    """

    href: str
    origin: str
    protocol: str
    hostname: str
    port: str
    pathname: str
    search: str
    hash: str


class DocumentContent(TypedDict):
    """What shows in the browser's tab, and how. `theme` is None where nothing tells."""

    title: str
    theme: Literal["light", "dark"] | None
    visible: bool


class Hello(TypedDict):
    """Page → kernel: this page shows the kernel's notebook. `answer`: to a ping.

    `known` is False if the page does not know query and hash: those that the kernel has count.
    """

    kind: Literal["hello"]
    page: str
    answer: bool
    focused: bool
    info: InfoContent
    location: LocationContent
    known: NotRequired[bool]
    document: DocumentContent


class Goodbye(TypedDict):
    """Page → kernel: this page is going, or shows the kernel no more. Best effort.

    A browser may drop it; the page that is loaded in its place says it once more.
    """

    kind: Literal["goodbye"]
    page: str


class LocationMessage(TypedDict):
    """Page → kernel: the URL has changed, or a `Navigate` has been dealt with.

    `applied` is the `serial` of the last `Navigate` that the location knows of; 0 before the first.
    `known` as in `Hello`.
    """

    kind: Literal["location"]
    page: str
    applied: int
    location: LocationContent
    known: NotRequired[bool]


class DocumentMessage(TypedDict):
    """Page → kernel: title, theme or visibility has changed, or a `SetTitle` been dealt with.

    `applied` is the `serial` of the last `SetTitle` that the title knows of; 0 before the first.
    """

    kind: Literal["document"]
    page: str
    applied: int
    document: DocumentContent
    info: InfoContent


class Focus(TypedDict):
    """Page → kernel: the user has turned to this page."""

    kind: Literal["focus"]
    page: str


class Ping(TypedDict):
    """Kernel → page: every page is to say hello again."""

    kind: Literal["ping"]


class LocationParts(TypedDict, total=False):
    """The parts of a URL to change; the others stay as they are."""

    pathname: str
    search: str
    hash: str


class Navigate(TypedDict):
    """Kernel → page: write the URL; answered by a `LocationMessage`."""

    kind: Literal["navigate"]
    page: NotRequired[str]
    serial: NotRequired[int]
    parts: LocationParts
    history: Literal["push", "replace"]
    reload: bool


class SetTitle(TypedDict):
    """Kernel → page: write the browser tab's title; answered by a `DocumentMessage`."""

    kind: Literal["title"]
    page: NotRequired[str]
    serial: NotRequired[int]
    title: str


KernelMessage = Ping | Navigate | SetTitle
Command = Navigate | SetTitle
