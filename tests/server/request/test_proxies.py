"""What trusted proxies say of a request, and what others say does not count."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders
from tornado.netutil import bind_unix_socket
from tornado.web import Application, RequestHandler
from traitlets import TraitError

from nbsession.server.config import NBSession
from nbsession.server.request.capture import UNIX_PEER, peer_of
from nbsession.server.request.proxies import ClientView, TrustedProxies

if TYPE_CHECKING:
    from pathlib import Path

PEER = "10.0.0.9"
SEEN = ClientView("http", "127.0.0.1:8866", PEER)
TRUSTED = TrustedProxies(["10.0.0.0/8", "2001:db8:1::/48"])


def _view(*headers: str, peer: str = PEER, trusted: TrustedProxies = TRUSTED) -> ClientView:
    items = HTTPHeaders()
    for header in headers:
        name, _, value = header.partition(": ")
        items.add(name, value)
    return trusted.view(SEEN, peer, items)


ALL = (
    "X-Forwarded-For: 192.0.2.7",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: example.org",
    "Forwarded: for=192.0.2.7;proto=https;host=example.org",
)


@pytest.mark.parametrize("peer", ["192.0.2.1", "11.0.0.9", "", "nonsense", "::ffff:192.0.2.1"])
def test_from_anybody_else_they_change_nothing(peer: str) -> None:
    assert _view(*ALL, peer=peer) == SEEN


def test_by_default_nobody_is_trusted() -> None:
    assert _view(*ALL, trusted=TrustedProxies()) == SEEN
    assert NBSession().trusted_proxies == []


def test_no_networks_are_refused() -> None:
    for bad in ("10.0.0.0/99", "proxy.example.org", ""):
        with pytest.raises(TraitError, match="trusted_proxies are addresses and networks"):
            NBSession(trusted_proxies=[bad])
    NBSession(trusted_proxies=["10.0.0.1", "10.0.0.1/8", "::1", "fd00::/8"])


@pytest.mark.parametrize("network", ["::ffff:10.0.0.9", "::ffff:10.0.0.0/104", "::/0", "10.0.0.9"])
@pytest.mark.parametrize("peer", [PEER, "::ffff:10.0.0.9"])
def test_networks_of_mapped_addresses(network: str, peer: str) -> None:
    trusted = TrustedProxies([network])
    is_ipv4 = network != "::/0"  # which is all of IPv6, and nothing else
    assert _view(*ALL, peer=peer, trusted=trusted).is_proxied == is_ipv4


@pytest.mark.parametrize("headers", [ALL, ALL[:3], ALL[3:]])
@pytest.mark.parametrize("peer", [PEER, "::ffff:10.0.0.9", "2001:db8:1::9"])
def test_a_trusted_proxy(headers: tuple[str, ...], peer: str) -> None:
    assert _view(*headers, peer=peer) == ClientView(
        "https", "example.org", "192.0.2.7", is_proxied=True
    )


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ("X-Forwarded-For: 192.0.2.7", "192.0.2.7"),
        ("X-Forwarded-For: 6.6.6.6, 192.0.2.7", "192.0.2.7"),
        ("X-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.1.1.1", "192.0.2.7"),
        ("X-Forwarded-For: garbage, 192.0.2.7,10.1.1.1, 10.2.2.2", "192.0.2.7"),
        ("X-Forwarded-For: 10.3.3.3, 10.1.1.1", "10.3.3.3"),
        ("X-Forwarded-For: 192.0.2.7:4711", "192.0.2.7"),
        ("X-Forwarded-For: 2001:db8::17", "2001:db8::17"),
        ("X-Forwarded-For: [2001:db8::17]:4711", "2001:db8::17"),
        ("X-Forwarded-For: 6.6.6.6, 2001:DB8:0::17, 2001:db8:1::5", "2001:db8::17"),
        ("X-Forwarded-For: 192.0.2.7, , 10.1.1.1,", "192.0.2.7"),
        ("X-Forwarded-For: ::ffff:192.0.2.7", "192.0.2.7"),
        ("X-Forwarded-For: unknown", PEER),
        ("X-Forwarded-For: 6.6.6.6, unknown, 10.1.1.1", "10.1.1.1"),
        ("X-Forwarded-For: 6.6.6.6, garbage, 10.1.1.1", PEER),
        ("X-Forwarded-For: 192.0.2.07", PEER),
        ("X-Forwarded-For: 192.0.2.7:99999", PEER),
        ("X-Forwarded-For: ", PEER),
        ("Forwarded: for=192.0.2.7", "192.0.2.7"),
        ("Forwarded: for=6.6.6.6, For=192.0.2.7;by=10.0.0.2, for=10.1.1.1", "192.0.2.7"),
        ('Forwarded: for="192.0.2.7:4711"', "192.0.2.7"),
        ('Forwarded: for="[2001:db8::17]"', "2001:db8::17"),
        ('Forwarded: for="[2001:db8::17]:4711" ; proto=http', "2001:db8::17"),
        ('Forwarded: for="[2001:db8::17]:_port"', "2001:db8::17"),
        ("Forwarded: for=_hidden", PEER),
        ("Forwarded: for=6.6.6.6, for=_hidden, for=10.1.1.1", "10.1.1.1"),
        ("Forwarded: for=unknown", PEER),
        ("Forwarded: for=6.6.6.6, proto=https", PEER),
        ("Forwarded: for=6.6.6.6;for=192.0.2.7", PEER),
        ("Forwarded: 192.0.2.7", PEER),
        ("Forwarded: for=[2001:db8::17]", PEER),
        ('Forwarded: for=6.6.6.6;x=", for=192.0.2.7', "192.0.2.7"),
        ('Forwarded: for=6.6.6.6;x=", for="[2001:db8::17]"', "2001:db8::17"),
        ('Forwarded: for=192.0.2.7;host="a, for=6.6.6.6"', PEER),
        ("Forwarded: for=192.0.2.7, , for=10.1.1.1,", "192.0.2.7"),
    ],
)
def test_the_address_is_read_from_the_right(header: str, address: str) -> None:
    assert _view(header).remote_ip == address


def test_several_lines_are_one_list() -> None:
    assert _view("X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 192.0.2.7").remote_ip == "192.0.2.7"
    assert _view("Forwarded: for=6.6.6.6", "Forwarded: for=192.0.2.7").remote_ip == "192.0.2.7"


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        (["X-Forwarded-Proto: https"], "https://127.0.0.1:8866"),
        (["X-Forwarded-Proto: http, https"], "https://127.0.0.1:8866"),
        (["X-Forwarded-Proto: HTTPS"], "https://127.0.0.1:8866"),
        (["X-Forwarded-Proto: javascript"], "http://127.0.0.1:8866"),
        (["X-Forwarded-Host: evil.org, example.org"], "http://example.org"),
        (["X-Forwarded-Host: Example.org:8443"], "http://example.org:8443"),
        (["X-Forwarded-Host: [2001:db8::1]:8443"], "http://[2001:db8::1]:8443"),
        (["X-Forwarded-Host: example.org:443", "X-Forwarded-Proto: https"], "https://example.org"),
        (["X-Forwarded-Host: example.org", "X-Forwarded-Port: 8443"], "http://example.org:8443"),
        (["X-Forwarded-Host: example.org:81", "X-Forwarded-Port: 8443"], "http://example.org:81"),
        (["X-Forwarded-Port: 8443"], "http://127.0.0.1:8443"),
        (["X-Forwarded-Port: 0"], "http://127.0.0.1:8866"),
        (["X-Forwarded-Port: 65536"], "http://127.0.0.1:8866"),
        (["X-Forwarded-Host: evil.org/path"], "http://127.0.0.1:8866"),
        (["X-Forwarded-Host: user@evil.org"], "http://127.0.0.1:8866"),
        (["X-Forwarded-Host: [nonsense]"], "http://127.0.0.1:8866"),
        (['Forwarded: proto=https;host="example.org:8443"'], "https://example.org:8443"),
        (["Forwarded: proto=http;host=evil.org, proto=https;host=a.org"], "https://a.org"),
        (["Forwarded: proto=ftp;host=a.org"], "http://127.0.0.1:8866"),
    ],
)
def test_scheme_host_and_port_are_those_of_the_nearest(headers: list[str], url: str) -> None:
    view = _view(*headers)
    assert f"{view.scheme}://{view.host}" == url


@pytest.mark.parametrize(
    "forwarded",
    ["for=192.0.2.8", "proto=http", "host=other.org", 'host="example.org:8443";proto=https'],
)
def test_what_contradicts_itself_counts_for_nothing(forwarded: str) -> None:
    assert _view(*ALL[:3], f"Forwarded: {forwarded}") == ClientView(
        SEEN.scheme, SEEN.host, SEEN.remote_ip, is_proxied=True
    )


@pytest.mark.parametrize(
    "forwarded",
    ["for=_hidden", "nonsense", "for=192.0.2.7", 'host="EXAMPLE.org:443"', "for=unknown;by=_x"],
)
def test_what_says_less_contradicts_nothing(forwarded: str) -> None:
    assert _view(*ALL[:3], f"Forwarded: {forwarded}") == _view(*ALL[:3])


def test_a_long_header_costs_no_time() -> None:
    for value in (",", 'a="', "a=b;", 'for="10.0.0.1",', "10.0.0.1,", 'a="\\'):
        text = value * (60_000 // len(value))
        assert _view(f"Forwarded: {text}", f"X-Forwarded-For: {text}").scheme == "http"


@pytest.mark.parametrize("trust_xheaders", [False, True])
def test_who_comes_over_a_unix_socket(tmp_path: Path, trust_xheaders: bool) -> None:
    """Tornado itself believes X-Real-IP there, whoever has written it."""
    seen: list[str] = []

    class Handler(RequestHandler):
        def get(self) -> None:
            seen.append(peer_of(cast("Any", self)))

    async def main() -> None:
        server = HTTPServer(Application([("/", Handler)]), xheaders=trust_xheaders)
        server.add_socket(bind_unix_socket(str(tmp_path / "s")))
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
        writer.write(b"GET / HTTP/1.0\r\nX-Real-IP: 10.0.0.5\r\n\r\n")
        await reader.read()
        writer.close()
        server.stop()

    asyncio.run(main())
    assert seen == [UNIX_PEER]
