"""The tasks of setup scripts: those that a script has declared, and no others."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING

from nbsession.core.errors import NoSuchTaskError, StoreBusyError
from nbsession.scheduler.patience import patiently

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from logging import Logger

    from .worker_requests import WorkerBoard


class SetupTasks:
    """Takes off what a setup script does not declare; waits for a busy store, but not for ever.

    On the loop. What a newer worker of the same script declares meanwhile stays. After
    `patience.BUSY_SECONDS` it gives up, and says so in the log; the script's next run tries anew.

    Parameters
    ----------
    log
        The server's.
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
        """Do all that can be done.

        Raises
        ------
        StoreBusyError
            If something is left to do.
        """
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
