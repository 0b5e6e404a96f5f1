"""A kernel's report is bounded, and only known members of it are stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nbsession.server.errors import BadRequestError
from nbsession.server.sessions.sessions import MAX_REPORT_BYTES, MAX_ROWS, checked_report


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_stores_known_members() -> None:
    callback = {"id": "0", "name": "tick", "period": 5, "last_error": None}
    task = {"name": "a", "state": "running", "run": {"id": 1, "progress": 0.5}}
    rows = checked_report({"callbacks": [{**callback, "secret": 1}], "tasks": [task], "more": 1})
    assert rows == {"callbacks": [callback], "tasks": [task]}
    assert checked_report({}) == {}


def test_stores_so_many_rows() -> None:
    assert len(checked_report({"tasks": [{}] * (MAX_ROWS + 1)})["tasks"]) == MAX_ROWS


@pytest.mark.parametrize(
    "rows",
    [
        1,
        {},
        [1],
        [{"name": "x" * MAX_REPORT_BYTES}],
        [{"name": float("nan")}],
        [{"name": _nested(21)}],
        [{"name": _nested(10_000)}],
    ],
    ids=["number", "object", "numbers", "large", "nan", "deep", "very deep"],
)
@pytest.mark.parametrize("part", ["callbacks", "tasks"])
def test_refuses(part: str, rows: Any) -> None:
    with pytest.raises(BadRequestError):
        checked_report({part: rows})


def test_stored_rows_are_json() -> None:
    rows = checked_report({"tasks": [{"name": _nested(17)}]})
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
