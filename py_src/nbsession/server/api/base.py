"""The base of all handlers of the REST API."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_async
from jupyter_server.base.handlers import APIHandler
from tornado import web

from nbsession.core.schedule.instant import iso_text
from nbsession.server.errors import RefusedError
from nbsession.server.validation import json_object

if TYPE_CHECKING:
    from nbsession.server.services import SessionServices

MAX_BODY_BYTES = 64 * 1024


class NBSessionHandler(APIHandler):
    """A resource of ours: JSON in, JSON out, errors as JSON with their kind."""

    auth_resource = "nbsession"

    @property
    def services(self) -> SessionServices:
        """All that nbsession does in this server."""
        services: SessionServices = self.settings["nbsession"]
        return services

    def body(self) -> dict[str, Any]:
        """Return the JSON object that was sent; {} for an empty body."""
        if len(self.request.body) > MAX_BODY_BYTES:
            raise web.HTTPError(413, f"The body may have {MAX_BODY_BYTES:,} bytes at most.")
        return json_object(self.request.body)

    def answer(self, data: Any) -> None:
        """Send JSON."""
        self.finish(json.dumps(data))

    async def answer_list(self, name: str, rows: list[Any], **more: Any) -> None:
        """Send a list, with the server's clock and whether this user may change things."""
        writable = await ensure_async(
            self.authorizer.is_authorized(self, self.current_user, "write", self.auth_resource)
        )
        now = iso_text(datetime.now(UTC))
        self.answer({"now": now, "writable": bool(writable), name: rows, **more})

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send the error as JSON."""
        error = kwargs.get("exc_info", (None, None))[1]
        if isinstance(error, RefusedError):
            self.finish(json.dumps(error.body))
        else:
            super().write_error(status_code, **kwargs)


class NoSuchPathHandler(NBSessionHandler):
    """All other paths below ``nbsession/api``: Jupyter's own answer would be a page."""

    async def prepare(self, **options: Any) -> None:
        """Refuse."""
        await super().prepare(**options)
        raise RefusedError(404, "no_such_path", f"nothing is at {self.request.path[:200]}")
