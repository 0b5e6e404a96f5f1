"""What a kernel tells of itself is bounded, and holds nothing that nobody knows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nbsession.server.errors import BadRequestError
from nbsession.server.sessions.sessions import MAX_NEWS_BYTES, MAX_ROWS, checked_news


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_keeps_what_is_known() -> None:
    callback = {"id": "0", "name": "tick", "period": 5, "last_error": None}
    task = {"name": "a", "state": "running", "run": {"id": 1, "progress": 0.5}}
    told = checked_news({"callbacks": [{**callback, "secret": 1}], "tasks": [task], "more": 1})
    assert told == {"callbacks": [callback], "tasks": [task]}
    assert checked_news({}) == {}


def test_keeps_so_many_rows() -> None:
    assert len(checked_news({"tasks": [{}] * (MAX_ROWS + 1)})["tasks"]) == MAX_ROWS


@pytest.mark.parametrize(
    "rows",
    [
        1,
        {},
        [1],
        [{"name": "x" * MAX_NEWS_BYTES}],
        [{"name": float("nan")}],
        [{"name": _nested(21)}],
        [{"name": _nested(10_000)}],
    ],
    ids=["number", "object", "numbers", "large", "nan", "deep", "very deep"],
)
@pytest.mark.parametrize("part", ["callbacks", "tasks"])
def test_refuses(part: str, rows: Any) -> None:
    with pytest.raises(BadRequestError):
        checked_news({part: rows})


def test_what_it_keeps_is_json() -> None:
    told = checked_news({"tasks": [{"name": _nested(17)}]})
    assert json.loads(json.dumps(told, allow_nan=False)) == told
