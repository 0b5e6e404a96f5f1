"""The scheduler's engine in memory: what tasks and fires cost, each sample in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import table

ROUNDS = 5
OURS = "nbsession: Engine, memory, inline"
PANEL = "peer: Panel's schedule_task"
APSCHEDULER = "peer: APScheduler 3, AsyncIOScheduler"
LIMIT = "limit: a heap and loop.call_at by hand"
CASES = {OURS: "ours", PANEL: "panel", APSCHEDULER: "apscheduler", LIMIT: "call_at"}
ADD_10K, ADD_100K = "add of 10,000: CPU µs", "add of 100,000: CPU µs"
DECLARE, MEMORY = "to declare it: CPU µs", "B per idle task"
FIRE, AT_ONCE = "1,000 of 1 s: CPU µs per fire", "1,000 at once: p99 late ms"
LATE, DRIFT = "one of 10 ms: late ms", "drift ms per 1000 ticks"

_SAMPLE = Path(__file__).with_name("engine_sample.py")


def _part(scheduler: str, part: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, _SAMPLE, scheduler, part], check=True, capture_output=True, text=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _sample(scheduler: str) -> table.Sample:
    small, large = _part(scheduler, "add 10000"), _part(scheduler, "add 100000")
    ticks = _part(scheduler, "late")
    return {
        ADD_10K: small["add"],
        ADD_100K: large["add"],
        DECLARE: large["declare"],
        MEMORY: _part(scheduler, "memory")["memory"],
        FIRE: _part(scheduler, "fire")["fire"],
        AT_ONCE: _part(scheduler, "at once")["at once"],
        LATE: ticks["late"],
        DRIFT: ticks["drift"],
    }


def measure(rounds: int | None = None) -> table.Report:
    """Measure what a task costs that waits, and one that is due."""
    report = table.Report("The scheduler's engine, with a memory store and an inline executor")
    cases = {case: partial(_sample, scheduler) for case, scheduler in CASES.items()}
    report.take(cases, rounds or ROUNDS)
    limits = {ADD_10K: 5, ADD_100K: 5, MEMORY: 800, FIRE: 45, AT_ONCE: 10, DRIFT: 1}
    for column, limit in limits.items():
        report.expect(column, OURS, column, limit)
    report.expect_ratio(f"{LATE}, times the bare loop's", OURS, LIMIT, LATE, 1.2)
    report.notes.append(f"{DECLARE}: checking what is declared, which is part of Panel's add")
    return report


if __name__ == "__main__":
    table.main(measure)
