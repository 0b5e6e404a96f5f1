"""What kernels, and the owner at the command line, may ask and order of tasks over the link."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from nbsession.scheduler.patience import patiently

from .arguments import id_of, limit_of, seconds_of
from .link_handler import KERNEL_OR_OWNER, OWNER, LinkHandler
from .link_handlers import MAX_HOLD_SECONDS
from .refusals import refusing
from .task_declaration import MAX_DECLARATION_BYTES, checked_declaration
from .task_orders import carry_out

if TYPE_CHECKING:
    from .late_board import LateBoard
    from .tasks import TaskService


class _TaskLinkHandler(LinkHandler):
    @property
    def tasks(self) -> TaskService:
        return self.services.tasks

    @property
    def board(self) -> LateBoard:
        return self.tasks.board


class _TasksHandler(_TaskLinkHandler):
    max_body_bytes = MAX_DECLARATION_BYTES

    async def get(self) -> None:
        with refusing():
            self.answer({"tasks": await patiently(self.board.list)})

    async def post(self) -> None:
        with refusing():
            spec, replace = checked_declaration(self.body(), self.tasks.can_run)
            schedule = partial(self.board.schedule, spec, replace=replace)
            self.answer(await patiently(schedule))


class _TaskHandler(_TaskLinkHandler):
    async def get(self, name: str) -> None:
        with refusing():
            task_id = id_of(self.get_query_argument("id", None))
            self.answer(await patiently(partial(self.board.show, name, task_id)))


class _TaskRunsHandler(_TaskLinkHandler):
    async def get(self, name: str) -> None:
        with refusing():
            limit = limit_of(self.get_query_argument("limit", None))
            task_id = id_of(self.get_query_argument("id", None))
            runs = await patiently(partial(self.board.history, name, limit, task_id))
            self.answer({"runs": runs})


class _TaskOrderHandler(_TaskLinkHandler):
    async def post(self, name: str, order: str) -> None:
        with refusing():
            do = partial(carry_out, self.board, name, order, self.body())
            self.answer(await patiently(do))


class _RunHandler(_TaskLinkHandler):
    """A run; the answer is held back until it is final, and then null if it is not kept."""

    async def get(self, run_id: str) -> None:
        with refusing():
            seconds = seconds_of(self.get_query_argument("seconds", None), MAX_HOLD_SECONDS)
            self.answer(await self.hold(self.tasks.wait_for_run(int(run_id), seconds)))


class _StatusHandler(LinkHandler):
    """What the owner wants to know of this server, to see what is wrong."""

    def get(self) -> None:
        with refusing():
            self.answer(self.services.life.status())


HANDLERS = [
    (KERNEL_OR_OWNER + "tasks", _TasksHandler),
    (KERNEL_OR_OWNER + r"tasks/([^/]+)", _TaskHandler),
    (KERNEL_OR_OWNER + r"tasks/([^/]+)/runs", _TaskRunsHandler),
    (KERNEL_OR_OWNER + r"tasks/([^/]+)/([a-z]+)", _TaskOrderHandler),
    (KERNEL_OR_OWNER + r"runs/([0-9]{1,18})", _RunHandler),
    (OWNER + "status", _StatusHandler),
]
