"""The sessions of this server, with the callbacks and tasks of their kernels."""

from __future__ import annotations

import asyncio
import contextvars
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypedDict

from nbsession.core.schedule.instant import iso_text
from nbsession.core.session import SessionContext
from nbsession.core.tasks.schema import TaskJSON
from nbsession.core.validation import check_plain
from nbsession.server.errors import BadRequestError, NoSuchSessionError, SilentKernelError
from nbsession.server.validation import TASK_ACTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from logging import Logger

    from nbsession.server.request.records import SessionRecord, SessionRecords

    from .kernel_client import KernelRequests

BUSY_AFTER_SECONDS = 0.25

MAX_REPORT_BYTES = 1024 * 1024
MAX_ROWS = 500
"""Of callbacks and of tasks that are stored of one kernel's report."""

MAX_PERIOD_MS = 2**53
"""A page's number; a kernel's timer could not hold any."""

_MAX_DEPTH = 20
_CALLBACK = "id name period running counter count timeout skipped errors last_error last_duration"
_MEMBERS = {"callbacks": frozenset(_CALLBACK.split()), "tasks": frozenset(TaskJSON.__annotations__)}


Subscriber = Callable[[SessionContext], object]


class Lifecycle:
    """Notifies of the beginning and the end of every session, each exactly once.

    A session begins when its kernel's process is there and its visitor is known: a preheated kernel
    that waits for a visitor is none. A restart, also one after a crash, belongs to it.
    """

    def __init__(self, log: Logger) -> None:
        self._log = log
        self.live: dict[str, tuple[SessionContext, SessionRecord]] = {}
        """The sessions that live now by kernel id, the oldest first."""
        self._subscribers: list[tuple[Subscriber, Subscriber]] = []
        self._closed = False

    @property
    def sessions(self) -> tuple[SessionContext, ...]:
        """The sessions that live now, the oldest first."""
        return tuple(session for session, _ in self.live.values())

    def is_page_pending(self, kernel_id: str) -> bool:
        """Return whether the page of a kernel's session has yet to send its query."""
        return kernel_id in self.live and not self.live[kernel_id][1].is_settled("page")

    async def wait_for_page(self, kernel_id: str, seconds: float) -> None:
        """Wait until a session's page has sent its query, at most some seconds."""
        if kernel_id in self.live:
            await self.live[kernel_id][1].wait("page", seconds)

    def subscribe(self, on_started: Subscriber, on_ended: Subscriber) -> None:
        """Call with the `SessionContext` of every session that begins or ends from now on.

        Those that live already are in `sessions`.
        """
        self._subscribers.append((on_started, on_ended))

    def begin(self, record: SessionRecord) -> None:
        """Begin a kernel's session, unless it has begun already."""
        kernel_id = record.info.kernel_id
        if kernel_id is None or kernel_id in self.live or self._closed:
            return

        session = SessionContext(
            id=kernel_id,
            kernel_id=kernel_id,
            started_at=datetime.now(UTC),
            find_request=lambda: record.info.request,  # JupyterLab's page adds its query later
        )
        self.live[kernel_id] = session, record
        self._log.debug("nbsession: session %s has begun", session.id)
        self._notify(session, [on_started for on_started, _ in self._subscribers])

    def end(self, kernel_id: str) -> None:
        """End a kernel's session, if it has one."""
        if kernel_id in self.live:
            session, _ = self.live.pop(kernel_id)
            self._log.debug("nbsession: session %s has ended", session.id)
            ended = replace(session, ended_at=datetime.now(UTC))
            self._notify(ended, [on_ended for _, on_ended in self._subscribers])

    def close(self) -> None:
        """End every session, and begin none any more: a restart may end after the server did."""
        self._closed = True
        for kernel_id in tuple(self.live):
            self.end(kernel_id)

    def _notify(self, session: SessionContext, subscribers: Iterable[Subscriber]) -> None:
        for subscriber in subscribers:
            try:
                subscriber(session)
            except Exception:  # noqa: BLE001 - logged, and the others are called
                self._log.exception("nbsession: %r failed for session %s", subscriber, session.id)


class BusyKernels:
    """The kernels that are busy, or idle, for longer than a moment."""

    def __init__(self, changed: Callable[[str], object]) -> None:
        self._changed = changed
        self._busy: dict[str, bool] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def get(self, kernel_id: str) -> bool | None:
        """Return whether a kernel is busy; None if that is not known."""
        return self._busy.get(kernel_id)

    def set(self, kernel_id: str, *, busy: bool) -> None:
        """Set a kernel's present state, which counts once it has lasted a moment."""
        if self._busy.setdefault(kernel_id, False) == busy:
            self._cancel_timer(kernel_id)
        elif kernel_id not in self._timers:
            self._timers[kernel_id] = asyncio.get_running_loop().call_later(
                BUSY_AFTER_SECONDS, self._toggle, kernel_id, context=contextvars.Context()
            )

    def remove(self, kernel_id: str) -> None:
        """Drop a kernel that has ended."""
        self._cancel_timer(kernel_id)
        self._busy.pop(kernel_id, None)

    def _cancel_timer(self, kernel_id: str) -> None:
        timer = self._timers.pop(kernel_id, None)
        if timer is not None:
            timer.cancel()

    def _toggle(self, kernel_id: str) -> None:
        del self._timers[kernel_id]
        self._busy[kernel_id] = not self._busy[kernel_id]
        self._changed(kernel_id)


def checked_report(report: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows to store, each with the members that are known of it."""
    rows = {part: _rows(report[part], known) for part, known in _MEMBERS.items() if part in report}
    try:
        check_plain(rows, _MAX_DEPTH)
    except ValueError as error:
        raise BadRequestError(
            f"callbacks and tasks are JSON, nested {_MAX_DEPTH} deep at the most"
        ) from error
    if len(json.dumps(rows)) > MAX_REPORT_BYTES:
        raise BadRequestError(f"callbacks and tasks have {MAX_REPORT_BYTES:,} bytes at the most")
    return rows


def _rows(rows: object, known: frozenset[str]) -> list[dict[str, Any]]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadRequestError("callbacks and tasks are lists of objects")
    return [{name: row[name] for name in row if name in known} for row in rows[:MAX_ROWS]]


class SessionJSON(TypedDict):
    """A session. `started_at` is ISO 8601 in UTC with ``Z``.

    `app_url` is the page's path, without its query. `linked` is true once nbsession was loaded
    there, `busy` while its kernel has been busy for some time; None if that cannot be seen.
    `callbacks` are rows as the panel shows them, `tasks` those that the kernel runs itself, both of
    the kernel's last report.
    """

    kernel_id: str
    host_kind: str | None
    app_url: str | None
    user: dict[str, Any] | None
    started_at: str
    linked: bool
    busy: bool | None
    callbacks: list[dict[str, Any]]
    tasks: list[dict[str, Any]]


class ServerSessions:
    """The sessions that live, and the requests to their kernels."""

    def __init__(
        self, lifecycle: Lifecycle, records: SessionRecords, kernels: KernelRequests
    ) -> None:
        self._lifecycle = lifecycle
        self._records = records
        self._kernels = kernels
        self._listeners: list[Callable[[str], object]] = []
        self.busy_kernels = BusyKernels(self._notify)
        lifecycle.subscribe(self._changed, self._changed)

    def subscribe(self, on_change: Callable[[str], object]) -> None:
        """Call with the kernel id of every session that begins, ends or changes from now on."""
        self._listeners.append(on_change)

    def list(self) -> list[SessionJSON]:
        """Return the sessions that live now, the oldest first."""
        return [self._describe(*each) for each in self._lifecycle.live.values()]

    def find(self, kernel_id: str) -> SessionJSON | None:
        """Return one session by its kernel's last report; None if there is none."""
        found = self._lifecycle.live.get(kernel_id)
        return None if found is None else self._describe(*found)

    async def show(self, kernel_id: str) -> SessionJSON:
        """Return a session by a new report of its kernel; by the last one if that is silent."""
        found = self.find(kernel_id)
        if found is not None and found["linked"]:  # else there is nobody who would answer
            with suppress(SilentKernelError, BadRequestError):
                report = await self._kernels.request(kernel_id, {"action": "describe"})
                self._store(kernel_id, report)
            found = self.find(kernel_id)  # it may have ended meanwhile
        if found is None:
            raise NoSuchSessionError(kernel_id)
        return found

    async def set_callback(
        self, kernel_id: str, callback_id: str, change: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Start or stop a periodic callback, or give it another period."""
        running, period = change.get("running"), change.get("period")
        is_period = type(period) is int and 0 < period <= MAX_PERIOD_MS
        if not (
            (set(change) == {"running"} and isinstance(running, bool))
            or (set(change) == {"period"} and is_period)
        ):
            raise BadRequestError(
                'the body must be {"running": true}, {"running": false} or {"period": 500}'
            )
        return await self._request(
            kernel_id, {"action": "callback", "id": callback_id, "set": dict(change)}
        )

    async def act_on_task(self, kernel_id: str, name: str, action: str) -> dict[str, Any]:
        """Run, pause, resume or cancel a task that a kernel runs itself."""
        if action not in TASK_ACTIONS:
            raise BadRequestError(
                f"no action {action!r} on a task; there are {', '.join(TASK_ACTIONS)}"
            )
        return await self._request(kernel_id, {"action": "task", "name": name, "order": action})

    async def _request(self, kernel_id: str, content: Mapping[str, Any]) -> dict[str, Any]:
        found = self.find(kernel_id)
        if found is None:
            raise NoSuchSessionError(kernel_id)
        if not found["linked"]:
            raise SilentKernelError(
                f"kernel {kernel_id} has not loaded nbsession: nobody there would answer"
            )
        reply = await self._kernels.request(kernel_id, content)
        return {name: value for name, value in reply.items() if name != "status"}

    def store_report(self, kernel_id: str, report: Mapping[str, Any]) -> None:
        """Store a kernel's report of its callbacks and tasks."""
        self._store(kernel_id, report)
        self._notify(kernel_id)

    def remove_report(self, kernel_id: str) -> None:
        """Drop the report of a kernel's process that has ended."""
        record = self._records.get(kernel_id)
        if record is not None and record.reported:
            record.reported.clear()
            self._notify(kernel_id)

    def _store(self, kernel_id: str, report: Mapping[str, Any]) -> None:
        rows = checked_report(report)
        record = self._records.get(kernel_id)
        if record is not None:
            record.reported.update(rows)

    def _describe(self, session: SessionContext, record: SessionRecord) -> SessionJSON:
        kernel_id, info, user = str(session.kernel_id), record.info, record.info.user
        return {
            "kernel_id": kernel_id,
            "host_kind": info.request.host_kind if info.request is not None else None,
            "app_url": info.app_url,
            "user": {"username": user.username, "display_name": user.display_name}
            if user is not None
            else None,
            "started_at": iso_text(session.started_at),
            "linked": record.linked,
            "busy": self.busy_kernels.get(kernel_id),
            "callbacks": record.reported.get("callbacks", []),
            "tasks": record.reported.get("tasks", []),
        }

    def _changed(self, session: SessionContext) -> None:
        self._notify(str(session.kernel_id))

    def _notify(self, kernel_id: str) -> None:
        for listener in self._listeners:
            listener(kernel_id)
