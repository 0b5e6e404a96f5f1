from __future__ import annotations

import pytest

from nbsession.core.headers import Headers


def test_case_and_repeats() -> None:
    headers = Headers([("Accept", "text/html"), ("X-Tag", "a"), ("x-tag", "b")])
    assert headers["ACCEPT"] == "text/html"
    assert headers["X-TAG"] == "a, b"
    assert headers.get_all("x-Tag") == ["a", "b"]
    assert headers.get_all("missing") == []
    assert headers.get("missing") is None
    assert list(headers) == ["Accept", "X-Tag"]
    assert len(headers) == 2
    assert "accept" in headers
    assert 1 not in headers


def test_missing_name() -> None:
    with pytest.raises(KeyError, match="host"):
        Headers()["Host"]


def test_equal_without_regard_to_case() -> None:
    assert Headers([("A", "1")]) == Headers([("a", "1")]) == {"A": "1"}
    assert hash(Headers([("A", "1")])) == hash(Headers([("a", "1")]))
    assert Headers([("A", "1")]) != Headers([("A", "2")])
    assert Headers([("A", "1"), ("A", "2")]) != Headers([("A", "1, 2")])


def test_read_only() -> None:
    with pytest.raises(TypeError):
        Headers([("A", "1")])["A"] = "2"  # type: ignore[index]


def test_printed_without_secrets() -> None:
    text = repr(Headers([("Cookie", "sid=1"), ("X-Auth-Token", "2"), ("Accept", "text/html")]))
    assert text == "Headers({'Cookie': '…', 'X-Auth-Token': '…', 'Accept': 'text/html'})"


@pytest.mark.parametrize(
    "name",
    [
        "Cf-Access-Jwt-Assertion",
        "X-Amzn-Oidc-Data",
        "X-CSRFToken",
        "X-Forwarded-Client-Cert",
        "X-Remote-Password",
        "X-Session-Id",
    ],
)
def test_what_proxies_vouch_for_is_not_printed(name: str) -> None:
    assert repr(Headers([(name, "value")])) == f"Headers({{{name!r}: '…'}})"
