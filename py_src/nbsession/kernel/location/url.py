"""The URL of a page, in the parts that a browser gives it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nbsession.core.environment import HUB_PARAMETER, is_under_hub
from nbsession.core.query import drop_parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

WRITABLE_PARTS = ("pathname", "search", "hash_")


@dataclass(frozen=True)
class PageUrl:
    """A URL; it never changes, so that its parts always belong together."""

    pathname: str = ""
    search: str = ""
    hash_: str = ""
    protocol: str = ""
    hostname: str = ""
    port: str = ""
    origin: str = ""

    @property
    def href(self) -> str:
        """The whole URL."""
        start = self.origin if self.hostname else self.protocol
        return f"{start}{self.pathname}{self.search}{self.hash_}"

    @classmethod
    def parse(cls, url: str) -> PageUrl:
        """Return the parts of an absolute URL."""
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        port_at = host.rfind(":", host.rfind("]") + 1)  # the colons of IPv6 are in brackets
        hostname, port = (host, "") if port_at < 0 else (host[:port_at], host[port_at + 1 :])
        return cls(
            pathname=parts.path or "/",
            search=f"?{parts.query}" if parts.query else "",
            hash_=f"#{parts.fragment}" if parts.fragment else "",
            protocol=f"{parts.scheme}:",
            hostname=hostname,
            port=port,
            origin=f"{parts.scheme}://{host}",
        )

    @classmethod
    def from_report(cls, report: Mapping[str, Any]) -> PageUrl:
        """Return the URL that a page has reported, without what a JupyterHub has added to it."""
        search = _text(report, "search")
        if is_under_hub(os.environ):
            query = drop_parameters(search.removeprefix("?"), HUB_PARAMETER.__eq__)
            search = f"?{query}" if query else ""
        return cls(
            pathname=_text(report, "pathname"),
            search=search,
            hash_=_text(report, "hash"),
            protocol=_text(report, "protocol"),
            hostname=_text(report, "hostname"),
            port=_text(report, "port"),
            origin=_text(report, "origin"),
        )


def _text(report: Mapping[str, Any], name: str) -> str:
    text = report.get(name, "")
    # A page may send what no URL holds; half a surrogate pair would fail wherever it is used.
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else ""
