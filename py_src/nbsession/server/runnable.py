"""Which tasks this server has everything for."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from nbsession.core.target import Home
    from nbsession.core.task_spec import TaskSpec

_FRESH_SECONDS = 1.0


class RunnableHomes:
    """Tells whether tasks can run here; looks at the disk once a second and home at most.

    Parameters
    ----------
    setups
        Paths of the setup scripts that are this server's.
    python
        The interpreter of all workers; None for each home's own.
    """

    def __init__(self, setups: Collection[str], python: str | None) -> None:
        self._setups = frozenset(setups)
        self._python = python
        self._seen: dict[Home, tuple[float, bool]] = {}

    def can_run(self, spec: TaskSpec) -> bool:
        """Return whether this server has a task's setup script, folder and interpreter."""
        home = spec.home
        if home is None:
            return False
        now = time.monotonic()
        until, found = self._seen.get(home, (0.0, False))
        if now >= until:
            found = self._is_here(home)
            self._seen[home] = now + _FRESH_SECONDS, found
        return found

    def _is_here(self, home: Home) -> bool:
        if home.setup is not None and home.setup not in self._setups:
            return False
        # Path.is_dir raises for what cannot be reached, and one home must not hide all the others.
        is_there = all(map(os.path.isdir, (home.folder, home.directory)))
        return is_there and os.access(self._python or home.python, os.X_OK)
