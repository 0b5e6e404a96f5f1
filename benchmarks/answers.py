"""How soon a server answers while its tasks block, crash, eat memory and flood."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from statistics import median, quantiles
from typing import TYPE_CHECKING

import psutil
import table
from servers import Host, running

from linked_tasks import FINAL, any_link, declaration, write_jobs

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from nbsession.kernel.link.client import Link

ROUNDS = 5
WATCH_SECONDS = 4.0
PAUSE_SECONDS = 0.004
MIB = 1024 * 1024

LIMIT_P99_MS = 50
LIMIT_RSS_MIB = 15

_JOBS = """
import ctypes, re

def tick():
    pass

def block():
    re.match(r"(a+)+$", "a" * 26 + "b")  # seconds in C that never let go of the interpreter

def crash():
    ctypes.string_at(0)

def eat():
    eaten = [bytearray(b"x") * 10_000_000 for _ in range(30)]

def flood():
    for _ in range(100):
        print("x" * 1_000_000)
"""
_BAD = ("block", "crash", "eat", "flood")


class _Watch:
    """A server that has tasks, and is asked for its status."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._folder: Path = write_jobs(host.root, _JOBS)
        self._process = psutil.Process(host.process.pid)
        self._link: Link = any_link(host)
        self._numbers = iter(range(sys.maxsize))
        _status_ms(host.http)
        self.rss_before = self._process.memory_info().rss
        self._link.post("tasks", declaration(self._folder, "tick", "tick", period="1s"))
        while not self._is_over("tick"):
            _status_ms(host.http)
        self.rss_after = self._process.memory_info().rss

    def sample(self, job: str | None, *, process: bool = False) -> table.Sample:
        """Return how soon the server answers while a job runs, again and again."""
        names: list[str] = []
        took_ms: list[float] = []
        ends = time.monotonic() + WATCH_SECONDS
        while time.monotonic() < ends:
            if job is not None and (not names or self._is_over(names[-1])):
                names.append(f"{job}{next(self._numbers)}")
                posted = declaration(self._folder, names[-1], job, process=process)
                self._link.post("tasks", posted)
            took_ms += [_status_ms(self._host.http) for _ in range(10)]
        for name in names:
            while not self._is_over(name):
                time.sleep(PAUSE_SECONDS)
            self._link.post(f"tasks/{name}/cancel", {})
        return _sample_of(took_ms)

    def _is_over(self, name: str) -> bool:
        runs = self._link.get(f"tasks/{name}/runs?limit=1")["runs"]
        return bool(runs) and runs[0]["state"] in FINAL


def measure(rounds: int | None = None) -> table.Report:
    """Measure how soon the server answers, beside no tasks and each kind of bad ones."""
    report = table.Report("GET api/status while tasks misbehave")
    with ExitStack() as stack:
        watch = _Watch(stack.enter_context(running("server")))
        bare = stack.enter_context(running("server"))
        cases = {"no task": lambda: _bare_sample(bare.http), "ticks": lambda: watch.sample(None)}
        for job in _BAD:
            cases[job] = lambda job=job: watch.sample(job)
            cases[f"{job}, process=True"] = lambda job=job: watch.sample(job, process=True)
        report.take(cases, rounds or ROUNDS)
        for case in list(cases)[2:]:
            report.expect(f"{case}: p99 [ms]", case, "p99 [ms]", LIMIT_P99_MS)
        grown = (watch.rss_after - watch.rss_before) / MIB
        report.expect_count("the server's memory for its scheduler [MiB]", grown, LIMIT_RSS_MIB)
    return report


def _bare_sample(http: httpx.Client) -> table.Sample:
    took_ms: list[float] = []
    ends = time.monotonic() + WATCH_SECONDS
    while time.monotonic() < ends:
        took_ms.append(_status_ms(http))
    return _sample_of(took_ms)


def _status_ms(http: httpx.Client) -> float:
    """Ask once, and leave the server alone for a moment."""
    time.sleep(PAUSE_SECONDS)
    begun = time.perf_counter()
    http.get("api/status").raise_for_status()
    return 1000 * (time.perf_counter() - begun)


def _sample_of(took_ms: list[float]) -> table.Sample:
    p99 = quantiles(took_ms, n=100, method="inclusive")[-1]
    return {"answer [ms]": median(took_ms), "p99 [ms]": p99, "slowest [ms]": max(took_ms)}


if __name__ == "__main__":
    table.main(measure)
