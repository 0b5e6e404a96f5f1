"""Changes of tasks, runs and sessions as events, a few per second."""

from __future__ import annotations

import contextvars
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbsession.core.errors import StoreError
from nbsession.core.schedule.instant import iso_text

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Mapping

    from jupyter_events import EventLogger

    from nbsession.core.tasks.run import Run

SECONDS_BETWEEN = 0.25
SECONDS_OF_GATHERING = 0.02
MAX_ROWS = 250


class ChangeFeed:
    """Gathers changes, and emits them at most every `SECONDS_BETWEEN`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        emit: Callable[[dict[str, Any]], object],
        has_listeners: Callable[[], bool],
        find_task: Callable[[str], Mapping[str, Any] | None],
        find_session: Callable[[str], Mapping[str, Any] | None],
    ) -> None:
        self._loop = loop
        self._emit = emit
        self._has_listeners = has_listeners
        self._find_task = find_task
        self._find_session = find_session
        self.serial = 0
        """Of the last event: a list that is read now has all changes up to it."""
        self._last = float("-inf")
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: dict[str, None] = {}
        self._runs: dict[int, dict[str, Any]] = {}
        self._sessions: dict[str, None] = {}

    def tasks_changed(self, names: Iterable[str], runs: Iterable[Run]) -> None:
        """Note that global tasks have changed or were removed, and the new state of runs."""
        if self._gathers():
            self._tasks.update(dict.fromkeys(names))
            self._runs.update((run.id, run.to_json(with_text=False)) for run in runs)

    def session_changed(self, kernel_id: str) -> None:
        """Note that a session has begun, ended or changed."""
        if self._gathers():
            self._sessions[kernel_id] = None

    def close(self) -> None:
        """Emit no more events."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _gathers(self) -> bool:
        if self._closed:
            return False
        if not self._has_listeners():
            self.serial += 1  # receivers of the next one see that one is missing
            return False
        self._flush_soon()
        return True

    def _flush_soon(self) -> None:
        if self._timer is None:
            when = max(self._loop.time() + SECONDS_OF_GATHERING, self._last + SECONDS_BETWEEN)
            # Not in the context of a visitor whose request happens to be served.
            self._timer = self._loop.call_at(when, self._flush, context=contextvars.Context())

    def _flush(self) -> None:
        self._timer, self._last = None, self._loop.time()
        names, runs, kernel_ids = self._tasks, self._runs, self._sessions
        self._tasks, self._runs, self._sessions = {}, {}, {}
        tasks = self._find_tasks(names)
        if self._tasks and not (tasks or runs or kernel_ids):
            return
        sessions = {each: self._find_session(each) for each in list(kernel_ids)[:MAX_ROWS]}
        self.serial += 1
        self._emit(
            {
                "serial": self.serial,
                "now": iso_text(datetime.now(UTC)),
                "tasks": [task for task in tasks.values() if task is not None],
                "removed": [name for name, task in tasks.items() if task is None],
                "runs": list(runs.values())[-MAX_ROWS:],
                "sessions": [session for session in sessions.values() if session is not None],
                "ended": [each for each, session in sessions.items() if session is None],
                "incomplete": max(len(names) - len(self._tasks), len(runs), len(kernel_ids))
                > MAX_ROWS,
            }
        )

    def _find_tasks(self, names: dict[str, None]) -> dict[str, Mapping[str, Any] | None]:
        tasks: dict[str, Mapping[str, Any] | None] = {}
        for name in list(names)[:MAX_ROWS]:
            try:
                tasks[name] = self._find_task(name)
            except StoreError:  # another server holds the database: each further task would wait
                self._tasks.update((each, None) for each in names if each not in tasks)
                self._flush_soon()
                break
        return tasks


SCHEMA_ID = "urn:nbsession:changes:v1"
_SCHEMA = Path(__file__).with_name("changes.yaml")


def register(logger: EventLogger) -> None:
    """Register our schema, once."""
    if SCHEMA_ID not in logger.schemas:
        logger.register_event_schema(_SCHEMA)


def has_listeners(logger: EventLogger) -> bool:
    """Return whether our event has a receiver; True if that cannot be known."""
    # jupyter_events checks these itself, but only when an event has been made.
    listeners = [
        getattr(logger, name, None) for name in ("_modified_listeners", "_unmodified_listeners")
    ]
    return bool(logger.handlers) or any(each is None or each.get(SCHEMA_ID) for each in listeners)
