"""Which runs a worker has begun: in memory that outlives it."""

from __future__ import annotations

import os
import tempfile
from mmap import mmap

COUNT = 4096
"""So many runs of one worker at once have a flag; the others count as begun."""


class BegunFlags:
    """One byte for each run, shared by a server and a worker.

    A message would cost more than many runs do, and what a worker had sent last could be lost with
    it.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = self.number = _open_file() if descriptor is None else descriptor
        try:
            self._bytes = mmap(self.descriptor, COUNT)
        except BaseException:
            os.close(self.descriptor)
            raise
        self._free = list(range(COUNT))

    def take(self) -> int | None:
        """Return the number of a flag that is not set; None if there is none left."""
        return self._free.pop() if self._free else None

    def give_back(self, number: int | None) -> None:
        """Let a flag be another run's."""
        if number is not None:
            self._bytes[number] = 0
            self._free.append(number)

    def set(self, number: int | None) -> None:
        """Note that a run has begun."""
        if number is not None:
            self._bytes[number] = 1

    def is_set(self, number: int | None) -> bool:
        """Return whether a run has begun, as far as that is known."""
        return number is None or self._bytes[number] == 1

    def close_file(self) -> None:
        """Close the descriptor; the memory stays."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def close(self) -> None:
        """Release the memory."""
        self.close_file()
        self._bytes.close()


def _open_file() -> int:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("nbsession")
    else:
        descriptor, path = tempfile.mkstemp()
        os.unlink(path)  # noqa: PTH108 - no pathlib for one call
    try:
        os.truncate(descriptor, COUNT)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
