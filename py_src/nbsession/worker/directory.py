"""The working directory of a worker, which all of its runs share."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nbsession.worker.output.capture import current_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbsession.worker.output.capture import RunOutput

_WARNING = (
    "nbsession: this run has changed the working directory of its worker, which other tasks share; "
    "it is changed back when no run is going. Use process=True, which gives each run a process of "
    "its own, or absolute paths.\n"
)


class WorkingDirectory:
    """Warns of runs that change the directory of all, and changes it back between runs."""

    def __init__(self) -> None:
        self.path: str | None = None
        self._warned: set[RunOutput] = set()
        self._chdir: Callable[[Any], None] = os.chdir

    def watch(self) -> None:
        """Warn of changes from now on; each run once, in its own output."""
        self.path = _current()
        for name in ("chdir", "fchdir"):
            change = getattr(os, name, None)
            if change is not None:
                setattr(os, name, self._warning(change))

    def restore(self) -> None:
        """Go back; no run may be going."""
        self._warned.clear()
        if self.path is not None and _current() != self.path:
            with suppress(OSError):  # it has been removed
                self._chdir(self.path)

    def _warning(self, change: Callable[[Any], None]) -> Callable[[Any], None]:
        def chdir(path: Any) -> None:
            change(path)
            output = current_output.get()  # which threads of a run have too
            if output is None or output in self._warned or _current() == self.path:
                return
            self._warned = {each for each in self._warned if not each.is_closed} | {output}
            sys.stderr.write(_WARNING)

        chdir.__name__ = chdir.__qualname__ = change.__name__
        chdir.__doc__ = change.__doc__
        return chdir


def _current() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - at the end of every run
    except OSError:  # it has been removed
        return None
