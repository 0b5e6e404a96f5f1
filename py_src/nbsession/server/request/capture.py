"""Copies of the requests that start kernels, without credentials."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal
from urllib.parse import SplitResult, urlsplit

from tornado.httputil import parse_cookie

from nbsession.core.headers import Cookies, Headers
from nbsession.core.query import bytes_of, normalize, text_of
from nbsession.core.request import HostKind, Request, User

from .proxies import ClientView, TrustedProxies

if TYPE_CHECKING:
    from jupyter_server.base.handlers import JupyterHandler

    from .credentials import CredentialFilter

MAX_REQUEST_BYTES = 1 << 20
"""A request that is larger than this is not copied."""

UNIX_PEER = "0.0.0.0"  # noqa: S104 - nothing is bound to it
"""Whoever comes over a Unix socket, as tornado has it."""

# What each handler that may start a kernel serves. A subclass is another handler: that of a kernel
# gateway, say, whose request is the gateway client's and not a visitor's.
_HANDLERS: dict[tuple[str, str], Literal["session", "kernel", "voila"]] = {
    ("jupyter_server.services.sessions.handlers", "SessionRootHandler"): "session",
    ("jupyter_server.services.sessions.handlers", "SessionHandler"): "session",
    ("jupyter_server.services.kernels.handlers", "MainKernelHandler"): "kernel",
    ("voila.tornado.handler", "TornadoVoilaHandler"): "voila",
}

_PAGES: tuple[tuple[str, HostKind], ...] = (
    ("lab", "lab"),
    ("doc", "lab"),
    ("nbclassic", "notebook"),
    ("notebooks", "notebook"),
    ("consoles", "notebook"),
    ("tree", "notebook"),
)


class NoVisitorError(Exception):
    """The handler in context serves no visitor; the text is the reason."""


@dataclass(frozen=True)
class Capture:
    """The visitor's part of a handler."""

    request: Request
    user: User | None
    page_pending: bool


def handler_kind(handler: object) -> Literal["session", "kernel", "voila"] | None:
    """Return what a handler serves, None if it is not known to start kernels for visitors."""
    return _HANDLERS.get((type(handler).__module__, type(handler).__qualname__))


def capture(
    handler: JupyterHandler | None,
    credentials: CredentialFilter,
    proxies: TrustedProxies | None = None,
) -> Capture:
    """Copy the visitor's part of a handler; no reference to the handler remains."""
    if handler is None:
        raise NoVisitorError("no request is being served")
    kind = handler_kind(handler)
    if kind is None:
        raise NoVisitorError(
            f"{type(handler).__qualname__} is not known to start kernels for visitors"
        )
    if getattr(handler, "_finished", False):
        raise NoVisitorError("the request that this task descends from has been answered")
    if kind == "kernel" and _is_of_gateway(handler):
        raise NoVisitorError("the request is a gateway client's, and not a visitor's")
    request = _request(handler, kind, credentials, proxies or TrustedProxies())
    page_pending = request.host_kind == "lab" or (kind == "session" and _hides_its_page(handler))
    return Capture(request, _user(handler), page_pending)


def _request(
    handler: JupyterHandler,
    kind: Literal["session", "kernel", "voila"],
    credentials: CredentialFilter,
    proxies: TrustedProxies,
) -> Request:
    raw = handler.request
    seen = ClientView(raw.protocol, raw.host, raw.remote_ip or "")
    client = proxies.view(seen, peer_of(handler), raw.headers)
    items = [(name, text_of(bytes_of(value))) for name, value in raw.headers.get_all()]
    if (
        sum(len(name) + len(value) for name, value in items) + len(raw.uri or "")
        > MAX_REQUEST_BYTES
    ):
        raise NoVisitorError(f"the request is larger than {MAX_REQUEST_BYTES:,} bytes")
    headers = Headers(credentials.headers(items))
    method = raw.method or "GET"
    host_kind: HostKind | None = None
    uri = raw.uri or ""
    if client.is_proxied and not _is_below(urlsplit(uri).path, handler.base_url):
        uri = handler.base_url.rstrip("/") + uri  # the proxy has stripped it
    url = credentials.url(normalize(f"{client.scheme}://{client.host}{uri}"))
    if kind == "voila":
        host_kind = "voila"
    else:
        # The request's own query is that of an API call, mostly a cache buster.
        url = urlsplit(url)._replace(query="").geturl()
        page = _page_of(handler, client.host) if kind == "session" else None
        if page is not None:
            method, host_kind = "GET", page[1]
            url = credentials.url(page[0].geturl())
    parts = urlsplit(url)
    return Request(
        method=method,
        url=url,
        path=parts.path,
        query=parts.query,
        headers=headers,
        cookies=_cookies(raw.headers.get_list("Cookie"), credentials),
        remote_ip=client.remote_ip,
        received_at=datetime.now(UTC),
        host_kind=host_kind,
    )


def peer_of(handler: JupyterHandler) -> str:
    """Return the address at the other end of the connection."""
    address = getattr(getattr(handler.request.connection, "context", None), "address", None)
    return str(address[0]) if isinstance(address, tuple) else UNIX_PEER


def _is_below(path: str, base_url: str) -> bool:
    return path.startswith(base_url) or f"{path}/" == base_url


def _page_of(handler: JupyterHandler, host: str) -> tuple[SplitResult, HostKind] | None:
    """Return the page that sent the request, from its Referer; None if that is no page of ours."""
    referer = handler.request.headers.get("Referer")
    if not referer:
        return None
    try:
        page = urlsplit(normalize(referer))
    except ValueError:
        return None
    # Jupyter has checked Origin already; a Referer of elsewhere would be somebody else's page.
    origin = handler.request.headers.get("Origin", "")
    if not page.netloc or page.netloc not in (handler.request.host, host, urlsplit(origin).netloc):
        return None
    host_kind = page_kind(page.path, handler.base_url)
    return None if host_kind is None else (page, host_kind)


def page_kind(path: str, base_url: str) -> HostKind | None:
    """Return what serves the page at a path of a Jupyter server; None if that is no page of it."""
    if not path.startswith(base_url):
        return None
    return dict(_PAGES).get(path[len(base_url) :].partition("/")[0])


def _hides_its_page(handler: JupyterHandler) -> bool:
    """Return whether the page is of this server, but hides its path (``Referrer-Policy``)."""
    headers = handler.request.headers
    if headers.get("Sec-Fetch-Site") != "same-origin":
        return False
    try:
        referer = urlsplit(headers.get("Referer", ""))
    except ValueError:
        return False
    # Under "origin" and "strict-origin" it ends where a page's path would begin.
    return referer.path in ("", "/") and not referer.query


def _cookies(headers: list[str], credentials: CredentialFilter) -> Cookies:
    values = parse_cookie("; ".join(headers))
    return Cookies(
        {
            text_of(bytes_of(name)): text_of(bytes_of(value))
            for name, value in values.items()
            if name and not credentials.drops_cookie(name, value)
        }
    )


def _user(handler: JupyterHandler) -> User | None:
    user = handler.current_user
    if user is None or not hasattr(user, "username"):
        return None  # an identity provider of before jupyter_server 2: a bare string or dict
    return User(
        username=str(user.username),
        name=str(user.name or user.username),
        display_name=str(user.display_name or user.name or user.username),
        initials=user.initials,
        color=user.color,
    )


def _is_of_gateway(handler: JupyterHandler) -> bool:
    """Return whether a gateway client sent the request, with the kernel's environment."""
    try:
        body = json.loads(handler.request.body or b"{}")
    except ValueError:
        return False
    return isinstance(body, dict) and "env" in body
