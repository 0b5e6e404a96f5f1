"""A location on the loop of a test, with windows that are played."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

from nbsession.core.request import Request
from nbsession.core.session import SessionInfo
from nbsession.kernel.link.session_info import Session
from nbsession.kernel.location.location import Location
from nbsession.kernel.page.onload import Loading
from played_pages import PlayedPages
from turns import runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

URL = "http://h:8866/app/render/a.ipynb?id=007&x="
PARTS = ("href", "origin", "protocol", "hostname", "port", "pathname", "search", "hash_")


class KnownSession(Session):
    """A session whose server has answered."""

    def __init__(self, url: str | None = None, *, page_pending: bool = False) -> None:
        super().__init__(None, None)
        if url is not None:
            request = Request("GET", url, "", "", host_kind="voila")
            self._known = SessionInfo(request=request, page_pending=page_pending)

    def _suffices(self, known: SessionInfo, need: str) -> bool:
        return True


class Played:
    """A location with what it is made of."""

    def __init__(self, made: Any, url: str | None, **known: bool) -> None:
        self.runtime, self.pages = made, PlayedPages()
        session, pages = KnownSession(url, **known), self.pages
        loading = Loading(made, session, pages)  # type: ignore[arg-type]
        self.location = Location(made, session, pages, loading)  # type: ignore[arg-type]


@contextmanager
def playing(url: str | None = None, **known: bool) -> Iterator[Played]:
    with runtime() as made:
        yield Played(made, url, **known)


async def turn() -> None:
    """Let the loop end this turn, with what was put off to its end."""
    for _ in range(3):
        await asyncio.sleep(0)


def parts_of(location: Location) -> list[str]:
    return [getattr(location, part) for part in PARTS]


def asynchronous(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test on a loop of its own."""

    @wraps(test)
    def run(**fixtures: Any) -> None:
        asyncio.run(test(**fixtures))

    return run
