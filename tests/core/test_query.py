from __future__ import annotations

import pytest

from nbsession.core.query import drop_parameters, drop_url_parameters, normalize, parse_query


def _is_token(name: str) -> bool:
    return name == "token"


@pytest.mark.parametrize(
    ("query", "arguments"),
    [
        ("", {}),
        ("phase=0.5", {"phase": [b"0.5"]}),
        ("n=1&n=2&n=1", {"n": [b"1", b"2", b"1"]}),
        ("blank=&flag", {"blank": [b""], "flag": [b""]}),
        ("city=K%C3%B6ln+Deutz", {"city": ["Köln Deutz".encode()]}),
        ("raw=%ff%00", {"raw": [b"\xff\x00"]}),
        ("K%C3%B6=1&%ff=2", {"Kö": [b"1"], "ÿ": [b"2"]}),
        ("bad=%zz%4", {"bad": [b"%zz%4"]}),
        ("a=b=c&&;=1", {"a": [b"b=c"], ";": [b"1"]}),
        ("unquoted=\xc3\xb6", {"unquoted": ["ö".encode()]}),
        ("wide=\u4e2d", {"wide": ["中".encode()]}),
    ],
)
def test_parse_query(query: str, arguments: dict[str, list[bytes]]) -> None:
    assert parse_query(query) == arguments


@pytest.mark.parametrize(
    ("query", "rest"),
    [
        ("token=x", ""),
        ("a=1&token=x&b=%20+", "a=1&b=%20+"),
        ("tok%65n=x&a", "a"),
        ("token&a&token=", "a"),
        ("a=token&mytoken=1", "a=token&mytoken=1"),
        ("&&a=%zz", "&&a=%zz"),
    ],
)
def test_drop_parameters_keeps_the_rest_to_the_letter(query: str, rest: str) -> None:
    assert drop_parameters(query, _is_token) == rest


def test_drop_url_parameters() -> None:
    url = "https://user:pw@host:8888/lab/tree/x.ipynb?a=1&token=x#cell"
    assert drop_url_parameters(url, _is_token) == "https://host:8888/lab/tree/x.ipynb?a=1"


def test_normalize_leaves_what_a_url_may_hold() -> None:
    assert normalize("/a%20b?c=d&e=%zz+'()*!~") == "/a%20b?c=d&e=%zz+'()*!~"
    assert normalize("/\xff \xc3\xb6") == "/%FF%20%C3%B6"
