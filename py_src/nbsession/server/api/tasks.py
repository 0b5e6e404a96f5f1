"""Global tasks and their runs."""

from __future__ import annotations

import re
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from nbsession.server.errors import NoSuchRunError, refusing
from nbsession.server.validation import limit_of, truth_of

from .base import NBSessionHandler

_RUN_ID = re.compile(r"[0-9]{1,18}")  # more, and SQLite could not hold it


class TasksHandler(NBSessionHandler):
    """``nbsession/api/tasks``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List the tasks."""
        tasks = self.services.tasks
        with refusing():
            rows = await tasks.serve("list")
            serial = self.services.serial
            await self.answer_list("tasks", rows, problem=tasks.problem, serial=serial)


class TaskHandler(NBSessionHandler):
    """``nbsession/api/tasks/{name}``."""

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """Show a task."""
        with refusing():
            self.answer(await self.services.tasks.serve("show", name))

    @web.authenticated
    @authorized
    async def delete(self, name: str) -> None:
        """Cancel a task."""
        with refusing():
            await self.services.tasks.serve("cancel", name, wait=False)
        self.set_status(204)
        self.finish()


class TaskRunsHandler(NBSessionHandler):
    """``nbsession/api/tasks/{name}/runs``."""

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """List a task's runs, the newest first."""
        with refusing():
            limit = limit_of(self.get_query_argument("limit", None))
            with_text = truth_of("text", self.get_query_argument("text", "true"))
            runs = await self.services.tasks.serve("history", name, limit)
            await self.answer_list("runs", runs if with_text else list(map(_without_text, runs)))


class TaskRunHandler(NBSessionHandler):
    """``nbsession/api/tasks/{name}/runs/{run_id}``."""

    @web.authenticated
    @authorized
    async def get(self, name: str, run_id: str) -> None:
        """Show a run."""
        with refusing():
            run = None
            if _RUN_ID.fullmatch(run_id):
                run = await self.services.tasks.serve("run", int(run_id))
            if run is None or run["task"] != name:
                raise NoSuchRunError(name, run_id)
            self.answer(run)


class TaskActionHandler(NBSessionHandler):
    """``nbsession/api/tasks/{name}/{action}``."""

    @web.authenticated
    @authorized
    async def post(self, name: str, action: str) -> None:
        """Pause, resume, run or cancel a task."""
        with refusing():
            self.answer(await self.services.tasks.serve_action(name, action, self.body()))


def _without_text(run: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in run.items() if name not in ("output", "traceback")}


HANDLERS = [
    (r"/tasks", TasksHandler),
    (r"/tasks/([^/]+)", TaskHandler),
    (r"/tasks/([^/]+)/runs", TaskRunsHandler),
    (r"/tasks/([^/]+)/runs/([^/]+)", TaskRunHandler),
    (r"/tasks/([^/]+)/([^/]+)", TaskActionHandler),
]
