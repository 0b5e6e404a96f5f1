"""What the server tells a kernel about its session."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from .request import Request
from .user import User

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class SessionInfo:
    """A session as its server knows it.

    Attributes
    ----------
    kernel_id, base_url, app_url
        As the server says; None where no server does. `app_url` is the path of the page's app.
    bound
        Whether the visitor is known. False only while a preheated kernel waits for one.
    page_pending
        Whether the page's own query has yet to come (JupyterLab sends it after the kernel starts).
    request, user
        The visitor's; None if there is none.
    root_dir
        The folder that the server serves; None where no server does.
    """

    kernel_id: str | None = None
    base_url: str | None = None
    app_url: str | None = None
    bound: bool = True
    page_pending: bool = False
    request: Request | None = None
    user: User | None = None
    root_dir: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the values as JSON; `from_json` reads them back."""
        return {
            "kernel_id": self.kernel_id,
            "base_url": self.base_url,
            "app_url": self.app_url,
            "bound": self.bound,
            "page_pending": self.page_pending,
            "request": self.request.to_json() if self.request else None,
            "user": asdict(self.user) if self.user else None,
            "root_dir": self.root_dir,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SessionInfo:
        """Read what `to_json` wrote."""
        request, user = data["request"], data["user"]
        return cls(
            kernel_id=data["kernel_id"],
            base_url=data["base_url"],
            app_url=data["app_url"],
            bound=data["bound"],
            page_pending=data["page_pending"],
            request=Request.from_json(request) if request else None,
            user=User(**user) if user else None,
            root_dir=data.get("root_dir"),
        )
