"""Numbers in the query of a request."""

from __future__ import annotations

import pytest

from nbsession.server.errors import BadRequestError
from nbsession.server.validation import MAX_RUNS, id_of, limit_of, seconds_of


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        (None, 20),
        ("1", 1),
        ("0000000001", 1),
        ("0" * 100 + "7", 7),
        ("00000000010000", 10_000),
        ("123456789012", MAX_RUNS),
        ("9" * 5000, MAX_RUNS),
    ],
)
def test_limits(text: str | None, limit: int) -> None:
    assert limit_of(text) == limit


@pytest.mark.parametrize(
    "text",
    ["", "0", "000", "-1", "+1", " 1", "1 ", "1_0", "1.0", "1e3", "x", "\u0663", "\u0660", "²"],
)
def test_what_is_no_limit(text: str) -> None:
    with pytest.raises(BadRequestError, match="whole number from 1 on"):
        limit_of(text)


def test_ids() -> None:
    assert id_of(None) is None
    assert id_of("0000000000000000000000000017") == 17
    assert id_of("9" * 18) == 10**18 - 1
    assert id_of("9" * 5000) is not None  # of no task
    for text in ("", "-1", "1_0", "\u0663", "1.0"):
        with pytest.raises(BadRequestError, match="whole number"):
            id_of(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("0", 0),
        ("00001.50", 1.5),
        (".5", 0.5),
        ("1e-05", 1e-05),
        ("1e300", 60),
        ("inf", 60),
        ("9" * 5000, 60),
    ],
)
def test_seconds(text: str | None, seconds: float) -> None:
    assert seconds_of(text, 60) == seconds


@pytest.mark.parametrize(
    "text", ["abc", "nan", "-1", "-0.0", "1_0", "\u0663", " 1", "0x1", "1e9999"]
)
def test_what_is_no_number_of_seconds(text: str) -> None:
    with pytest.raises(BadRequestError, match="number from 0 on"):
        seconds_of(text, 60)
