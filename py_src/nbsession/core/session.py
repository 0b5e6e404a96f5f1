"""A session: as its server describes it to a kernel, and as callbacks get it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from .references import part_of_state
from .request import Request, User

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class SessionInfo:
    """A session as its server knows it."""

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
        return vars(self) | {
            "request": self.request.to_json() if self.request else None,
            "user": asdict(self.user) if self.user else None,
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


def takes_context(callback: Callable[..., Any]) -> bool:
    """Return whether a callback must be given an argument: the `SessionContext`.

    A parameter with a default is left alone: ``lambda name=name: …`` is how a loop binds a name.
    """
    import inspect

    try:
        signature = inspect.signature(callback)
    except ValueError:  # a builtin that does not say
        return False
    try:
        signature.bind()
    except TypeError:
        pass
    else:
        return any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values())
    try:
        signature.bind(None)
    except TypeError:
        raise TypeError(
            "a session callback takes the SessionContext, or nothing; "
            f"{getattr(callback, '__qualname__', callback)}{signature} cannot be called so"
        ) from None
    return True


def _request_of_state() -> Request | None:
    request: Request | None = part_of_state("request")
    return request


@dataclass(frozen=True)
class SessionContext:
    """One session: a kernel, seen from its page.

    Attributes
    ----------
    id
        The session's own; the kernel's where there is one.
    kernel_id
        The kernel's on its server; None in a plain Python process.
    started_at
        When it began, aware UTC. On the server: when its kernel was there and its visitor known; in
        a kernel: when nbsession was loaded.
    ended_at
        When it ended, aware UTC; None while it lives.
    find_request
        Finds what `request` shows.
    """

    id: str
    kernel_id: str | None
    started_at: datetime
    ended_at: datetime | None = None
    find_request: Callable[[], Request | None] = field(
        default=lambda: None, repr=False, compare=False
    )

    @property
    def request(self) -> Request | None:
        """The request of the session's page, None without one.

        Found when it is asked for: in a preheated Voilà kernel that waits for the visitor.
        """
        return self.find_request()

    def __reduce__(self) -> tuple[Any, ...]:
        # The request, as any, is a reference to that of the process in which this arrives.
        times = self.started_at, self.ended_at
        return SessionContext, (self.id, self.kernel_id, *times, _request_of_state)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads: with the request's headers and cookies."""
        request = self.request
        return {
            "id": self.id,
            "kernel_id": self.kernel_id,
            "started_at": self.started_at.isoformat(),
            "ended_at": self.ended_at.isoformat() if self.ended_at else None,
            "request": request.to_json() if request else None,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SessionContext:
        """Read what `to_json` wrote."""
        request = Request.from_json(data["request"]) if data["request"] else None
        return cls(
            id=data["id"],
            kernel_id=data["kernel_id"],
            started_at=datetime.fromisoformat(data["started_at"]),
            ended_at=datetime.fromisoformat(data["ended_at"]) if data["ended_at"] else None,
            find_request=lambda: request,
        )
