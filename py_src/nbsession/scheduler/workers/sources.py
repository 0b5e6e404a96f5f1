"""The source files that a worker has read, and changes of them since then."""

from __future__ import annotations

import os
import time

Stamp = tuple[int, int, int]
"""A file's time of change in ns, size in bytes, and inode: editors write a new file."""

_MAX_FILES = 20_000
_SHARE = 0.05
"""The part of the time that may be spent on looking for changes."""


def stamp_of(path: str) -> Stamp | None:
    """Return what tells one state of a file from another; None if it is not there."""
    try:
        status = os.stat(path)  # noqa: PTH116 - called for every file each second
    except (OSError, ValueError):  # a path that cannot be one
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


class WorkerSources:
    """The source files that one worker has read."""

    def __init__(self) -> None:
        self._stamps: dict[str, Stamp | None] = {}
        self._changed = False
        self._look_at = 0.0

    def add(self, path: str, stamp: Stamp | None) -> None:
        """Note a file as it was just before the worker read it."""
        if len(self._stamps) < _MAX_FILES or path in self._stamps:
            self._stamps[path] = stamp

    @property
    def changed(self) -> bool:
        """Return whether a file has changed since; looked up unless that was a moment ago."""
        begin = time.perf_counter()
        if not self._changed and begin >= self._look_at:
            self._changed = any(stamp_of(path) != old for path, old in self._stamps.items())
            end = time.perf_counter()
            self._look_at = end + (end - begin) / _SHARE
        return self._changed
