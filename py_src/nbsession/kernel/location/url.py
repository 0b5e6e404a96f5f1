"""The URL of a page, in the parts that a browser gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from nbsession.core.environment import HUB_PARAMETER
from nbsession.core.query import drop_parameters
from nbsession.core.text import well_formed

if TYPE_CHECKING:
    from collections.abc import Mapping


class PageUrl(NamedTuple):
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
        """Return the URL that a page has reported."""
        texts = [report.get(name.removesuffix("_")) for name in cls._fields]
        return cls(*[well_formed(text) if isinstance(text, str) else "" for text in texts])

    def without_hub_parameter(self) -> PageUrl:
        """Return the URL without what a JupyterHub has added to it."""
        query = drop_parameters(self.search.removeprefix("?"), HUB_PARAMETER.__eq__)
        return self._replace(search=f"?{query}" if query else "")
