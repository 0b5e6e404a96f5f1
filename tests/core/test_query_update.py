from __future__ import annotations

import pytest

from nbsession.core.query import query_texts, update_parameters


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ("", {}),
        ("a=1&b=&c", {"a": ["1"], "b": [""], "c": [""]}),
        ("n=1&n=2&n=1", {"n": ["1", "2", "1"]}),
        ("city=K%C3%B6ln+Deutz", {"city": ["Köln Deutz"]}),
        ("city=Köln", {"city": ["Köln"]}),
        ("raw=%ff&bad=%zz%4", {"raw": ["ÿ"], "bad": ["%zz%4"]}),
        ("zip=²", {"zip": ["²"]}),
        ("half=%ED%A0%80", {"half": ["\xed\xa0\x80"]}),
        ("&&=1", {"": ["1"]}),
    ],
)
def test_query_texts(query: str, texts: dict[str, list[str]]) -> None:
    assert query_texts(query) == texts


@pytest.mark.parametrize(
    ("query", "changes", "after"),
    [
        ("", {"a": ["1"]}, "a=1"),
        ("id=007&x=", {"a": ["1"]}, "id=007&x=&a=1"),
        ("a=1&a=2", {"b": ["3"]}, "a=1&a=2&b=3"),
        ("t=TRUE&n=1e5&f=1_000&v=[abc&l=[1, 2]", {}, "t=TRUE&n=1e5&f=1_000&v=[abc&l=[1, 2]"),
        ("a=1&b=2&a=3", {"a": ["9"]}, "a=9&b=2"),
        ("a=1&b=2", {"a": ["8", "9"]}, "a=8&a=9&b=2"),
        ("a=1&b=2&a=3", {"a": []}, "b=2"),
        ("a=1", {"a": []}, ""),
        ("a=%20&b=%zz&&c", {"a": [" "], "d": ["&=#ö"]}, "a=+&b=%zz&&c&d=%26%3D%23%C3%B6"),
        ("%61=1&K%C3%B6=2", {"a": ["3"], "Kö": ["4"]}, "a=3&K%C3%B6=4"),
        ("a", {"a": [""]}, "a="),
        ("b=1&=2", {"": ["3"]}, "b=1&=3"),
        ("b=1&&c=2", {"": []}, "b=1&&c=2"),
    ],
)
def test_update_parameters(query: str, changes: dict[str, list[str]], after: str) -> None:
    assert update_parameters(query, changes) == after


def test_a_long_query() -> None:
    query = "&".join(f"k{i}=%20{i}" for i in range(10_000))
    assert update_parameters(query, {"new": ["x"]}) == f"{query}&new=x"
