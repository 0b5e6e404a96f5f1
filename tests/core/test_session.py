from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import pytest

from nbsession.core.headers import Cookies, Headers
from nbsession.core.request import Request, User
from nbsession.core.session import SessionInfo

REQUEST = Request(
    method="GET",
    url="http://h/voila/render/x.ipynb?a=1",
    path="/voila/render/x.ipynb",
    query="a=1",
    headers=Headers([("X-Tag", "ä"), ("X-Tag", "\xff")]),
    cookies=Cookies({"sid": "secret-value"}),
    remote_ip="::1",
    received_at=datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
    host_kind="voila",
)


@pytest.mark.parametrize(
    "info",
    [
        SessionInfo(),
        SessionInfo("id", "/hub/x/", "/voila/render/x.ipynb", request=REQUEST),
        SessionInfo("id", "/", user=User("u", "U", "U.", None, None), bound=False),
        SessionInfo("id", "/", page_pending=True, request=Request("POST", "", "", "")),
    ],
)
def test_json_round_trip(info: SessionInfo) -> None:
    assert SessionInfo.from_json(json.loads(json.dumps(info.to_json()))) == info


def test_request_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        REQUEST.query = "b=2"  # type: ignore[misc]
    with pytest.raises(TypeError):
        REQUEST.cookies["sid"] = "other"  # type: ignore[index]


def test_printing_shows_no_cookie() -> None:
    assert "secret-value" not in f"{REQUEST!r} {REQUEST} {REQUEST.cookies!r} {REQUEST.headers!r}"
    assert "sid" in repr(REQUEST.cookies)
    assert dict(REQUEST.cookies) == {"sid": "secret-value"}
