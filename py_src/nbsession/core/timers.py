"""Timers by the time at which they are due, many on one timer of a loop."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Item = TypeVar("Item")

_MAX_VOID = 64


class TimerHeap(Generic[Item]):
    """Items in the order of their times; equal times in the order of a number.

    An item that is not to fire any more becomes void, and stays until it comes up or until void
    ones are many: to search for it would take longer.
    """

    def __init__(self, is_void: Callable[[float, Item], bool]) -> None:
        self._is_void = is_void
        self._entries: list[tuple[float, int, Item]] = []
        self._void = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def first(self) -> float | None:
        """The earliest time, perhaps that of a void item; None if there is no item."""
        return self._entries[0][0] if self._entries else None

    def push(self, when: float, number: int, item: Item) -> None:
        """Add an item."""
        heapq.heappush(self._entries, (when, number, item))

    def note_void(self) -> None:
        """Note that an item has become void."""
        self._void += 1
        if self._void > _MAX_VOID and self._void * 2 > len(self._entries):
            # A set of the entries: an item may have been pushed twice for one time.
            self._entries = [
                entry for entry in {*self._entries} if not self._is_void(entry[0], entry[2])
            ]
            heapq.heapify(self._entries)
            self._void = 0

    def clear(self) -> list[Item]:
        """Remove all items, and return them."""
        entries, self._entries = self._entries, []
        return [item for _, _, item in entries]

    def pop_due(self, now: float) -> Item | None:
        """Return the first item that is due, and remove it; None if none is."""
        entries = self._entries
        while entries:
            when, _, item = entries[0]
            is_void = self._is_void(when, item)
            if when > now and not is_void:
                break
            heapq.heappop(entries)
            if not is_void:
                return item
            self._void = max(0, self._void - 1)
        return None
