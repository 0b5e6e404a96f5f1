"""The visitor's view of a request that came through proxies."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tornado.httputil import HTTPHeaders

_Address = IPv4Address | IPv6Address

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - of RFC 9110
_PAIR = rf'[ \t]*({_TOKEN})=({_TOKEN}|"(?:[^"\\]|\\.)*+")[ \t]*'
_PAIRS = re.compile(_PAIR)
_LAST_ELEMENT = re.compile(rf"(?:^|,)((?:{_PAIR}|[ \t]*)(?:;(?:{_PAIR}|[ \t]*))*)$")
_ESCAPED = re.compile(r"\\(.)")
_NODE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9.]+|_[0-9A-Za-z._-]+|unknown)(?::(\d{1,5}|_[\w.-]+))?")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._~-]+)(?::(\d{1,5}))?")
_HAS_PORT = re.compile(r":\d*$")
_MAX_PORT = 65_535
_MAX_HOPS = 50
_PORTS = {"http": 80, "https": 443}
_MAPPED_BITS = 96
"""Before the IPv4 address in an IPv6 one that only stands for it."""


class _MalformedError(ValueError):
    """A header that cannot be understood."""


@dataclass(frozen=True)
class ClientView:
    """A request as the visitor's browser has sent it."""

    scheme: str
    host: str
    remote_ip: str
    is_proxied: bool = False


@dataclass
class _Fields:
    """The content of one family of headers; None where it has none."""

    address: _Address | None = None
    scheme: str | None = None
    host: str | None = None
    port: int | None = None


class TrustedProxies:
    """Reads ``Forwarded`` and ``X-Forwarded-*`` of proxies that are trusted, and of nobody else."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = [_network(each.strip()) for each in networks]

    def view(self, seen: ClientView, peer: str, headers: HTTPHeaders) -> ClientView:
        """Return the request as the visitor has sent it."""
        try:
            if not self._trusts(_address(peer)):
                return seen
        except ValueError:
            return seen
        fields = _agreed(self._forwarded(headers), self._x_forwarded(headers), seen.scheme)
        scheme = fields.scheme or seen.scheme
        return ClientView(
            scheme=scheme,
            host=_joined(fields, seen.host, scheme),
            remote_ip=str(fields.address) if fields.address else seen.remote_ip,
            is_proxied=True,
        )

    def _trusts(self, address: _Address) -> bool:
        return any(address in network for network in self._networks)

    def _visitor(self, nodes: Iterable[str]) -> _Address | None:
        """Return the first address that is no trusted proxy's, or the last of all.

        A proxy may hide an address; what is left of it anybody may have written.
        """
        address = None
        for node in nodes:
            found = _node(node)
            if found is None:
                break
            address = found
            if not self._trusts(address):
                break
        return address

    def _forwarded(self, headers: HTTPHeaders) -> _Fields:
        """Return the content of ``Forwarded`` (RFC 7239)."""
        text = ",".join(headers.get_list("Forwarded"))
        fields = _Fields()
        try:
            elements = _elements(text)
            nearest = next(elements, {})
            fields.scheme = _scheme(nearest["proto"]) if "proto" in nearest else None
            if "host" in nearest:
                fields.host, fields.port = _host(nearest["host"])

            def nodes() -> Iterator[str]:
                element: dict[str, str] | None = nearest
                while element and "for" in element:
                    yield element["for"]
                    element = next(elements, None)

            fields.address = self._visitor(nodes())
        except _MalformedError:
            return _Fields()
        return fields

    def _x_forwarded(self, headers: HTTPHeaders) -> _Fields:
        """Return the content of ``X-Forwarded-*``; each is ignored by itself if it is malformed."""
        fields = _Fields()
        with suppress(_MalformedError):
            fields.address = self._visitor(_values(headers, "X-Forwarded-For"))
        with suppress(_MalformedError, StopIteration):
            fields.scheme = _scheme(next(_values(headers, "X-Forwarded-Proto")))
        with suppress(_MalformedError, StopIteration):
            fields.host, fields.port = _host(next(_values(headers, "X-Forwarded-Host")))
        with suppress(_MalformedError, StopIteration):
            fields.port = fields.port or _port(next(_values(headers, "X-Forwarded-Port")))
        return fields


def _agreed(one: _Fields, other: _Fields, scheme: str) -> _Fields:
    """Return both together; nothing if they contradict each other."""
    scheme = one.scheme or other.scheme or scheme
    pairs = [
        (one.address, other.address),
        (one.scheme, other.scheme),
        (one.host, other.host),
        (_port_of(one, scheme), _port_of(other, scheme)),
    ]
    if any(a is not None and b is not None and a != b for a, b in pairs):
        return _Fields()
    named = one if one.host else other
    return _Fields(
        address=one.address or other.address,
        scheme=one.scheme or other.scheme,
        host=named.host,
        port=named.port or one.port or other.port,
    )


def _port_of(fields: _Fields, scheme: str) -> int | None:
    return fields.port or (_PORTS[scheme] if fields.host else None)


def _joined(fields: _Fields, host: str, scheme: str) -> str:
    """Return host and port of the headers, else those of this server's own URL."""
    if fields.host is None and fields.port is None:
        return host
    name = fields.host or host[: host.rfind(":") if _HAS_PORT.search(host) else None]
    return name if fields.port in (None, _PORTS[scheme]) else f"{name}:{fields.port}"


def _elements(text: str) -> Iterator[dict[str, str]]:
    """Yield the elements of ``Forwarded``, the last one first, and what is left of it unread.

    From the right, since what a visitor sends stands on the left, with quotes left open maybe.
    """
    for _ in range(_MAX_HOPS):
        if not text:
            return
        found = _LAST_ELEMENT.search(text)
        if found is None:
            raise _MalformedError("no element of Forwarded")
        text = text[: found.start()]
        element: dict[str, str] = {}
        for name, value in _PAIRS.findall(found[1]):
            if name.lower() in element:
                raise _MalformedError(f"{name} is there twice")
            element[name.lower()] = _ESCAPED.sub(r"\1", value[1:-1]) if value[0] == '"' else value
        if element:  # a list may have empty elements
            yield element


def _values(headers: HTTPHeaders, name: str) -> Iterator[str]:
    """Yield the values of a list, the last one first."""
    for value in reversed(",".join(headers.get_list(name)).split(",")):
        if value.strip():
            yield value.strip()


def _node(text: str) -> _Address | None:
    """Return the address of a node; None if it hides its address."""
    try:
        return _address(text)  # X-Forwarded-For has IPv6 without brackets
    except ValueError:
        pass
    found = _NODE.fullmatch(text.lower())
    if found is None or ((found[2] or "").isdigit() and int(found[2]) > _MAX_PORT):
        raise _MalformedError(text)
    if found[1] == "unknown" or found[1].startswith("_"):
        return None
    try:
        return _address(found[1].strip("[]"))
    except ValueError as error:
        raise _MalformedError(text) from error


def _address(text: str) -> _Address:
    address = ip_address(text.partition("%")[0])  # without the zone of a link-local one
    return getattr(address, "ipv4_mapped", None) or address


def _network(text: str) -> IPv4Network | IPv6Network:
    network = ip_network(text, strict=False)
    address = getattr(network.network_address, "ipv4_mapped", None)
    if address is None or network.prefixlen < _MAPPED_BITS:
        return network
    return IPv4Network((address, network.prefixlen - _MAPPED_BITS))  # as `_address` reads them


def _scheme(text: str) -> str:
    if text.lower() not in _PORTS:
        raise _MalformedError(text)
    return text.lower()


def _host(text: str) -> tuple[str, int | None]:
    found = _HOST.fullmatch(text)
    if found is None:
        raise _MalformedError(text)
    if found[1].startswith("["):
        try:
            IPv6Address(found[1][1:-1])
        except ValueError as error:
            raise _MalformedError(text) from error
    return found[1].lower(), _port(found[2]) if found[2] else None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_PORT))):
        raise _MalformedError(text)
    port = int(text)
    if not 0 < port <= _MAX_PORT:
        raise _MalformedError(text)
    return port
