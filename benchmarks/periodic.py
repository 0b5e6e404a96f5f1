"""Periodic callbacks: how exact, how cheap and how many, each sample in a fresh kernel."""

from __future__ import annotations

from functools import partial

import table
from servers import Host, fresh_kernel, running, sample_in

ROUNDS = 5
TICKS = 1000
MANY, PERIOD_MS, SECONDS = 1000, 10, 3
OURS = "nbsession: add_periodic_callback"
PEER = "peer: Panel's add_periodic_callback"
LIMIT = "limit: loop.call_at by hand, on a grid"
DRIFT, SKIPPED, CPU = "drift ms per 1000 ticks", "skipped ticks", "CPU µs per tick"
RATE = "of 1,000: ticks/s"
MANY_WALL, MANY_CPU = "of 1,000: wall µs per tick", "of 1,000: CPU µs per tick"

# Of each tick, how late it is by the grid of the first one; a skipped tick keeps its place in the
# grid. From the median of the first tenth to that of the last: one late tick is no drift.
_TIMED = f"""
import asyncio, json, statistics, time

def add(callback, count=None):
{{add}}

async def one():
    times, period, ended = [], {PERIOD_MS / 1000}, asyncio.Event()

    def tick():
        times.append((time.perf_counter(), {{skipped}}))
        if len(times) == {TICKS}:
            ended.set()

    cpu = time.process_time()
    stop = add(tick)
    await ended.wait()
    cpu = time.process_time() - cpu
    stop()
    late = [at - (number + skipped) * period for number, (at, skipped) in enumerate(times)]
    tenth = len(late) // 10
    drift = statistics.median(late[-tenth:]) - statistics.median(late[:tenth])
    return {{{{
        {DRIFT!r}: 1e3 * abs(drift) * 1000 / (0.9 * len(times)),
        {SKIPPED!r}: times[-1][1],
        {CPU!r}: 1e6 * cpu / len(times),
    }}}}

async def many():
    count, stops = 0, []

    def tick():
        nonlocal count
        count += 1

    for _ in range({MANY}):
        stops.append(add(tick))
    await asyncio.sleep(0.5)  # they have all begun
    first, start, cpu = count, time.perf_counter(), time.process_time()
    await asyncio.sleep({SECONDS})
    ticks, took, cpu = count - first, time.perf_counter() - start, time.process_time() - cpu
    for stop in stops:
        stop()
    return {{{{
        {RATE!r}: ticks / took,
        {MANY_WALL!r}: 1e6 * took / ticks,
        {MANY_CPU!r}: 1e6 * cpu / ticks,
    }}}}

found = await one()
found |= await many()
print(json.dumps(found))
"""

_OURS = "%load_ext nbsession\nadded = []\n" + _TIMED.format(
    add=f"""
    periodic = state.add_periodic_callback(callback, period={PERIOD_MS})
    added.append(periodic)
    return periodic.stop
""",
    skipped="added[0].skipped",
)
_PEER = "import panel as pn\n" + _TIMED.format(
    add=f"    return pn.state.add_periodic_callback(callback, period={PERIOD_MS}).stop",
    skipped="0",
)
_LIMIT = """
class Timer:
    skipped = 0

    def __init__(self, callback, period):
        self.callback, self.period = callback, period
        self.loop = asyncio.get_running_loop()
        self.due = self.loop.time()
        self.plan()

    def plan(self):
        self.due += self.period
        now = self.loop.time()
        if self.due < now:
            missed = int((now - self.due) / self.period) + 1
            self.skipped += missed
            self.due += missed * self.period
        self.handle = self.loop.call_at(self.due, self.tick)

    def tick(self):
        self.callback()
        self.plan()

    def stop(self):
        self.handle.cancel()

added = []
""" + _TIMED.format(
    add=f"""
    added.append(Timer(callback, {PERIOD_MS / 1000}))
    return added[-1].stop
""",
    skipped="added[0].skipped",
)


def _sample(host: Host, code: str) -> table.Sample:
    with fresh_kernel(host) as client:
        return sample_in(client, code)


def _times(report: table.Report, case: str, base: str, column: str) -> str:
    return f"{report.median(case, column) / report.median(base, column):.3g}"


def measure(rounds: int | None = None) -> table.Report:
    """Measure one callback of 10 ms, then a thousand of them."""
    report = table.Report(f"Periodic callbacks of {PERIOD_MS} ms in a kernel")
    with running("server") as host:
        codes = {OURS: _OURS, PEER: _PEER, LIMIT: _LIMIT}
        cases = {case: partial(_sample, host, code) for case, code in codes.items()}
        report.take(cases, rounds or ROUNDS)
    report.expect("one callback: drift, ms per 1000 ticks", OURS, DRIFT, 1)
    report.expect("one callback: CPU, µs per tick", OURS, CPU, 200)
    report.expect("a thousand: wall µs per tick (20 µs: 50,000 ticks/s)", OURS, MANY_WALL, 20)
    report.notes += [
        f"{base}: nbsession has {_times(report, OURS, base, RATE)} times its ticks/s "
        f"for {_times(report, OURS, base, MANY_CPU)} times its CPU per tick; "
        f"for one callback {_times(report, OURS, base, CPU)} times"
        for base in (PEER, LIMIT)
    ]
    return report


if __name__ == "__main__":
    table.main(measure)
