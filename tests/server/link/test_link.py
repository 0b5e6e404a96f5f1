"""The link: who gets in, and what stands on disk."""

from __future__ import annotations

import contextlib
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from nbsession.core.environment import LinkAddress, take_link
from nbsession.core.errors import LinkError, LinkProtocolError, LinkRefusedError
from nbsession.core.link_http import PROTOCOL_HEADER
from nbsession.kernel.link.client import Link

if TYPE_CHECKING:
    from hosts import Host

pytestmark = pytest.mark.server

SESSIONS = "nbsession/api/sessions"


def _address(server: Host, kernel: str) -> LinkAddress:
    address = take_link(server.environment_of(kernel))
    assert address is not None
    return address


@pytest.fixture
def two(server: Host) -> tuple[LinkAddress, LinkAddress]:
    a = server.start_kernel("notebooks/a.ipynb", {"Cookie": "sid=a"}, path="a.ipynb")
    b = server.start_kernel("notebooks/b.ipynb", {"Cookie": "sid=b"}, path="b.ipynb")
    return _address(server, a), _address(server, b)


def test_a_token_is_good_for_its_own_kernel_only(two: tuple[LinkAddress, LinkAddress]) -> None:
    a, b = two
    assert a.url == b.url
    assert a.token != b.token
    assert Link(a).get("session")["request"]["cookies"] == {"sid": "a"}
    for wrong in (
        LinkAddress(a.url, a.token, b.kernel_id),
        LinkAddress(a.url, "", a.kernel_id),
        LinkAddress(a.url, "guess", a.kernel_id),
        LinkAddress(a.url, a.token, "unknown"),
    ):
        with pytest.raises(LinkRefusedError):
            Link(wrong).get("session")


def test_statuses(server: Host, two: tuple[LinkAddress, LinkAddress]) -> None:
    a, b = two
    transport = httpx.HTTPTransport(uds=a.url.removeprefix("unix:"))
    client = httpx.Client(base_url="http://link", transport=transport)

    def status(address: LinkAddress, token: str, **headers: str) -> int:
        headers = {"Authorization": f"Bearer {token}", PROTOCOL_HEADER: "1", **headers}
        return client.get(f"/kernels/{address.kernel_id}/session", headers=headers).status_code

    assert status(b, b.token, **{PROTOCOL_HEADER: "0"}) == 426
    assert status(a, a.token) == 200
    linked = {s["kernel_id"]: s["linked"] for s in server.http.get(SESSIONS).json()["sessions"]}
    assert (linked[a.kernel_id], linked[b.kernel_id]) == (True, False)
    assert status(b, a.token) == 403
    assert status(a, a.token, **{PROTOCOL_HEADER: "0"}) == 426
    assert client.get("/").status_code == 404
    # The server hangs up before it has read everything.
    with contextlib.suppress(httpx.ReadError, httpx.WriteError):
        too_much = client.post(
            f"/kernels/{a.kernel_id}/log",
            headers={"Authorization": f"Bearer {a.token}", PROTOCOL_HEADER: "1"},
            content=b"x" * 100_000,
        )
        assert too_much.status_code == 400
    assert status(a, a.token) == 200


def test_only_this_user_can_open_it(two: tuple[LinkAddress, LinkAddress]) -> None:
    path = Path(two[0].url.removeprefix("unix:"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_another_protocol(
    two: tuple[LinkAddress, LinkAddress], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbsession.kernel.link.client.PROTOCOL", 2)
    with pytest.raises(LinkProtocolError, match="install the same nbsession in both"):
        Link(two[0]).get("session")


def test_no_server_there() -> None:
    with pytest.raises(LinkError, match="does not answer"):
        Link(LinkAddress("unix:/nowhere/link.sock", "t", "k")).get("session")
    with pytest.raises(LinkProtocolError, match="unknown kind"):
        Link(LinkAddress("pigeon:coop", "t", "k")).get("session")


def test_log(server: Host) -> None:
    kernel = server.start_kernel("notebooks/log.ipynb", path="log.ipynb")
    server.run(
        kernel,
        "from nbsession import state\n"
        "state.log('tea is ready')\n"
        "state.log('first\\nsecond \\x1b[31m', level='error')\n"
        "state.log('x' * 1_000_000, level='warning')\n"
        "state.log('\N{HOT BEVERAGE}' * 8_000 + '\\ud800')",
    )
    assert f"[kernel {kernel}] tea is ready" in server.log
    assert "first\\nsecond \\x1b[31m" in server.log, "no line of the log can be forged"
    assert "x" * 8192 in server.log
    assert "x" * 8193 not in server.log
    assert "\N{HOT BEVERAGE}" * 8_000 + "\\ud800" in server.log


def test_what_is_taken_from_the_environment(server: Host) -> None:
    kernel = server.start_kernel("notebooks/env.ipynb", path="env.ipynb")
    printed = server.run(
        kernel,
        "import nbsession, os, subprocess, sys\n"
        "print([n for n in os.environ if n.startswith('NBSESSION')])\n"
        "code = \"import os; print([n for n in os.environ if n.startswith('NBSESSION')])\"\n"
        "child = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)\n"
        "print(child.stdout)",
    )
    assert printed.split() == ["[]", "[]"]
