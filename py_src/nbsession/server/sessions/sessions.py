"""The sessions of this server, with what goes on in their kernels."""

from __future__ import annotations

import asyncio
import contextvars
import json
import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from nbsession.core.schedule.instant import iso_text
from nbsession.core.tasks.schema import TaskJSON
from nbsession.server.errors import BadRequestError, NoSuchSessionError, SilentKernelError
from nbsession.server.validation import TASK_ACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbsession.core.session import SessionContext
    from nbsession.server.request.records import SessionRecords

    from .lifecycle import Lifecycle

TOLD_AFTER_SECONDS = 0.25


class BusyMarks:
    """Notes when kernels become busy and idle, and tells what has lasted a while.

    Lives on the server's event loop, and is touched by nothing else.
    """

    def __init__(self, changed: Callable[[str], object]) -> None:
        self._changed = changed
        self._marks: dict[str, bool] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def find(self, kernel_id: str) -> bool | None:
        """Return whether a kernel is busy; None if nothing is known of it."""
        return self._marks.get(kernel_id)

    def note(self, kernel_id: str, *, busy: bool) -> None:
        """Note what a kernel is now."""
        if self._marks.setdefault(kernel_id, False) == busy:
            self._stop(kernel_id)
        elif kernel_id not in self._timers:
            self._timers[kernel_id] = asyncio.get_running_loop().call_later(
                TOLD_AFTER_SECONDS, self._turn, kernel_id, context=contextvars.Context()
            )

    def forget(self, kernel_id: str) -> None:
        """Drop a kernel that has ended."""
        self._stop(kernel_id)
        self._marks.pop(kernel_id, None)

    def _stop(self, kernel_id: str) -> None:
        timer = self._timers.pop(kernel_id, None)
        if timer is not None:
            timer.cancel()

    def _turn(self, kernel_id: str) -> None:
        del self._timers[kernel_id]
        self._marks[kernel_id] = not self._marks[kernel_id]
        self._changed(kernel_id)


MAX_NEWS_BYTES = 1024 * 1024
MAX_ROWS = 500
"""Of callbacks and of tasks that are kept of one kernel's news."""

_MAX_DEPTH = 20
_CALLBACK = "id name period running counter count timeout skipped errors last_error last_duration"
_MEMBERS = {"callbacks": frozenset(_CALLBACK.split()), "tasks": frozenset(TaskJSON.__annotations__)}


def checked_news(news: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows that are kept, each with the members that are known of it."""
    told = {part: _rows(news[part], known) for part, known in _MEMBERS.items() if part in news}
    if not _is_plain(told):
        message = f"callbacks and tasks are JSON, nested {_MAX_DEPTH} deep at the most"
        raise BadRequestError(message)
    if len(json.dumps(told)) > MAX_NEWS_BYTES:
        message = f"callbacks and tasks have {MAX_NEWS_BYTES:,} bytes at the most"
        raise BadRequestError(message)
    return told


def _rows(rows: object, known: frozenset[str]) -> list[dict[str, Any]]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        message = "callbacks and tasks are lists of objects"
        raise BadRequestError(message)
    return [{name: row[name] for name in row if name in known} for row in rows[:MAX_ROWS]]


def _is_plain(value: object, depth: int = 0) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return not isinstance(value, float) or math.isfinite(value)
    return depth < _MAX_DEPTH and all(_is_plain(each, depth + 1) for each in value)


MAX_PERIOD_MS = 2**53
"""A page's number; a kernel's timer could not hold any."""


class Asks(Protocol):
    """Asks kernels; see `KernelRequests`."""

    async def ask(self, kernel_id: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return the content of a kernel's reply."""


class SessionJSON(TypedDict):
    """A session. `started_at` is ISO 8601 in UTC with ``Z``.

    `app_url` is the page's path, without its query. `linked` tells whether nbsession was ever
    loaded there, `busy` whether its kernel has been for some time; None if that cannot be seen.
    `callbacks` are rows as the panel shows them, `tasks` those that the kernel runs itself, both as
    the kernel last told.
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


class SessionBoard:
    """What can be asked and ordered of sessions; knows no HTTP.

    Lives on the server's event loop, and is touched by nothing else.
    """

    def __init__(self, lifecycle: Lifecycle, records: SessionRecords, kernels: Asks) -> None:
        self._lifecycle = lifecycle
        self._records = records
        self._kernels = kernels
        self._news: dict[str, dict[str, list[dict[str, Any]]]] = {}
        self._listeners: list[Callable[[str], object]] = []
        self.busy_marks = BusyMarks(self._tell)
        lifecycle.subscribe(self._changed, self._ended)

    def subscribe(self, on_change: Callable[[str], object]) -> None:
        """Call with the kernel id of every session that begins, ends or has news from now on."""
        self._listeners.append(on_change)

    def list(self) -> list[SessionJSON]:
        """Return the sessions that live now, the oldest first."""
        return [self._describe(session) for session in self._lifecycle.sessions]

    def find(self, kernel_id: str) -> SessionJSON | None:
        """Return one session as it was last told; None if there is none."""
        session = self._lifecycle.find(kernel_id)
        return None if session is None else self._describe(session)

    async def show(self, kernel_id: str) -> SessionJSON:
        """Ask a session's kernel what goes on there; if it is silent, what it told last."""
        found = self.find(kernel_id)
        if found is not None and found["linked"]:  # else there is nobody who would answer
            with suppress(SilentKernelError, BadRequestError):
                self._keep(kernel_id, await self._kernels.ask(kernel_id, {"action": "describe"}))
            found = self.find(kernel_id)  # it may have ended meanwhile
        if found is None:
            raise NoSuchSessionError(kernel_id)
        return found

    async def set_callback(
        self, kernel_id: str, callback_id: str, wanted: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Start or stop a periodic callback, or give it another period."""
        running, period = wanted.get("running"), wanted.get("period")
        is_period = type(period) is int and 0 < period <= MAX_PERIOD_MS
        if set(wanted) == {"running"} and isinstance(running, bool):
            change: dict[str, Any] = {"running": running}
        elif set(wanted) == {"period"} and is_period:
            change = {"period": period}
        else:
            message = 'the body must be {"running": true}, {"running": false} or {"period": 500}'
            raise BadRequestError(message)
        return await self._order(
            kernel_id, {"action": "callback", "id": callback_id, "set": change}
        )

    async def order_task(self, kernel_id: str, name: str, order: str) -> dict[str, Any]:
        """Run, pause, resume or cancel a task that a kernel runs itself; raises as the above."""
        if order not in TASK_ACTIONS:
            message = f"no action {order!r} on a task; there are {', '.join(TASK_ACTIONS)}"
            raise BadRequestError(message)
        return await self._order(kernel_id, {"action": "task", "name": name, "order": order})

    async def _order(self, kernel_id: str, content: Mapping[str, Any]) -> dict[str, Any]:
        found = self.find(kernel_id)
        if found is None:
            raise NoSuchSessionError(kernel_id)
        if not found["linked"]:
            message = f"kernel {kernel_id} has not loaded nbsession: nobody there would answer"
            raise SilentKernelError(message)
        reply = await self._kernels.ask(kernel_id, content)
        return {name: value for name, value in reply.items() if name != "status"}

    def note(self, kernel_id: str, news: Mapping[str, Any]) -> None:
        """Keep what a kernel tells of itself."""
        self._keep(kernel_id, news)
        self._tell(kernel_id)

    def forget_news(self, kernel_id: str) -> None:
        """Drop what a kernel's process has told that is gone now."""
        if self._news.pop(kernel_id, None) is not None:
            self._tell(kernel_id)

    def _keep(self, kernel_id: str, news: Mapping[str, Any]) -> None:
        told = checked_news(news)
        if self._records.get(kernel_id) is not None:
            self._news.setdefault(kernel_id, {}).update(told)

    def _describe(self, session: SessionContext) -> SessionJSON:
        kernel_id = str(session.kernel_id)
        record, request = self._records.get(kernel_id), session.request
        user = record.info.user if record is not None else None
        news = self._news.get(kernel_id, {})
        return {
            "kernel_id": kernel_id,
            "host_kind": request.host_kind if request is not None else None,
            "app_url": record.info.app_url if record is not None else None,
            "user": {"username": user.username, "display_name": user.display_name}
            if user is not None
            else None,
            "started_at": iso_text(session.started_at),
            "linked": record is not None and record.linked,
            "busy": self.busy_marks.find(kernel_id),
            "callbacks": news.get("callbacks", []),
            "tasks": news.get("tasks", []),
        }

    def _changed(self, session: SessionContext) -> None:
        self._tell(str(session.kernel_id))

    def _ended(self, session: SessionContext) -> None:
        self._news.pop(str(session.kernel_id), None)
        self._changed(session)

    def _tell(self, kernel_id: str) -> None:
        for listener in self._listeners:
            listener(kernel_id)
