"""What a page tells of itself."""

from __future__ import annotations

import json

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

MAX_QUERY_BYTES = 64 * 1024


class PageHandler(APIHandler):
    """``PUT nbsession/api/sessions/{kernel_id}/page``: JupyterLab sends its page's query."""

    auth_resource = "nbsession"

    @web.authenticated
    @authorized
    def put(self, kernel_id: str) -> None:
        """Add the query to the session, if this page is the one that is waited for."""
        if len(self.request.body) > MAX_QUERY_BYTES:
            raise web.HTTPError(413, f"The body may have {MAX_QUERY_BYTES:,} bytes at most.")
        bound = self.settings["nbsession"].bind_page(kernel_id, self._query(), self)
        if bound is None:
            raise web.HTTPError(404, f"No kernel {kernel_id} with a session.")
        self.finish(json.dumps({"bound": bound}))

    def _query(self) -> str:
        body = self.get_json_body()
        query = body.get("query") if isinstance(body, dict) else None
        if not isinstance(query, str):
            raise web.HTTPError(400, 'The body must be an object like {"query": "city=Paris&n=3"}.')
        return query


HANDLERS = [(r"/sessions/([^/]+)/page", PageHandler)]
