"""Tasks of a plain process, in which one loop comes after the other."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

START = """
import asyncio, json, threading
from nbsession import state

going, gate, ran = threading.Event(), threading.Event(), []

def slow():
    ran.append(1)
    going.set()
    assert gate.wait(30)

async def until(is_so):
    while not is_so():
        await asyncio.sleep(0.01)

def rows(task):
    return [run for run in task.history(100) if run.state in ("succeeded", "lost", "queued")]
"""

LOST = """
async def first(overlap):
    task = state.schedule_task('slow', slow, period='20ms', threaded=True, overlap=overlap)
    await until(lambda: len(rows(task)) == (overlap == 'queue') and going.is_set())
    return task

async def second(task, overlap):
    state.schedule_task('other', print, cron='0 0 1 1 *', replace=True)
    found = {run.id: (run.state, run.reason) for run in rows(task)}
    counts = task.run_count, task.error_count
    gate.set()
    before = len(ran)
    await until(lambda: len(ran) >= before + 3 and task.run_count >= 3)
    stayed = [run.state for run in task.history(1000) if run.id in found]
    state.cancel_task('slow')
    return [list(found.values()), counts, stayed]

told = []
for overlap in ('skip', 'queue'):
    going.clear()
    gate.clear()
    task = asyncio.run(first(overlap))
    told.append(asyncio.run(second(task, overlap)))
print(json.dumps(told))
"""


def _run(code: str) -> tuple[Any, str]:
    """Return the JSON that a plain process prints, and what it says on the side."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", START + code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(run.stdout), run.stderr


def test_what_ran_on_a_loop_that_has_ended_is_lost_and_its_task_goes_on() -> None:
    reason = "ended with its process"
    told, said = _run(LOST)
    assert told == [
        [[["lost", reason]], [1, 1], ["lost"]],
        [[["lost", reason]] * 2, [1, 1], ["lost"] * 2],
    ]
    assert said == ""
