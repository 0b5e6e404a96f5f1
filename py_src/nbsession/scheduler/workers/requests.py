"""What workers want of their server: answers about its tasks, and lines in its log."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

from nbsession.core.errors import NoSuchTaskError, StoreBusyError
from nbsession.core.tasks.run import CurrentRun, current_run
from nbsession.core.tasks.spec import TaskSpec
from nbsession.core.text import printable, printable_lines
from nbsession.core.tracebacks import MAX_ERROR_CHARACTERS, clean
from nbsession.scheduler.api.declare import check_spec
from nbsession.scheduler.api.service import TaskBoard
from nbsession.scheduler.engine.store_writer import patiently

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping
    from logging import Logger

    from .messages import Message
    from .process import WorkerProcess


class SetupTasks:
    """Takes off what a setup script does not declare; waits for a busy store, but not for ever.

    On the loop. What a newer worker of the same script declares meanwhile stays. After
    `patience.BUSY_SECONDS` it gives up, and says so in the log; the script's next run tries anew.
    """

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._kept: dict[str, set[str]] = {}
        self._dropped: dict[str, dict[str, int]] = {}
        self._later: set[asyncio.Task[None]] = set()

    def declared(self, setup: str, name: str) -> None:
        """Take note that the script has just declared a task."""
        if setup in self._kept:
            self._kept[setup].add(name)
        self._dropped.get(setup, {}).pop(name, None)

    def keep(self, board: WorkerBoard, setup: str, names: Collection[str]) -> None:
        """Have these tasks be all that the script has."""
        self._kept[setup] = set(names)
        self._align(board, setup)

    def drop(self, board: WorkerBoard, setup: str, tasks: Mapping[str, int]) -> None:
        """Take these tasks of the script off, given by name and id."""
        self._dropped.setdefault(setup, {}).update(tasks)
        self._align(board, setup)

    def close(self) -> None:
        """Give up what could not be done yet."""
        for task in self._later:
            task.cancel()

    def _align(self, board: WorkerBoard, setup: str) -> None:
        try:
            self._try(board, setup)
        except StoreBusyError:
            waiting = self._align_later(board, setup)
            task = asyncio.get_running_loop().create_task(waiting, context=Context())
            self._later.add(task)
            task.add_done_callback(self._later.discard)

    async def _align_later(self, board: WorkerBoard, setup: str) -> None:
        try:
            await patiently(lambda: self._try(board, setup))
        except StoreBusyError:
            self._kept.pop(setup, None)
            self._dropped.pop(setup, None)
            self._log.exception("nbsession: the tasks of %s could not be brought in line", setup)

    def _try(self, board: WorkerBoard, setup: str) -> None:
        """Do all that can be done."""
        busy: list[StoreBusyError] = []

        def is_done(step: Callable[[], None]) -> bool:
            try:
                step()
            except StoreBusyError as error:
                busy.append(error)
                return False
            except Exception:  # noqa: BLE001 - one task is not to keep the others
                self._log.exception("nbsession: a task of %s could not be taken off", setup)
            return True

        kept = self._kept.get(setup)
        if kept is not None and is_done(lambda: board.retain(setup, kept)):
            del self._kept[setup]
        dropped = self._dropped.get(setup, {})
        for name, task_id in tuple(dropped.items()):
            if is_done(partial(_take_off, board, name, task_id)):
                del dropped[name]
        if busy:
            raise busy[0]
        self._dropped.pop(setup, None)


def _take_off(board: WorkerBoard, name: str, task_id: int) -> None:
    with suppress(NoSuchTaskError):  # it has gone by itself, after its last run
        if board.show(name)["id"] == task_id:
            board.cancel(name, wait=False)


MAX_LINES_PER_SECOND = 500
"""In the log, of one worker with all processes of its runs: each of them counts its own too."""

MAX_RUNS = 10_000
MAX_WAIT_SECONDS = 3_600

_QUESTIONS = ("list", "show", "history", "run", "schedule", "cancel", "pause", "resume", "run_now")


class WorkerBoard(TaskBoard, Protocol):
    """The tasks that workers work on."""

    def retain(self, owner: str, names: Collection[str]) -> None:
        """Take those tasks off that a setup script does not declare any more."""

    async def until_final(self, run_id: int, seconds: float) -> dict[str, Any] | None:
        """Return a run once it is final, or as it is after so long; None if it is unknown."""


class WorkerRequests:
    """Answers workers; on the loop."""

    def __init__(self, log: Logger) -> None:
        self.board: WorkerBoard | None = None
        self._log = log
        self._setup_tasks = SetupTasks(log)
        self._waiting: dict[asyncio.Task[None], WorkerProcess] = {}
        self._lines: WeakKeyDictionary[WorkerProcess, tuple[float, int]] = WeakKeyDictionary()

    def take(self, worker: WorkerProcess, message: Message) -> None:
        """Do what a worker wants."""
        if message["op"] == "log":
            self._write(worker, message)
        elif message["what"] == "wait_for_run":
            wait = self._wait_for_run
            self._answer_later(
                worker, message, lambda: wait(*message["args"], **message["kwargs"]), Context()
            )
        else:
            self._answer(worker, message)

    def settled(self, worker: WorkerProcess, tasks: list[str] | None) -> None:
        """Keep just what a setup script has declared; if it has raised, nothing that it has added.

        What it has changed of tasks that were there before stays changed.
        """
        setup = worker.home.setup
        if self.board is None or setup is None:
            return
        if tasks is not None:
            self._setup_tasks.keep(self.board, setup, tasks)
            return
        for task, asker in self._waiting.items():
            if asker is worker:  # what it has asked for is not to be done after all
                task.cancel()
        self._setup_tasks.drop(self.board, setup, worker.made)

    def close(self) -> None:
        """Answer no more."""
        self._setup_tasks.close()
        for task in self._waiting:
            task.cancel()

    def _answer(self, worker: WorkerProcess, message: Message) -> None:
        context = Context()
        if message["run"] is not None:  # whose code asks: it does not cancel itself
            asking = CurrentRun(message["run"], "", None, 1, lambda _fraction, _text: None)
            context.run(current_run.set, asking)
        try:
            value = context.run(self._ask, worker, message)
        except StoreBusyError:
            ask = self._ask
            self._answer_later(
                worker, message, lambda: patiently(lambda: ask(worker, message)), context
            )
        except Exception as error:  # noqa: BLE001 - raised again where it was asked
            self._refuse(worker, message, error)
        else:
            worker.send({"op": "answer", "job": message["job"], "value": value})

    def _ask(self, worker: WorkerProcess, message: Message) -> Any:
        what, args, kwargs = message["what"], message["args"], message["kwargs"]
        if self.board is None or what not in _QUESTIONS:
            raise RuntimeError(f"this server has no {what!r} for tasks")
        if what == "history":
            return self._history(self.board, *args, **kwargs)
        if what != "schedule":
            return getattr(self.board, what)(*args, **kwargs)
        check_spec(TaskSpec.from_json(*args), worker.home)
        scheduled = self.board.schedule(*args, **kwargs)
        if args[0]["target"]["kind"] == "setup" and scheduled["outcome"] != "exists":
            task = scheduled["task"]
            worker.declared.add(task["id"])
            if worker.home.setup is not None:
                self._setup_tasks.declared(worker.home.setup, task["name"])
            if scheduled["outcome"] == "made":
                worker.made[task["name"]] = task["id"]
        return scheduled

    @staticmethod
    def _history(board: WorkerBoard, name: str, limit: int, task_id: int | None = None) -> Any:
        if limit < 0:
            raise ValueError("the number of runs is 0 or more")
        return board.history(name, min(limit, MAX_RUNS), task_id)

    def _answer_later(
        self,
        worker: WorkerProcess,
        message: Message,
        ask: Callable[[], Awaitable[Any]],
        context: Context,
    ) -> None:
        answering = self._wait_and_answer(worker, message, ask)
        task = asyncio.get_running_loop().create_task(answering, context=context)
        self._waiting[task] = worker
        task.add_done_callback(self._waiting.pop)

    async def _wait_for_run(self, run_id: int, seconds: float) -> dict[str, Any] | None:
        if not 0 <= seconds <= MAX_WAIT_SECONDS:
            raise ValueError(f"seconds is a number from 0 to {MAX_WAIT_SECONDS}")
        if self.board is None:
            raise RuntimeError("this server has no tasks")
        return await self.board.until_final(run_id, seconds)

    async def _wait_and_answer(
        self, worker: WorkerProcess, message: Message, ask: Callable[[], Awaitable[Any]]
    ) -> None:
        try:
            value = await ask()
        except Exception as error:  # noqa: BLE001 - raised again where it was asked
            self._refuse(worker, message, error)
        else:
            worker.send({"op": "answer", "job": message["job"], "value": value})

    def _refuse(self, worker: WorkerProcess, message: Message, error: Exception) -> None:
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        answer = {"op": "answer", "job": message["job"]}
        text = clean(text, MAX_ERROR_CHARACTERS)
        worker.send({**answer, "error": type(error).__name__, "message": text})

    def _write(self, worker: WorkerProcess, message: Message) -> None:
        now = time.monotonic()
        since, count = self._lines.get(worker, (now, 0))
        if now - since >= 1:
            if count > MAX_LINES_PER_SECOND:
                left_out = count - MAX_LINES_PER_SECOND
                self._log.warning("[%s] %d lines left out", worker.name, left_out)
            since, count = now, 0
        self._lines[worker] = since, count + 1
        if count >= MAX_LINES_PER_SECOND:
            return
        level = logging.getLevelNamesMapping()[message["level"].upper()]
        # No task is to forge a line of the log.
        text, trace = printable(message["text"]), message.get("trace")
        if trace is not None:
            text += "\n" + printable_lines(trace)
        self._log.log(level, "[%s] %s", worker.name, text)
