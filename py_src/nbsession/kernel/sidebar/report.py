"""Telling the server when this session's periodic callbacks or tasks have changed."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypedDict

from nbsession.core.callables import name_of, unwrap
from nbsession.core.errors import LinkError, LinkProtocolError, LinkRefusedError, LinkSizeError
from nbsession.core.text import well_formed
from nbsession.scheduler.api.task import schedule_text, state_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbsession.core.tasks.schema import TaskJSON
    from nbsession.kernel.callbacks.periodic import PeriodicCallback
    from nbsession.kernel.callbacks.registry import PeriodicCallbacks
    from nbsession.kernel.link.client import Link
    from nbsession.kernel.runtime.runtime import Runtime
    from nbsession.kernel.tasks.hosted import KernelTasks

_ERROR_LENGTH = 2000
"""Of an error no more characters are shown: its traceback is in its cell."""


class CallbackRow(TypedDict):
    """A periodic callback as a page shows it; js_src/shared/panel.ts has the same."""

    id: str
    name: str
    period: int
    running: bool
    counter: int
    count: int | None
    timeout: int | None
    skipped: int
    last_error: str | None


def row_of(row_id: str, callback: PeriodicCallback) -> CallbackRow:
    """Return a callback as a page shows it."""
    error = callback.last_error
    row: CallbackRow = {
        "id": row_id,
        "name": _name_of(callback.callback),
        "period": callback.period,
        "running": callback.running,
        "counter": callback.counter,
        "count": callback.count,
        "timeout": callback.timeout,
        "skipped": callback.skipped,
        "last_error": None if error is None else _text_of(error),
    }
    return well_formed(row)  # type: ignore[no-any-return]  # of the type that it is given


def _name_of(callback: Callable[..., object]) -> str:
    return name_of(unwrap(callback).function)[1].replace("<locals>.", "")


def _text_of(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - the user's class
        text = ""
    name = type(error).__name__
    return (f"{name}: {text}" if text else name)[:_ERROR_LENGTH]


MAX_ROWS = 500


class SessionReport(TypedDict):
    """Rows of callbacks and tasks, at most 500 of each."""

    callbacks: list[dict[str, Any]]
    tasks: list[TaskJSON]


def report(parts: Mapping[str, Any]) -> SessionReport:
    """Return the rows as they are now; on any thread."""
    callbacks: PeriodicCallbacks | None = parts.get("periodic")
    tasks: KernelTasks | None = parts.get("tasks")
    items = callbacks.items()[:MAX_ROWS] if callbacks is not None else []
    return {
        "callbacks": [_callback(str(number), callback) for number, callback in items],
        "tasks": well_formed(tasks.list()[:MAX_ROWS]) if tasks is not None else [],
    }


def _callback(row_id: str, callback: PeriodicCallback) -> dict[str, Any]:
    return {
        **row_of(row_id, callback),
        "errors": callback.errors,
        "last_duration": callback.last_duration,
    }


INTERVAL_SECONDS = 0.5
"""The least time between two messages to the server."""

_AFTER_FAILURE_SECONDS = 10.0

_log = logging.getLogger("nbsession")


class SessionNews:
    """Sends the session's report whenever it has changed, at most every `INTERVAL_SECONDS`.

    A thread does it, started by the first change; nobody waits for the server.
    """

    def __init__(self, link: Link, runtime: Runtime, parts: Mapping[str, Any]) -> None:
        self._link = link
        self._parts = parts
        self._sent: SessionReport = {"callbacks": [], "tasks": []}
        self._changed = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        runtime.on_remove(self._close)

    def note(self) -> None:
        """Note that something has changed. From any thread, often."""
        if not self._changed.is_set():
            self._changed.set()
        if self._thread is None:
            self._start()

    def _close(self) -> None:
        self._parts = {}  # that nothing is left is told too
        self._closing.set()
        self._changed.set()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._closing.is_set() and self._link.usable:
                thread = threading.Thread(target=self._tell, name="nbsession-news", daemon=True)
                with suppress(RuntimeError):  # no more threads: the next change tries again
                    thread.start()
                    self._thread = thread

    def _tell(self) -> None:
        is_last = False
        while not is_last:
            self._changed.wait()
            self._changed.clear()
            is_last = self._closing.is_set()  # after that, or a close between them would be lost
            pause = INTERVAL_SECONDS
            try:
                self._send()
            except (LinkProtocolError, LinkRefusedError) as error:
                _log.debug("the server takes no news of this session: %s", error)
                return
            except LinkSizeError as error:  # the same again would be too much too
                _log.debug("no news for the server: %s", error)
            except LinkError as error:
                _log.debug("no news for the server, trying again: %s", error)
                self._changed.set()
                pause = _AFTER_FAILURE_SECONDS
            except Exception:  # noqa: BLE001 - the user's code may be in it; the next news may go
                _log.exception("no news of this session for the server")
                pause = _AFTER_FAILURE_SECONDS
            if not is_last:
                self._closing.wait(pause)

    def _send(self) -> None:
        news = report(self._parts)
        if news != self._sent:
            self._link.post("news", news)
            self._sent = news


class TaskRow(TypedDict):
    """A task as a page shows it; js_src/shared/panel.ts has the same."""

    name: str
    schedule: str
    state: str
    next_run: str | None
    run_count: int
    error_count: int
    gap: str


def _row(task: TaskJSON) -> TaskRow:
    gap = task.get("gap")
    row: TaskRow = {
        "name": task["name"],
        "schedule": schedule_text(task["schedule"]),
        "state": task["state"],
        "next_run": task["next_run"],
        "run_count": task["run_count"],
        "error_count": task["error_count"],
        "gap": "" if gap is None else state_text(gap["state"], gap["count"]),
    }
    return well_formed(row)  # type: ignore[no-any-return]  # of the type that it is given
