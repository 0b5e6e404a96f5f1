"""The requests of workers: to the server's tasks, and lines for its log."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from nbsession.core.errors import NoSuchTaskError, StoreBusyError, name_of_error
from nbsession.core.tasks.run import CurrentRun, current_run
from nbsession.core.text import LineLimit, printable, printable_lines
from nbsession.core.tracebacks import MAX_ERROR_CHARACTERS, clean
from nbsession.scheduler.api.declare import check_spec
from nbsession.scheduler.api.service import checked_request
from nbsession.scheduler.engine.store_writer import patiently

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping
    from logging import Logger

    from nbsession.scheduler.api.service import EngineTaskService

    from .messages import Message
    from .process import WorkerProcess


class SetupTasks:
    """Removes what a setup script does not declare; waits for a busy store, but not for ever.

    On the loop. What a newer worker of the same script declares meanwhile stays. When it gives up,
    it says so in the log; the script's next run tries again.
    """

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._declared: dict[str, set[str]] = {}
        self._withdrawn: dict[str, dict[str, int]] = {}
        self._later: set[asyncio.Task[None]] = set()

    def declared(self, setup: str, name: str) -> None:
        """Note that the script has just declared a task."""
        if setup in self._declared:
            self._declared[setup].add(name)
        self._withdrawn.get(setup, {}).pop(name, None)

    def retain(self, service: EngineTaskService, setup: str, names: Collection[str]) -> None:
        """Have these tasks be all that the script has."""
        self._declared[setup] = set(names)
        self._align(service, setup)

    def withdraw(self, service: EngineTaskService, setup: str, tasks: Mapping[str, int]) -> None:
        """Cancel these tasks of the script, given by name and id."""
        self._withdrawn.setdefault(setup, {}).update(tasks)
        self._align(service, setup)

    def close(self) -> None:
        """Give up what could not be done yet."""
        for task in self._later:
            task.cancel()

    def _align(self, service: EngineTaskService, setup: str) -> None:
        try:
            self._try(service, setup)
        except StoreBusyError:
            waiting = self._align_later(service, setup)
            task = asyncio.get_running_loop().create_task(waiting, context=Context())
            self._later.add(task)
            task.add_done_callback(self._later.discard)

    async def _align_later(self, service: EngineTaskService, setup: str) -> None:
        try:
            await patiently(lambda: self._try(service, setup))
        except StoreBusyError:
            self._declared.pop(setup, None)
            self._withdrawn.pop(setup, None)
            self._log.exception("nbsession: the tasks of %s could not be brought in line", setup)

    def _try(self, service: EngineTaskService, setup: str) -> None:
        """Do all that can be done."""
        busy: list[StoreBusyError] = []

        def is_done(step: Callable[[], None]) -> bool:
            try:
                step()
            except StoreBusyError as error:
                busy.append(error)
                return False
            except Exception:  # noqa: BLE001 - one task must not keep the others
                self._log.exception("nbsession: a task of %s could not be cancelled", setup)
            return True

        declared = self._declared.get(setup)
        if declared is not None and is_done(lambda: service.retain(setup, declared)):
            del self._declared[setup]
        withdrawn = self._withdrawn.get(setup, {})
        for name, task_id in tuple(withdrawn.items()):
            if is_done(partial(_cancel, service, name, task_id)):
                del withdrawn[name]
        if busy:
            raise busy[0]
        self._withdrawn.pop(setup, None)


def _cancel(service: EngineTaskService, name: str, task_id: int) -> None:
    with suppress(NoSuchTaskError):  # it was removed by itself, after its last run
        if service.show(name)["id"] == task_id:
            service.cancel(name, wait=False)


MAX_LINES_PER_SECOND = 500
"""In the log, of one worker with all processes of its runs: each of them counts its own too."""

MAX_WAIT_SECONDS = 3_600


class WorkerRequests:
    """Answers workers; on the loop."""

    def __init__(self, log: Logger) -> None:
        self.service: EngineTaskService | None = None
        self._log = log
        self._setup_tasks = SetupTasks(log)
        self._waiting: dict[asyncio.Task[None], WorkerProcess] = {}
        self._limits: WeakKeyDictionary[WorkerProcess, LineLimit] = WeakKeyDictionary()

    def take(self, worker: WorkerProcess, message: Message) -> None:
        """Carry out a worker's request."""
        if message["op"] == "log":
            self._write(worker, message)
            return
        context = Context()
        if message["run"] is not None:  # whose code asks: it does not cancel itself
            asking = CurrentRun(message["run"], "", None, 1, lambda _fraction, _text: None)
            context.run(current_run.set, asking)
        if message["what"] == "wait_for_run":
            wait = partial(self._wait_for_run, *message["args"], **message["kwargs"])
            self._answer_later(worker, message, wait, context)
            return
        try:
            answer = {"value": context.run(self._serve, worker, message)}
        except StoreBusyError:
            wait = partial(patiently, partial(self._serve, worker, message))
            self._answer_later(worker, message, wait, context)
        except Exception as error:  # noqa: BLE001 - raised again in the worker
            self._answer(worker, message, _error_json(error))
        else:
            self._answer(worker, message, answer)

    def settled(self, worker: WorkerProcess, tasks: list[str] | None) -> None:
        """Keep just what a setup script has declared; if it has raised, nothing that it has added.

        What it has changed of tasks that were there before stays changed.
        """
        setup = worker.home.setup
        if self.service is None or setup is None:
            return
        if tasks is not None:
            self._setup_tasks.retain(self.service, setup, tasks)
            return
        for task, requester in self._waiting.items():
            if requester is worker:  # its requests are not to be done after all
                task.cancel()
        self._setup_tasks.withdraw(self.service, setup, worker.made)

    def close(self) -> None:
        """Answer no more."""
        self._setup_tasks.close()
        for task in self._waiting:
            task.cancel()

    def _serve(self, worker: WorkerProcess, message: Message) -> Any:
        verb, args = message["what"], message["args"]
        check = partial(check_spec, declarer=worker.home)
        request = checked_request(verb, args, message["kwargs"], check)
        if self.service is None:
            raise RuntimeError("this server has no tasks")
        answer = request(self.service)
        if verb == "schedule" and args[0]["target"]["kind"] == "setup":
            self._declared(worker, answer["outcome"], answer["task"])
        return answer

    def _declared(self, worker: WorkerProcess, outcome: str, task: Mapping[str, Any]) -> None:
        if outcome == "exists":
            return
        worker.declared.add(task["id"])
        if worker.home.setup is not None:
            self._setup_tasks.declared(worker.home.setup, task["name"])
        if outcome == "made":
            worker.made[task["name"]] = task["id"]

    async def _wait_for_run(self, run_id: int, seconds: float) -> dict[str, Any] | None:
        if not 0 <= seconds <= MAX_WAIT_SECONDS:
            raise ValueError(f"seconds is a number from 0 to {MAX_WAIT_SECONDS}")
        if self.service is None:
            raise RuntimeError("this server has no tasks")
        return await self.service.until_final(run_id, seconds)

    def _answer_later(
        self,
        worker: WorkerProcess,
        message: Message,
        wait: Callable[[], Awaitable[Any]],
        context: Context,
    ) -> None:
        async def answer() -> None:
            try:
                result = {"value": await wait()}
            except Exception as error:  # noqa: BLE001 - raised again in the worker
                result = _error_json(error)
            self._answer(worker, message, result)

        task = asyncio.get_running_loop().create_task(answer(), context=context)
        self._waiting[task] = worker
        task.add_done_callback(self._waiting.pop)

    @staticmethod
    def _answer(worker: WorkerProcess, message: Message, answer: Mapping[str, Any]) -> None:
        worker.send({"op": "answer", "job": message["job"], **answer})

    def _write(self, worker: WorkerProcess, message: Message) -> None:
        limit = self._limits.setdefault(worker, LineLimit(MAX_LINES_PER_SECOND))
        if not limit.take():
            return
        if left_out := limit.take_left_out():
            self._log.warning("[%s] %d lines left out", worker.name, left_out)
        level = logging.getLevelNamesMapping()[message["level"].upper()]
        # No task is to forge a line of the log.
        text, trace = printable(message["text"]), message.get("trace")
        if trace is not None:
            text += "\n" + printable_lines(trace)
        self._log.log(level, "[%s] %s", worker.name, text)


def _error_json(error: Exception) -> dict[str, str]:
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return {"error": name_of_error(error), "message": clean(text, MAX_ERROR_CHARACTERS)}
