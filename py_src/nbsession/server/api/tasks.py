"""Global tasks and their runs."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from nbsession.scheduler.engine.store_writer import patiently
from nbsession.server.errors import NoSuchRunError, refusing
from nbsession.server.validation import carry_out, limit_of, truth_of

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
            rows = await patiently(tasks.board.list)
            serial = self.services.serial
            await self.answer_list("tasks", rows, problem=tasks.problem, serial=serial)


class TaskHandler(NBSessionHandler):
    """``nbsession/api/tasks/{name}``."""

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """Show a task."""
        with refusing():
            self.answer(await patiently(partial(self.services.tasks.board.show, name)))

    @web.authenticated
    @authorized
    async def delete(self, name: str) -> None:
        """Cancel a task."""
        with refusing():
            await patiently(partial(self.services.tasks.board.cancel, name, wait=False))
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
            runs = await patiently(partial(self.services.tasks.board.history, name, limit))
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
                run = await patiently(partial(self.services.tasks.board.run, int(run_id)))
            if run is None or run["task"] != name:
                raise NoSuchRunError(name, run_id)
            self.answer(run)


class TaskOrderHandler(NBSessionHandler):
    """``nbsession/api/tasks/{name}/{order}``."""

    @web.authenticated
    @authorized
    async def post(self, name: str, order: str) -> None:
        """Pause, resume, run or cancel a task."""
        with refusing():
            board, body = self.services.tasks.board, self.body()
            self.answer(await patiently(partial(carry_out, board, name, order, body)))


def _without_text(run: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in run.items() if name not in ("output", "traceback")}


HANDLERS = [
    (r"/tasks", TasksHandler),
    (r"/tasks/([^/]+)", TaskHandler),
    (r"/tasks/([^/]+)/runs", TaskRunsHandler),
    (r"/tasks/([^/]+)/runs/([^/]+)", TaskRunHandler),
    (r"/tasks/([^/]+)/([^/]+)", TaskOrderHandler),
]
