"""Schedules and states in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def schedule_text(schedule: Mapping[str, Any]) -> str:
    """Return a schedule as a line for people.

    Parameters
    ----------
    schedule
        As in `TaskSpec.schedule`.
    """
    parts = []
    if "period" in schedule:
        parts.append(f"every {schedule['period']}")
    if "cron" in schedule:
        parts.append(f"cron {schedule['cron']}")
    if "at" in schedule:
        parts.append(f"{'from' if parts else 'at'} {schedule['at']}")
    if "tz" in schedule:
        parts.append(f"({schedule['tz']})")
    return " ".join(parts) or "once"


def state_text(state: str, count: int | None) -> str:
    """Return what became of one occurrence or several in a row, as ``missed 99 times``.

    Parameters
    ----------
    state, count
        As in `Run`.
    """
    if count == 1:
        return state
    return f"{state} many times" if count is None else f"{state} {count} times"
