"""What a kernel tells of itself: it may be anything, and other people are shown it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from nbsession.scheduler.wire import TaskJSON

from .refusals import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_NEWS_BYTES = 1024 * 1024
MAX_ROWS = 500
"""Of callbacks and of tasks that are kept of one kernel's news."""

_MAX_DEPTH = 20
_CALLBACK = "id name period running counter count timeout skipped errors last_error last_duration"
_MEMBERS = {"callbacks": frozenset(_CALLBACK.split()), "tasks": frozenset(TaskJSON.__annotations__)}


def checked_news(news: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows that are kept, each with the members that are known of it.

    Parameters
    ----------
    news
        ``{"callbacks": […], "tasks": […]}``, one of which may be missing.

    Raises
    ------
    BadRequestError
        If it is anything else, or more than `MAX_NEWS_BYTES` as JSON.
    """
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
