"""Sessions, their periodic callbacks, and the tasks that their kernels run themselves."""

from __future__ import annotations

import re

from jupyter_server.auth.decorator import authorized
from tornado import web

from nbsession.server.errors import BadRequestError, refusing

from .base import NBSessionHandler


class _SessionsHandler(NBSessionHandler):
    """The sessions, by the last reports of their kernels."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        services = self.services
        await self.answer_list("sessions", services.sessions.list(), serial=services.serial)


class _SessionHandler(NBSessionHandler):
    """A session, by a new report of its kernel."""

    @web.authenticated
    @authorized
    async def get(self, kernel_id: str) -> None:
        with refusing():
            self.answer(await self.services.sessions.show(kernel_id))


class _SessionCallbackHandler(NBSessionHandler):
    """A periodic callback: start, stop, or another period."""

    @web.authenticated
    @authorized
    async def post(self, kernel_id: str, callback_id: str) -> None:
        with refusing():
            sessions = self.services.sessions
            self.answer(await sessions.set_callback(kernel_id, callback_id, self.body()))


class _SessionTaskHandler(NBSessionHandler):
    """An action on a task that a kernel runs itself."""

    @web.authenticated
    @authorized
    async def post(self, kernel_id: str, name: str, action: str) -> None:
        with refusing():
            self.answer(await self.services.sessions.act_on_task(kernel_id, name, action))


class _PageHandler(NBSessionHandler):
    """The page of a session, which sends its query and path."""

    @web.authenticated
    @authorized
    def put(self, kernel_id: str) -> None:
        with refusing():
            body = self.body()
            query, path = body.get("query"), body.get("path")
            if not isinstance(query, str):
                raise BadRequestError('the body must be an object like {"query": "city=Paris&n=3"}')
            if not (query.isascii() and query.isprintable()):
                raise BadRequestError(
                    "query must be percent-encoded, as a page's location.search is"
                )
            if path is not None and not _is_path(path):
                raise BadRequestError(
                    "path must be percent-encoded, as a page's location.pathname is"
                )
            self.answer({"bound": self.services.bind_page(kernel_id, query, path, self)})


def _is_path(path: object) -> bool:
    return (
        isinstance(path, str)
        and re.fullmatch(r"/(?!/)[!-~]*", path) is not None
        and (not set(path) & set("?#"))
    )


HANDLERS = [
    (r"/sessions", _SessionsHandler),
    (r"/sessions/([^/]+)", _SessionHandler),
    (r"/sessions/([^/]+)/callbacks/([^/]+)", _SessionCallbackHandler),
    (r"/sessions/([^/]+)/tasks/([^/]+)/([^/]+)", _SessionTaskHandler),
    (r"/sessions/([^/]+)/page", _PageHandler),
]
