"""openapi.yaml says what the handlers do."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from openapi_spec_validator import validate

from described import SPEC, described, operations

if TYPE_CHECKING:
    from hosts import Host

pytestmark = pytest.mark.server


@pytest.fixture
def kernel(server: Host) -> str:
    return server.start_kernel("lab/tree/x.ipynb")


def test_is_valid() -> None:
    validate(SPEC)


def test_describes_every_handler() -> None:
    from nbsession.server.extension import HANDLERS

    handled = {
        (name, re.sub(r"\([^)]*\)", "{}", path))
        for path, handler in HANDLERS
        for name in ("get", "put", "post", "patch", "delete")
        if name in vars(handler)
    }
    assert handled == {(method, re.sub(r"{\w+}", "{}", path)) for method, path in operations()}


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b'{"query": "a=1"}', 200, '"bound"'),
        (b"", 400, "the body must be an object like"),
        (b"[]", 400, "the body must be a JSON object"),
        (b'{"query": 1}', 400, "the body must be an object like"),
        (b'{"query": "\xff"}', 400, "the body is not JSON in UTF-8"),
        (b'{"query": "\\ud800=1"}', 400, "query must be percent-encoded"),
        (b'{"query": "a=1\\r\\n"}', 400, "query must be percent-encoded"),
        (b"not json", 400, "Expecting value: line 1 column 1"),
        (b"[" * 50_000, 400, "the body is not JSON"),
        (b'{"query": ' + b"1" * 5_000 + b"}", 400, "the body is not JSON"),
        (b"x" * 70_000, 413, "65,536 bytes at most"),
    ],
)
def test_answers(server: Host, kernel: str, body: bytes, status: int, says: str) -> None:
    answer = server.http.put(f"nbsession/api/sessions/{kernel}/page", content=body)
    assert answer.status_code == status
    assert says in answer.text
    described(answer)


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "nowhere", 404, "no_such_path"),
        ("POST", "tasks/x/explode", 400, "bad_request"),
        ("GET", "tasks/x/runs/abc", 404, "no_such_run"),
        ("GET", "tasks/x/runs/-1", 404, "no_such_run"),
        ("GET", "tasks/x/runs/" + "9" * 30, 404, "no_such_run"),
    ],
)
def test_every_refusal_is_json(
    server: Host, method: str, path: str, status: int, kind: str
) -> None:
    answer = server.http.request(method, f"nbsession/api/{path}", json={})
    assert (answer.status_code, answer.json()["kind"]) == (status, kind)


def test_unknown_kernel(server: Host) -> None:
    answer = server.http.put("nbsession/api/sessions/none/page", content=json.dumps({"query": ""}))
    assert answer.status_code == 404
    assert described(answer)["kind"] == "no_such_session"
    assert "none" in answer.json()["message"]


def test_needs_a_login(server: Host, kernel: str) -> None:
    answer = server.http.put(
        f"nbsession/api/sessions/{kernel}/page",
        content=b'{"query": ""}',
        headers={"Authorization": "token wrong"},
    )
    assert answer.status_code == 403


def test_needs_the_xsrf_token_with_a_cookie(server: Host, kernel: str) -> None:
    browser = type(server.http)(base_url=server.url)
    browser.get("api/status", params={"token": server.token}).raise_for_status()
    path = f"nbsession/api/sessions/{kernel}/page"
    assert browser.put(path, json={"query": ""}).status_code == 403


READ_ONLY = """
from jupyter_server.auth import Authorizer

class ReadOnly(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        return resource != "nbsession"
"""


def test_needs_the_authorizers_leave(tmp_path, start_host) -> None:
    (tmp_path / "leave.py").write_text(READ_ONLY)
    host = start_host(
        "server", "--ServerApp.authorizer_class=leave.ReadOnly", env={"PYTHONPATH": str(tmp_path)}
    )
    kernel = host.start_kernel("lab/tree/x.ipynb")
    answer = host.http.put(f"nbsession/api/sessions/{kernel}/page", json={"query": "a=1"})
    assert answer.status_code == 403
