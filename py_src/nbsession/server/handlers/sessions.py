"""Sessions, their periodic callbacks, and the tasks that their kernels run themselves."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from nbsession.server.refusals import refusing

from .api import NBSessionHandler


class SessionsHandler(NBSessionHandler):
    """``nbsession/api/sessions``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List the sessions, as their kernels last told."""
        services = self.services
        await self.answer_list("sessions", services.sessions.list(), serial=services.life.serial)


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
    """``nbsession/api/sessions/{kernel_id}/tasks/{name}/{order}``."""

    @web.authenticated
    @authorized
    async def post(self, kernel_id: str, name: str, order: str) -> None:
        """Pause, resume, run or cancel a task that a kernel runs itself."""
        with refusing():
            self.answer(await self.services.sessions.order_task(kernel_id, name, order))


HANDLERS = [
    (r"/sessions", SessionsHandler),
    (r"/sessions/([^/]+)", SessionHandler),
    (r"/sessions/([^/]+)/callbacks/([^/]+)", SessionCallbackHandler),
    (r"/sessions/([^/]+)/tasks/([^/]+)/([^/]+)", SessionTaskHandler),
]
