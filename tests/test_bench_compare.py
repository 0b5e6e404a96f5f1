"""The judgement of `make bench-compare`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

_PATH = Path(__file__).parent.parent / "benchmarks" / "compare.py"


@pytest.fixture(scope="module")
def compare() -> Any:
    spec = importlib.util.spec_from_file_location("bench_compare", _PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_compare"] = module  # where dataclasses look
    spec.loader.exec_module(module)
    return module


BASE = [100, 101, 99, 103, 98, 100, 100]


@pytest.mark.parametrize(
    ("column", "base", "head", "verdict"),
    [
        ("ms", BASE, BASE, "same"),
        ("ms", BASE, [104.9] * 7, "same"),  # outside of the spread, but not by 5 %
        ("ms", BASE, [105.1] * 7, "REGRESSION"),
        ("ms", [*BASE[:-1], 120], [110] * 7, "same"),  # 10 % worse, but the base has done that too
        ("ms", BASE, [90, 91, 92, 107, 108, 109, 110], "REGRESSION"),  # the median counts
        ("ms", BASE, [50] * 7, "better"),
        ("ms", [*BASE[:-1], 40], [50] * 7, "same"),
        ("fires/s", BASE, [94] * 7, "REGRESSION"),
        ("claimed and finished per s", BASE, [94] * 7, "REGRESSION"),
        ("fires/s", BASE, [110] * 7, "better"),
        ("fires/s", BASE, [96] * 7, "same"),
        ("drift ms", [0, 0, 0], [0, 0, 0], "same"),
        ("drift ms", [0, 0, 0], [1, 1, 1], "REGRESSION"),
        ("drift ms", [-2, -2, -2], [-1, -1, -1], "REGRESSION"),
        ("ms", [1.0], [], "only in base"),
        ("ms", [], [1.0], "only in head"),
    ],
)
def test_verdicts(
    compare: Any, column: str, base: list[float], head: list[float], verdict: str
) -> None:
    assert compare.Comparison(f"busy: nbsession: {column}", base, head).verdict == verdict


def test_what_is_not_ours_is_not_judged(compare: Any) -> None:
    for case in ("limit: by hand", "peer: Panel", "bare: call_at", "stock JupyterLab"):
        assert compare.Comparison(f"busy: {case}: ms", [1] * 7, [9] * 7).verdict == "reference"


def test_measures_of_both_are_shown(compare: Any) -> None:
    base = {"busy: nbsession: ms": BASE, "busy: old: ms": [1.0, 3.0, 2.0]}
    head = {"busy: nbsession: ms": [200.0] * 7, "busy: new: ms": [0.5]}
    found = compare.compare(base, head)
    assert [each.measure for each in found] == [*base, "busy: new: ms"]
    header, first, second, third = compare.table(found).splitlines()
    assert header.split()[0] == "measure"
    assert first.split()[-6:] == ["100", "[98,", "103]", "200", "2.000", "REGRESSION"]
    assert second.split()[-7:] == ["2", "[1,", "3]", "-", "-", "only", "in", "base"][-7:]
    assert third.split()[-5:] == ["0.5", "-", "only", "in", "head"]
