"""Who wants to know what the pages say."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from .callbacks import show_error
from .page_record import PageRecord

KINDS = ("hello", "goodbye", "location", "document", "focus")
"""What a page may say."""

Subscriber = Callable[[PageRecord, Mapping[str, Any]], object]


class PageNews:
    """Calls subscribers with a page's record and its message."""

    def __init__(self) -> None:
        self._subscribers: dict[str, list[Subscriber]] = {kind: [] for kind in KINDS}
        self._lock = threading.Lock()

    def subscribe(self, kind: str, callback: Subscriber) -> Callable[[], None]:
        """Call whenever a page has said something of a kind; returns what ends that.

        Raises
        ------
        ValueError
            If no message is of this kind.
        """
        if kind not in KINDS:
            message = f"a page says nothing of kind {kind!r}; it says {', '.join(KINDS)}"
            raise ValueError(message)
        with self._lock:
            self._subscribers[kind].append(callback)

        def end() -> None:
            with self._lock:
                if callback in self._subscribers[kind]:
                    self._subscribers[kind].remove(callback)

        return end

    def tell(self, kind: str, record: PageRecord, content: Mapping[str, Any]) -> None:
        """Call the subscribers on this thread; one that raises does not stop the others."""
        with self._lock:
            subscribers = tuple(self._subscribers[kind])
        for subscriber in subscribers:
            try:
                subscriber(record, content)
            except Exception as error:  # noqa: BLE001 - maybe the user's
                show_error(error)
