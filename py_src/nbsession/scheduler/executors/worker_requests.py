"""What workers want of their server: answers about its tasks, and lines in its log."""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context
from typing import TYPE_CHECKING, Any, Protocol

from nbsession.core.current_run import CurrentRun, current_run
from nbsession.scheduler.board import TaskBoard

if TYPE_CHECKING:
    from collections.abc import Collection
    from logging import Logger

    from .worker_messages import Message
    from .worker_process import WorkerProcess

_QUESTIONS = ("list", "show", "history", "run", "schedule", "cancel", "pause", "resume", "run_now")


class WorkerBoard(TaskBoard, Protocol):
    """The tasks that workers work on."""

    def retain(self, owner: str, names: Collection[str]) -> None:
        """Take those tasks off that a setup script does not declare any more."""

    async def until_final(self, run_id: int, seconds: float) -> dict[str, Any] | None:
        """Return a run once it is final, or as it is after so long; None if it is unknown."""


class WorkerRequests:
    """Answers workers; on the loop.

    Parameters
    ----------
    log
        The server's.

    Attributes
    ----------
    board
        The tasks; set once they are there.
    """

    def __init__(self, log: Logger) -> None:
        self.board: WorkerBoard | None = None
        self._log = log
        self._waiting: set[asyncio.Task[None]] = set()

    def take(self, worker: WorkerProcess, message: Message) -> None:
        """Do what a worker wants."""
        if message["op"] == "log":
            self._write(worker, message)
        elif message["what"] == "wait_for_run":
            task = asyncio.get_running_loop().create_task(self._answer_later(worker, message))
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)
        else:
            self._answer(worker, message)

    def settled(self, worker: WorkerProcess, tasks: list[str] | None) -> None:
        """Keep just what a setup script has declared; if it has raised, nothing that it has added.

        What it has changed of tasks that were there before stays changed.
        """
        setup = worker.home.setup
        if self.board is None or setup is None:
            return
        try:
            if tasks is not None:
                self.board.retain(setup, tasks)
                return
            for name in worker.made:
                self.board.cancel(name, wait=False)
        except Exception:  # noqa: BLE001 - a database that fails for the moment; the worker is good
            self._log.exception("nbsession: the tasks of %s could not be brought in line", setup)

    def _answer(self, worker: WorkerProcess, message: Message) -> None:
        context = Context()
        if message["run"] is not None:  # whose code asks: it does not cancel itself
            asking = CurrentRun(message["run"], "", None, 1, lambda _fraction, _text: None)
            context.run(current_run.set, asking)
        try:
            value = context.run(self._ask, worker, message)
        except Exception as error:  # noqa: BLE001 - raised again where it was asked
            self._refuse(worker, message, error)
        else:
            worker.send({"op": "answer", "job": message["job"], "value": value})

    def _ask(self, worker: WorkerProcess, message: Message) -> Any:
        what, args, kwargs = message["what"], message["args"], message["kwargs"]
        if self.board is None or what not in _QUESTIONS:
            raise RuntimeError(f"this server has no {what!r} for tasks")
        if what != "schedule":
            return getattr(self.board, what)(*args, **kwargs)
        scheduled = self.board.schedule(*args, **kwargs)
        if args[0]["target"]["kind"] == "setup" and scheduled["outcome"] != "exists":
            name = args[0]["name"]
            worker.declared.add(name)
            if scheduled["outcome"] == "made":
                worker.made.append(name)
        return scheduled

    async def _answer_later(self, worker: WorkerProcess, message: Message) -> None:
        try:
            if self.board is None:
                raise RuntimeError("this server has no tasks")  # noqa: TRY301 - as any other failure
            value = await self.board.until_final(*message["args"])
        except Exception as error:  # noqa: BLE001 - raised again where it was asked
            self._refuse(worker, message, error)
        else:
            worker.send({"op": "answer", "job": message["job"], "value": value})

    def _refuse(self, worker: WorkerProcess, message: Message, error: Exception) -> None:
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        answer = {"op": "answer", "job": message["job"]}
        worker.send({**answer, "error": type(error).__name__, "message": text})

    def _write(self, worker: WorkerProcess, message: Message) -> None:
        level = logging.getLevelNamesMapping().get(message["level"].upper(), logging.INFO)
        text, trace = _one_line(message["text"]), message.get("trace")
        if trace is not None:
            text += "\n" + "\n".join(map(_one_line, trace.splitlines()))
        self._log.log(level, "[%s] %s", worker.name, text)


def _one_line(text: str) -> str:
    """Escape control characters: no task is to forge a line of the log."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
