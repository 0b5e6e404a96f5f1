"""Rows of a session's periodic callbacks and tasks, and their report to the server."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypedDict

from nbsession.core.callables import name_of, unwrap
from nbsession.core.errors import LinkError, LinkProtocolError, LinkRefusedError, LinkSizeError
from nbsession.core.text import well_formed
from nbsession.scheduler.api.task import schedule_text, state_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbsession.core.tasks.schema import TaskJSON
    from nbsession.kernel.callbacks.periodic import PeriodicCallback
    from nbsession.kernel.callbacks.registry import PeriodicCallbacks
    from nbsession.kernel.link.client import Link
    from nbsession.kernel.runtime.runtime import Runtime
    from nbsession.kernel.tasks.hosted import KernelTasks

_log = logging.getLogger("nbsession")

INTERVAL_SECONDS = 0.5
"""The least time between two reports to the server."""

MAX_ROWS = 500

_RETRY_SECONDS = 10.0

_MAX_ERROR_CHARACTERS = 2000
"""The rest of an error is in its cell, with its traceback."""


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


class ReportedCallback(CallbackRow):
    """A periodic callback as the server gets it."""

    errors: int
    last_duration: float | None


class TaskRow(TypedDict):
    """A task as a page shows it; js_src/shared/panel.ts has the same."""

    name: str
    schedule: str
    state: str
    next_run: str | None
    run_count: int
    error_count: int
    gap: str


class SessionReport(TypedDict):
    """Rows of callbacks and tasks, at most 500 of each."""

    callbacks: list[ReportedCallback]
    tasks: list[TaskJSON]


def callback_row(row_id: str, callback: PeriodicCallback) -> CallbackRow:
    """Return a callback as a page shows it."""
    error = callback.last_error
    row: CallbackRow = {
        "id": row_id,
        "name": name_of(unwrap(callback.callback).function)[1].replace("<locals>.", ""),
        "period": callback.period,
        "running": callback.running,
        "counter": callback.counter,
        "count": callback.count,
        "timeout": callback.timeout,
        "skipped": callback.skipped,
        "last_error": None if error is None else _error_text(error),
    }
    return well_formed(row)  # type: ignore[no-any-return]  # of the type that it is given


def _error_text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - the user's class
        text = ""
    name = type(error).__name__
    return (f"{name}: {text}" if text else name)[:_MAX_ERROR_CHARACTERS]


def task_row(task: TaskJSON) -> TaskRow:
    """Return a task as a page shows it."""
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


def report(callbacks: PeriodicCallbacks | None, tasks: KernelTasks | None) -> SessionReport:
    """Return the rows as they are now; on any thread."""
    items = callbacks.items()[:MAX_ROWS] if callbacks is not None else []
    return {
        "callbacks": [
            {
                **callback_row(str(number), callback),
                "errors": callback.errors,
                "last_duration": callback.last_duration,
            }
            for number, callback in items
        ],
        "tasks": well_formed(tasks.list()[:MAX_ROWS]) if tasks is not None else [],
    }


class Reporter:
    """Sends the session's report whenever it has changed, at most every `INTERVAL_SECONDS`.

    A thread does it, started by the first change; nobody waits for the server.
    """

    def __init__(self, link: Link, runtime: Runtime, read: Callable[[], SessionReport]) -> None:
        self._link = link
        self._read = read
        self._sent = report(None, None)
        self._changed = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        runtime.on_remove(self._close)

    def note_change(self) -> None:
        """Have the report sent again. From any thread, often."""
        if not self._changed.is_set():
            self._changed.set()
        if self._thread is None:
            self._start()

    def _close(self) -> None:
        self._read = lambda: report(None, None)  # the server must know that nothing is left
        self._closing.set()
        self._changed.set()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._closing.is_set() and self._link.usable:
                thread = threading.Thread(target=self._run, name="nbsession-report", daemon=True)
                with suppress(RuntimeError):  # no more threads: the next change tries again
                    thread.start()
                    self._thread = thread

    def _run(self) -> None:
        is_last = False
        while not is_last:
            self._changed.wait()
            self._changed.clear()
            is_last = self._closing.is_set()  # after that, or a close between them would be lost
            pause = INTERVAL_SECONDS
            try:
                self._send()
            except (LinkProtocolError, LinkRefusedError) as error:
                _log.debug("the server takes no reports of this session: %s", error)
                return
            except LinkSizeError as error:  # the same again would be too much too
                _log.debug("no report to the server: %s", error)
            except LinkError as error:
                _log.debug("no report to the server, trying again: %s", error)
                self._changed.set()
                pause = _RETRY_SECONDS
            except Exception:  # noqa: BLE001 - the user's code may be in it; the next one may go
                _log.exception("no report of this session to the server")
                pause = _RETRY_SECONDS
            if not is_last:
                self._closing.wait(pause)

    def _send(self) -> None:
        rows = self._read()
        if rows != self._sent:
            self._link.post("news", rows)
            self._sent = rows
