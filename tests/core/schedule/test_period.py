from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbsession.core.schedule.period import LONGEST_US, format_period, parse_period

SECOND = 1_000_000


@pytest.mark.parametrize(
    ("text", "period_us", "canonical"),
    [
        ("10m", 600 * SECOND, "10m"),
        ("1h30m", 5400 * SECOND, "1h30m"),
        ("90m", 5400 * SECOND, "1h30m"),
        ("0.5s", SECOND // 2, "500ms"),
        ("200ms", 200_000, "200ms"),
        ("100ms", 100_000, "100ms"),
        ("1.5s", 1_500_000, "1.5s"),
        ("1s500ms", 1_500_000, "1.5s"),
        ("1500ms", 1_500_000, "1.5s"),
        ("1d", 86_400 * SECOND, "1d"),
        ("24h", 86_400 * SECOND, "1d"),
        ("1w2d3h4m5.5s", 788_645_500_000, "1w2d3h4m5.5s"),
        ("1w2d3h4m5s6ms", 788_645_006_000, "1w2d3h4m5.006s"),
        ("0w1s", SECOND, "1s"),
        ("007s", 7 * SECOND, "7s"),
        ("0.000001s", 1, "0.000001s"),
        ("0.1000000000s", 100_000, "100ms"),
        ("520000w", LONGEST_US, "520000w"),
    ],
)
def test_what_the_grammar_takes(text: str, period_us: int, canonical: str) -> None:
    assert parse_period(text) == period_us
    assert format_period(period_us) == canonical


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "foo", "daily", "P1D", "PT1H", "1", "s", "1x", "1y", "1min", "1sec", "1 ms"),
        *("10 minutes", "1h 30m", "2 s", " 2s", "2s ", "2s\n", "\n2s", "1h,30m", "1h_30m"),
        *("1H", "1M", "1S", "1MS", "1Ms"),
        *("1.5h", "1.5m", "1.5d", "1.5w", "1.5ms", "1,5s", ".5s", "5.s", "1..5s", "1e3s", "0x1s"),
        *("-1s", "+1s", "1h-30m", "1s-1ms", "--1s"),
        *("30m1h", "1s1m", "1ms1s", "1s1s", "1m1m", "1h1h"),
        *("0s", "0.0s", "0ms", "0w0d0h0m0s0ms"),
        *("0.0000001s", "1.0000005s"),
        *("520000w1ms", "999999999999999w", "9" * 5000 + "s"),
        *("\u0661s", "1\uff10s", "1\uff53", "\u00b2s", "1s\x00", "nan", "inf", "1_000s"),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"period=.*(write it as '10m'|decimals|shorter)"):
        parse_period(text)


def test_timedeltas() -> None:
    assert parse_period(timedelta(minutes=10)) == 600 * SECOND
    assert parse_period(timedelta(days=-1, hours=25, microseconds=1)) == 3600 * SECOND + 1
    for wrong in (timedelta(0), timedelta(microseconds=-1), timedelta.max):
        with pytest.raises(ValueError, match="period="):
            parse_period(wrong)


@pytest.mark.parametrize("number", [5, 0.5, 0, -1, 1e-9, 1e300, float("nan")])
def test_a_bare_number_has_no_unit(number: float) -> None:
    with pytest.raises(TypeError, match="has no unit"):
        parse_period(number)


@pytest.mark.parametrize("number", [5, 0.5, 0, -1, 1e-9, 1e300])
def test_what_is_taught_is_right(number: float) -> None:
    with pytest.raises(TypeError) as refused:
        parse_period(number)
    taught = re.findall(r"'(\w[^']*)'", str(refused.value))
    assert taught
    for text in taught:
        assert parse_period(text) > 0


@pytest.mark.parametrize("thing", [None, True, b"1s", ["1s"], object(), Fraction(1, 2)])
@pytest.mark.parametrize("kind", [TypeError, ValueError])
def test_other_types(thing: object, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=f"is of type {type(thing).__name__}.*or use a timedelta"):
        parse_period(thing)


@settings(database=None, derandomize=True)
@given(st.integers(1, LONGEST_US) | st.integers(1, 10**7))
def test_any_period_is_read_back(period_us: int) -> None:
    assert parse_period(format_period(period_us)) == period_us
    assert parse_period(timedelta(microseconds=period_us)) == period_us


COUNT = st.none() | st.integers(0, 10_000)
SECONDS = COUNT | st.decimals(0, 10_000, places=6)


@settings(database=None, derandomize=True)
@given(st.tuples(COUNT, COUNT, COUNT, COUNT, SECONDS, COUNT))
def test_any_text_of_the_grammar(counts) -> None:
    units = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1, "ms": Fraction(1, 1000)}
    said = [(n, unit) for n, unit in zip(counts, units, strict=True) if n is not None]
    text = "".join(f"{n}{unit}" for n, unit in said)
    length = sum(Fraction(n) * units[unit] for n, unit in said)
    if length:
        assert parse_period(text) == length * SECOND
    else:
        with pytest.raises(ValueError, match="write it as"):
            parse_period(text)
