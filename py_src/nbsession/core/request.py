"""The request of the page that a session belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from .headers import Cookies, Headers
from .references import PartOfState

if TYPE_CHECKING:
    from collections.abc import Mapping

HostKind = Literal["lab", "notebook", "voila"]


@dataclass(frozen=True, repr=False)
class Request(PartOfState):
    """The request of the page that started a session. It never changes.

    Attributes
    ----------
    method
        Of the page's request, ``"GET"`` for a page.
    url
        The page's absolute URL without fragment. What opens the Jupyter server itself (a ``token``)
        is left out here and everywhere below.
    path, query
        The parts of `url`; `query` is percent-encoded and has no ``?``.
    headers, cookies
        In JupyterLab and Notebook: of the request with which the page started the kernel.
    remote_ip
        The visitor's address as the server sees it.
    received_at
        When the server had the request, aware UTC.
    host_kind
        What serves the page: ``"lab"``, ``"notebook"``, ``"voila"``; None if no page asked.
    """

    _path: ClassVar[str] = "request"

    method: str
    url: str
    path: str
    query: str
    headers: Headers = field(default_factory=Headers)
    cookies: Cookies = field(default_factory=Cookies)
    remote_ip: str = ""
    received_at: datetime | None = None
    host_kind: HostKind | None = None

    def __repr__(self) -> str:
        # No header and no cookie: outputs are saved with the notebook.
        return (
            f"<Request {self.method} {self.url!r} host_kind={self.host_kind!r} "
            f"{len(self.headers)} headers, {len(self.cookies)} cookies>"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the request as JSON values; `from_json` reads them back."""
        return vars(self) | {
            "headers": [list(item) for item in self.headers.items_all()],
            "cookies": dict(self.cookies),
            "received_at": self.received_at.isoformat() if self.received_at else None,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Request:
        """Read what `to_json` wrote."""
        received_at = data["received_at"]
        return cls(
            method=data["method"],
            url=data["url"],
            path=data["path"],
            query=data["query"],
            headers=Headers((name, value) for name, value in data["headers"]),
            cookies=Cookies(data["cookies"]),
            remote_ip=data["remote_ip"],
            received_at=datetime.fromisoformat(received_at) if received_at else None,
            host_kind=data["host_kind"],
        )


@dataclass(frozen=True)
class User(PartOfState):
    """The Jupyter identity of a visitor.

    Attributes
    ----------
    username
        Unique among the server's users.
    name, display_name
        For people to read.
    initials, color
        For a badge; either may be None.
    """

    _path: ClassVar[str] = "user"

    username: str
    name: str
    display_name: str
    initials: str | None = None
    color: str | None = None
