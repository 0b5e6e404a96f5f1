"""The hub of the pages with browser windows that are played: an implementation of its interface."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nbsession.kernel.page.records import BrowserInfo, PageRecord, read_location

if TYPE_CHECKING:
    from collections.abc import Callable


def location_of(url: str) -> dict[str, str]:
    """Return what `window.location` says at a URL."""
    parts = urlsplit(url)
    return {
        "href": url,
        "origin": f"{parts.scheme}://{parts.netloc}",
        "protocol": f"{parts.scheme}:",
        "hostname": parts.hostname or "",
        "port": str(parts.port or ""),
        "pathname": parts.path,
        "search": f"?{parts.query}" if parts.query else "",
        "hash": f"#{parts.fragment}" if parts.fragment else "",
    }


class Window:
    """A browser window with its history."""

    def __init__(self, pages: PlayedPages, page_id: str, url: str, *, knows: bool = True) -> None:
        self.pages, self.id = pages, page_id
        self.knows_query = knows
        self.entries, self.at = [url], 0
        self.loads = 0
        self.unread: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return self.entries[self.at]

    def go(self, url: str, history: str = "push") -> None:
        if history == "push":
            self.entries[self.at + 1 :] = [url]
            self.at += 1
        else:
            self.entries[self.at] = url
        self.report()

    def step(self, by: int) -> None:
        self.at += by
        self.report()

    def report(self) -> None:
        self.pages.hear("location", self, is_news=not self.unread)

    def focus(self) -> None:
        self.pages.hear("focus", self)

    def close(self) -> None:
        self.pages.forget(self)

    def read(self) -> None:
        """Deal with the commands that have been sent."""
        while self.unread:
            command = self.unread.pop(0)
            parts = urlsplit(self.url)
            wanted = command["parts"]
            parts = parts._replace(
                path=wanted.get("pathname", parts.path),
                query=wanted.get("search", f"?{parts.query}")[1:],
                fragment=wanted.get("hash", f"#{parts.fragment}")[1:],
            )
            self.loads += command["reload"]
            self.knows_query = True
            self.go(parts.geturl(), command["history"])


class PlayedPages:
    """Where windows report, and commands are kept until a window reads them."""

    def __init__(self) -> None:
        self.windows: dict[str, tuple[Window, PageRecord]] = {}
        self.sent: list[dict[str, Any]] = []
        self.opened = 0
        self._subscribers: dict[str, list[Callable[..., object]]] = {}

    def open(self) -> None:
        self.opened += 1

    def window(self, url: str, page_id: str = "page-1", *, knows: bool = True) -> Window:
        window = Window(self, page_id, url, knows=knows)
        record = PageRecord(page_id, BrowserInfo("", "", 0, dark_mode=False, device_pixel_ratio=1))
        self.windows[page_id] = (window, record)
        self.hear("hello", window)
        return window

    def hear(self, kind: str, window: Window, *, is_news: bool = True) -> None:
        if not is_news:
            return
        _, record = self.windows.pop(window.id)
        awaits = frozenset(("navigate",) if window.unread else ())
        record = replace(
            record,
            location=read_location(location_of(window.url)),
            knows_query=window.knows_query,
            awaits=awaits,
        )
        self.windows[window.id] = (window, record)
        self._tell(kind, record)

    def forget(self, window: Window) -> None:
        _, record = self.windows.pop(window.id)
        self._tell("goodbye", record)

    def _tell(self, kind: str, record: PageRecord) -> None:
        for subscriber in tuple(self._subscribers.get(kind, ())):
            subscriber(record, {"kind": kind})

    # -- what the location uses -------------------------------------------------------------------

    @property
    def current(self) -> PageRecord | None:
        return next((record for _, record in reversed(self.windows.values())), None)

    async def reported(self, timeout_seconds: float | None = None) -> None:
        return

    def subscribe(self, kind: str, callback: Callable[..., object]) -> Callable[[], None]:
        callbacks = self._subscribers.setdefault(kind, [])
        callbacks.append(callback)
        return lambda: callbacks.remove(callback)

    def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        page_id, (window, record) = next(reversed(self.windows.items()))
        window.unread.append(message)
        self.windows[page_id] = (window, replace(record, awaits=frozenset(("navigate",))))

    @property
    def subscriber_count(self) -> int:
        return sum(map(len, self._subscribers.values()))
