"""The `state` of this process, if it is a worker: what the door of the package looks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .state import WorkerState

state: WorkerState | None = None
