"""What a page tells of itself."""

from __future__ import annotations

import re

from jupyter_server.auth.decorator import authorized
from tornado import web

from nbsession.server.refusals import BadRequestError, NoSuchSessionError, refusing

from .api import NBSessionHandler


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
            bound = self.services.bind_page(kernel_id, query, path, self)
            if bound is None:
                raise NoSuchSessionError(kernel_id)
            self.answer({"bound": bound})


def _is_path(path: object) -> bool:
    return (
        isinstance(path, str)
        and re.fullmatch(r"/(?!/)[!-~]*", path) is not None
        and (not set(path) & set("?#"))
    )


HANDLERS = [(r"/sessions/([^/]+)/page", PageHandler)]
