"""Samples taken in turns, the table that they make, and whether targets are met."""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version

Sample = Mapping[str, float]
"""One measurement: values by column; a column's name ends with its unit."""

_RESAMPLES = 2000
_PACKAGES = ("ipykernel", "jupyter_server", "voila", "panel", "ipywidgets", "anywidget")


@dataclass(frozen=True)
class Target:
    """A promise, and what was measured.

    Attributes
    ----------
    what
        In words, with the unit.
    value
        Of the medians, if `what` names no other.
    low, high
        The 95 % bootstrap interval of `value`: how far chance alone may move it.
    limit
        What `value` may be at most.
    """

    what: str
    value: float
    low: float
    high: float
    limit: float

    @property
    def verdict(self) -> str:
        """``pass``, ``FAIL``, or either with a mark where the interval spans the limit."""
        word = "pass" if self.value <= self.limit else "FAIL"
        return f"{word}{'?' if self.low <= self.limit < self.high else ''}"


@dataclass
class Report:
    """What one benchmark found.

    Attributes
    ----------
    title
        What is measured.
    samples
        By case, in the order in which the table shows them.
    targets, notes
        Below the table.
    load_averages
        Of the last minute, in each round: how busy the machine was.
    """

    title: str
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    targets: list[Target] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    load_averages: list[float] = field(default_factory=list)

    def take(self, cases: Mapping[str, Callable[[], Sample]], rounds: int) -> None:
        """Take a sample of every case in every round, each round in another order.

        On a machine that does other things too, what disturbs then disturbs every case alike. One
        more round goes before and is not counted: it compiles modules and fills the file cache.
        """
        order = random.Random(0)  # noqa: S311 - the same order in every run, no secret
        self.samples = {case: [] for case in cases}
        for number in range(rounds + 1):
            print(f"\r  round {number} of {rounds} ", end="", file=sys.stderr, flush=True)
            for case in order.sample(list(cases), len(cases)):
                sample = cases[case]()
                if number:
                    self.samples[case].append(sample)
            self.load_averages.append(os.getloadavg()[0])
        print("\r" + " " * 24 + "\r", end="", file=sys.stderr, flush=True)

    def values(self, case: str, column: str) -> list[float]:
        """Return all that was measured of a case in one column."""
        return [sample[column] for sample in self.samples[case] if column in sample]

    def median(self, case: str, column: str) -> float:
        """Return the median of a case in one column."""
        return statistics.median(self.values(case, column))

    def expect(self, what: str, case: str, column: str, limit: float) -> None:
        """Promise that a case's median is at most `limit`."""
        self._expect(what, limit, lambda ours: ours, (case, column))

    def expect_over(self, what: str, case: str, base: str, column: str, limit: float) -> None:
        """Promise that a case's median is at most `limit` above that of another case."""
        self._expect(what, limit, lambda ours, bare: ours - bare, (case, column), (base, column))

    def expect_ratio(self, what: str, case: str, base: str, column: str, limit: float) -> None:
        """Promise that a case's median is at most `limit` times that of another case."""
        self._expect(what, limit, lambda ours, bare: ours / bare, (case, column), (base, column))

    def expect_quiet_ratio(
        self, what: str, case: str, base: str, column: str, limit: float
    ) -> None:
        """Promise the same of the lower quartiles: noise only adds, so these hold little of it."""
        places = (case, column), (base, column)
        self._expect(what, limit, lambda ours, bare: ours / bare, *places, middle=_lower_quartile)

    def expect_count(self, what: str, count: float, limit: float) -> None:
        """Promise that something was counted at most `limit` times in the whole run."""
        self.targets.append(Target(what, count, count, count, limit))

    def note_ratio(self, column: str, case: str, base: str) -> None:
        """Note how many times another case's median is that of a case."""
        times = self.median(base, column) / self.median(case, column)
        self.notes.append(f"{column}: {base} takes {times:.2g} times as long as {case}")

    def note_tails(self, column: str) -> None:
        """Note the 99th percentile of every case."""
        found = {case: self.values(case, column) for case in self.samples}
        told = [
            f"{case} {_digits(statistics.quantiles(values, n=100, method='inclusive')[-1])}"
            for case, values in found.items()
            if len(values) > 1
        ]
        self.notes.append(f"{column}, p99: {'; '.join(told)}")

    def _expect(
        self,
        what: str,
        limit: float,
        of: Callable[..., float],
        *places: tuple[str, str],
        middle: Callable[[list[float]], float] = statistics.median,
    ) -> None:
        columns = [self.values(*place) for place in places]
        chance = random.Random(0)  # noqa: S311 - the same interval for the same samples
        drawn = sorted(
            of(*(middle(chance.choices(column, k=len(column))) for column in columns))
            for _ in range(_RESAMPLES)
        )
        low, high = drawn[_RESAMPLES // 40], drawn[-_RESAMPLES // 40]
        self.targets.append(Target(what, of(*map(middle, columns)), low, high, limit))

    def to_json(self) -> dict[str, object]:
        """Return everything that was measured as JSON values."""
        return {
            "title": self.title,
            "load_averages": self.load_averages,
            "samples": {case: [*map(dict, taken)] for case, taken in self.samples.items()},
            "medians": {
                case: {column: self.median(case, column) for column in self._columns(case)}
                for case in self.samples
            },
            "targets": [{**asdict(target), "verdict": target.verdict} for target in self.targets],
            "notes": self.notes,
        }

    def __str__(self) -> str:
        columns = self._columns(*self.samples)
        rows = [["", *columns, "n"]]
        for case, taken in self.samples.items():
            cells = [self._cell(case, column) for column in columns]
            rows.append([case, *cells, str(len(taken))])
        widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
        busy = f"load average {min(self.load_averages):.1f} to {max(self.load_averages):.1f}"
        lines = [f"{self.title} ({busy})", ""]
        for row in rows:
            first, *others = (
                cell.ljust(width) if place == 0 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            lines.append("  " + "  ".join((first, *others)))
        lines.append("")
        lines += [
            f"  {target.verdict:5} {target.what}: {_digits(target.value)} "
            f"[{_digits(target.low)}, {_digits(target.high)}], at most {target.limit:g}"
            for target in self.targets
        ]
        lines += [f"  {note}" for note in self.notes]
        return "\n".join(lines)

    def _columns(self, *cases: str) -> list[str]:
        # dict keeps the order and drops repeats
        return list(dict.fromkeys(c for case in cases for s in self.samples[case] for c in s))

    def _cell(self, case: str, column: str) -> str:
        values = self.values(case, column)
        if not values:
            return "-"
        if len(values) == 1:
            return _digits(values[0])
        low, middle, high = map(_digits, statistics.quantiles(values, n=4, method="inclusive"))
        return f"{middle} ({low}..{high})"


def _lower_quartile(values: list[float]) -> float:
    return (
        statistics.quantiles(values, n=4, method="inclusive")[0] if len(values) > 1 else values[0]
    )


def _digits(value: float) -> str:
    """Return a number with three digits, or more before the point."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits


def environment() -> str:
    """Return in one line what was measured on."""
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return f"Python {platform.python_version()}, {os.cpu_count()} CPUs; {packages}"


def main(*benchmarks: Callable[[int | None], Report]) -> None:
    """Run benchmarks and print what they found; a missed target is told, not an error."""
    options = argparse.ArgumentParser(description="Medians (quartiles) of an interleaved run.")
    options.add_argument("--rounds", type=int, help="samples of each case")
    options.add_argument("--json", action="store_true", help="print every sample as JSON")
    given = options.parse_args()
    if not given.json:
        print(f"{environment()}\nmedian (quartiles); targets: value [95 % interval]\n", flush=True)
    reports = []
    for benchmark in benchmarks:
        report = benchmark(given.rounds)
        reports.append(report.to_json())
        if not given.json:
            print(report, end="\n\n", flush=True)
    if given.json:
        print(json.dumps({"environment": environment(), "reports": reports}, indent=2))
