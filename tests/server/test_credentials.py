"""What opens a Jupyter server does not get through, wherever it stands."""

from __future__ import annotations

import pytest

from nbsession.server.credentials import CredentialFilter


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        (("Authorization", "token x"), []),
        (("PROXY-AUTHORIZATION", "x"), []),
        (("X-XSRFToken", "x"), []),
        (("Accept", "text/html"), [("Accept", "text/html")]),
        (("Cookie", "_xsrf=1; username-h-8888=2; jupyterhub-user-a=3; mine=4"), []),
        (("Cookie", "a=1; _xsrf=2; b=3"), [("Cookie", "a=1; b=3")]),
        (("Referer", "http://h/lab?token=x&a=%20+"), [("Referer", "http://h/lab?a=%20+")]),
        (("X-Original-URI", "/voila?token=x&a=1"), [("X-Original-URI", "/voila?a=1")]),
        (("X-Forwarded-Uri", "/voila?a=1&TOKEN=x"), [("X-Forwarded-Uri", "/voila?a=1")]),
        (("X-Original-URL", "http://[broken?token=x"), []),
        (
            ("X-Envoy-Original-Path", "/voila?a=1&token=x"),
            [("X-Envoy-Original-Path", "/voila?a=1")],
        ),
        (("X-Waws-Unencoded-Url", "/x?%74oken=x"), [("X-Waws-Unencoded-Url", "/x")]),
        (("Link", "</a?a=1>, </b?token=x>"), []),
        (("Referer", "http://h/lab?a=1;token=x"), []),
        (("X-Mood", "why? token=none"), [("X-Mood", "why? token=none")]),
        (("X-Mood", "#a?b=1"), [("X-Mood", "#a?b=1")]),
    ],
)
def test_headers(header: tuple[str, str], kept: list[tuple[str, str]]) -> None:
    assert CredentialFilter(login_cookie="mine").headers([header]) == kept


def test_keep() -> None:
    keep = CredentialFilter(keep=["Authorization", "jupyterhub-*"])
    assert keep.headers([("authorization", "x"), ("Cookie", "jupyterhub-user-a=3; _xsrf=1")]) == [
        ("authorization", "x"),
        ("Cookie", "jupyterhub-user-a=3"),
    ]
