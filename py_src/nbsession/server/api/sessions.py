"""Sessions, their periodic callbacks, and the tasks that their kernels run themselves."""

from __future__ import annotations

import re

from jupyter_server.auth.decorator import authorized
from tornado import web

from nbsession.server.errors import BadRequestError, refusing

from .base import NBSessionHandler


class SessionsHandler(NBSessionHandler):
    """``nbsession/api/sessions``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List the sessions, by the last reports of their kernels."""
        services = self.services
        await self.answer_list("sessions", services.sessions.list(), serial=services.serial)


class SessionHandler(NBSessionHandler):
    """``nbsession/api/sessions/{kernel_id}``."""

    @web.authenticated
    @authorized
    async def get(self, kernel_id: str) -> None:
        """Show a session as it is now."""
        with refusing():
            self.answer(await self.services.sessions.show(kernel_id))


class SessionCallbackHandler(NBSessionHandler):
    """``nbsession/api/sessions/{kernel_id}/callbacks/{callback_id}``."""

    @web.authenticated
    @authorized
    async def post(self, kernel_id: str, callback_id: str) -> None:
        """Start or stop a periodic callback, or give it another period."""
        with refusing():
            sessions = self.services.sessions
            self.answer(await sessions.set_callback(kernel_id, callback_id, self.body()))


class SessionTaskHandler(NBSessionHandler):
    """``nbsession/api/sessions/{kernel_id}/tasks/{name}/{action}``."""

    @web.authenticated
    @authorized
    async def post(self, kernel_id: str, name: str, action: str) -> None:
        """Pause, resume, run or cancel a task that a kernel runs itself."""
        with refusing():
            self.answer(await self.services.sessions.act_on_task(kernel_id, name, action))


class PageHandler(NBSessionHandler):
    """``PUT nbsession/api/sessions/{kernel_id}/page``: a page sends its query."""

    @web.authenticated
    @authorized
    def put(self, kernel_id: str) -> None:
        """Add the query to the session, if this page is the one that is waited for."""
        with refusing():
            body = self.body()
            query, path = body.get("query"), body.get("path")
            if not isinstance(query, str):
                message = 'the body must be an object like {"query": "city=Paris&n=3"}'
                raise BadRequestError(message)
            if not (query.isascii() and query.isprintable()):
                message = "query must be percent-encoded, as a page's location.search is"
                raise BadRequestError(message)
            if path is not None and not _is_path(path):
                message = "path must be percent-encoded, as a page's location.pathname is"
                raise BadRequestError(message)
            self.answer({"bound": self.services.bind_page(kernel_id, query, path, self)})


def _is_path(path: object) -> bool:
    return (
        isinstance(path, str)
        and re.fullmatch(r"/(?!/)[!-~]*", path) is not None
        and (not set(path) & set("?#"))
    )


HANDLERS = [
    (r"/sessions", SessionsHandler),
    (r"/sessions/([^/]+)", SessionHandler),
    (r"/sessions/([^/]+)/callbacks/([^/]+)", SessionCallbackHandler),
    (r"/sessions/([^/]+)/tasks/([^/]+)/([^/]+)", SessionTaskHandler),
    (r"/sessions/([^/]+)/page", PageHandler),
]
