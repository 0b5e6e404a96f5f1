"""One benchmark on two commits, in turns: ``make bench-compare BASE=<commit>``.

A regression is a median that is more than 5 % worse and outside of what the base itself varied by.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOLERANCE = 0.05
REFERENCES = ("limit", "peer", "bare", "stock")
"""Cases that begin with these run none of our code."""

Rounds = Mapping[str, Sequence[float]]
"""The medians of each round, by measure: benchmark, case and column."""


@dataclass(frozen=True)
class Comparison:
    """One measure on both commits.

    Attributes
    ----------
    measure
        Its benchmark, case and column, the last with its unit.
    base, head
        The medians of the rounds; empty where a commit does not have the measure.
    """

    measure: str
    base: Sequence[float]
    head: Sequence[float]

    @property
    def is_rate(self) -> bool:
        """Whether more is better."""
        return self.measure.endswith(("/s", " per s"))

    @property
    def ratio(self) -> float:
        """The head's median as a multiple of the base's."""
        base, head = statistics.median(self.base), statistics.median(self.head)
        if base == head:
            return 1.0
        return head / base if base else float("inf")

    @property
    def verdict(self) -> str:
        """``REGRESSION``, ``better``, ``same``; ``only in …``, ``reference`` are not judged."""
        if not self.base or not self.head:
            return "only in base" if self.base else "only in head"
        if self.measure.split(": ", 1)[-1].startswith(REFERENCES):
            return "reference"
        sign = -1 if self.is_rate else 1
        base = [sign * value for value in self.base]
        head, middle = sign * statistics.median(self.head), statistics.median(base)
        change = abs(middle) * TOLERANCE
        if head > middle + change and head > max(base):
            return "REGRESSION"
        return "better" if head < middle - change and head < min(base) else "same"


def compare(base: Rounds, head: Rounds) -> list[Comparison]:
    """Return every measure of either commit, in the base's order."""
    measures = dict.fromkeys([*base, *head])
    return [Comparison(each, base.get(each, ()), head.get(each, ())) for each in measures]


def table(comparisons: Sequence[Comparison]) -> str:
    """Return the comparisons as text."""
    rows = [("measure", "base median [min, max]", "head median", "ratio", "verdict")]
    for each in comparisons:
        base = head = ratio = "-"
        if each.base:
            low, high = min(each.base), max(each.base)
            base = f"{statistics.median(each.base):.4g} [{low:.4g}, {high:.4g}]"
        if each.head:
            head = f"{statistics.median(each.head):.4g}"
        if each.base and each.head:
            ratio = f"{each.ratio:.3f}"
        rows.append((each.measure, base, head, ratio, each.verdict))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def main() -> None:
    """Run the benchmarks, print the table, and exit with 1 if anything is worse."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("base", help="a commit")
    options.add_argument("benchmarks", nargs="+", help="names of files in benchmarks/")
    options.add_argument("--rounds", type=int, default=7, help="of each commit")
    options.add_argument("--samples", type=int, help="of each case in a round")
    given = options.parse_args()
    base = _worktree(given.base)
    taken: dict[Path, dict[str, list[float]]] = {base: {}, ROOT: {}}
    for number in range(given.rounds):
        for name in given.benchmarks:
            for place in (base, ROOT):
                which = "base" if place == base else "head"
                print(f"{name}: {number + 1} of {given.rounds}, {which}", file=sys.stderr)
                for measure, median in _medians(place, name, given.samples).items():
                    taken[place].setdefault(measure, []).append(median)
    comparisons = compare(taken[base], taken[ROOT])
    print(table(comparisons))
    raise SystemExit(any(each.verdict == "REGRESSION" for each in comparisons))


def _medians(place: Path, name: str, samples: int | None) -> dict[str, float]:
    script = place / "benchmarks" / f"{name}.py"
    if not script.exists():
        if place == ROOT:
            raise SystemExit(f"there is no benchmark {name}: see benchmarks/")
        return {}
    rounds = [] if samples is None else ["--rounds", str(samples)]
    command = [str(place / ".venv" / "bin" / "python"), str(script), "--json", *rounds]
    done = subprocess.run(command, cwd=place, stdout=subprocess.PIPE, check=False, env=_env(place))
    if done.returncode:
        raise SystemExit(f"{script} ended with {done.returncode}")
    return {
        f"{name}: {case}: {column}": median
        for report in json.loads(done.stdout)["reports"]
        for case, columns in report["medians"].items()
        for column, median in columns.items()
    }


def _worktree(commit: str) -> Path:
    """Return a checkout of a commit with an environment of its own; kept for the next time."""
    sha = _run("git", "rev-parse", "--verify", f"{commit}^{{commit}}", cwd=ROOT).strip()
    place = ROOT / "build" / "bench-compare" / sha[:12]
    if not place.exists():
        _run("git", "worktree", "prune", cwd=ROOT)
        _run("git", "worktree", "add", "--detach", str(place), sha, cwd=ROOT)
    # What both commits need is to be of one version in both.
    frozen = _run(str(ROOT / ".venv/bin/python"), "-m", "pip", "freeze", "--exclude-editable")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write(frozen)
        constraints.flush()
        env = {**_env(place), "PIP_CONSTRAINT": constraints.name}
        command = ["make", "-C", str(place), "install", ".venv/.bench"]
        subprocess.run(command, env=env, stdout=sys.stderr, check=True)
    return place


def _env(place: Path) -> dict[str, str]:
    """Return this environment without what `make` adds for this checkout."""
    ours = str(ROOT / ".venv"), str(ROOT / "node_modules")
    paths = [p for p in os.environ.get("PATH", "").split(os.pathsep) if not p.startswith(ours)]
    path = os.pathsep.join([str(place / ".venv" / "bin"), *paths])
    dropped = ("PATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "VIRTUAL_ENV", "BASE")
    return {**{k: v for k, v in os.environ.items() if k not in dropped}, "PATH": path}


def _run(*command: str, cwd: Path | None = None) -> str:
    return subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, check=True, text=True).stdout


if __name__ == "__main__":
    main()
