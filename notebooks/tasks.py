"""Tasks for a server: functions for notebooks to import, and a setup script.

Given to a server, it also says when they run, before anybody opens a notebook::

    jupyter lab --NBSession.setup=tasks.py
    voila dashboard.ipynb --NBSession.setup=tasks.py

It runs in a process of its own beside the server, and again whenever it is saved.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from datetime import UTC, datetime
from pathlib import Path

from nbsession import state

RATES = Path(__file__).with_name("rates.json")


async def fetch_rates() -> None:
    """Put today's rates where every dashboard finds them."""
    rates = {}
    currencies = ["CHF", "GBP", "JPY", "USD"]
    for number, currency in enumerate(currencies, 1):
        await asyncio.sleep(0.2)  # a real one asks somebody
        rates[currency] = round(random.uniform(0.9, 1.1), 4)  # noqa: S311 - play money
        if state.run:
            state.run.progress(number / len(currencies), currency)
    rates["at"] = datetime.now(UTC).isoformat(timespec="seconds")
    RATES.write_text(json.dumps(rates))
    print("new rates:", rates)


def clean_up(folder: str, days: int = 7) -> int:
    """Delete what has grown old in a folder; return how much that was."""
    old = time.time() - days * 86_400
    found = [path for path in Path(folder).glob("*.tmp") if path.stat().st_mtime < old]
    for path in found:
        path.unlink()
    print(f"{len(found)} old files deleted in {folder}")
    return len(found)


def visitor_came(session):
    """Tell of a session; a cookie or header of its visitor would be in session.request."""
    kind = session.request.host_kind if session.request else "a program"
    state.log(f"{kind} has opened session {session.id}")


def visitor_left(session):
    """Also called for a kernel that was killed: it runs beside the server, not in the kernel."""
    seconds = (session.ended_at - session.started_at).total_seconds()
    state.log(f"session {session.id} has ended after {seconds:.0f} s")


if __name__ == "__main__":  # as a setup script, not when a notebook imports it
    state.schedule_task("rates", fetch_rates, period="10m", retries=3, timeout=60)
    state.schedule_task(
        "clean-up",
        clean_up,
        cron="0 3 * * mon-fri",
        tz="Europe/Berlin",
        args=(str(RATES.parent),),
        misfire="skip",
    )
    state.on_session_created(visitor_came)
    state.on_session_destroyed(visitor_left)
