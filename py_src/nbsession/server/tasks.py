"""The global tasks of one server: when their scheduler is made, and when it ends."""

from __future__ import annotations

import asyncio
import contextvars
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbsession.core.errors import StoreBusyError, StoreError

from .late_board import LateBoard
from .runnable import RunnableHomes
from .setup_hooks import tell_sessions
from .task_database import configured_database

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbsession.scheduler.abc import Store
    from nbsession.scheduler.engine import Engine
    from nbsession.scheduler.engine_board import EngineBoard
    from nbsession.scheduler.executors.worker import WorkerExecutor
    from nbsession.scheduler.news import Changes
    from nbsession.scheduler.stores.sqlite import SqliteStore

    from .configuration import NBSession
    from .host import Host
    from .lifecycle import Lifecycle

SETUP_PATIENCE_SECONDS = 5.0
"""How long a kernel's start may wait for setup scripts that have not run yet."""

CLOSE_SECONDS = 10.0
"""How long the end may take; the worker gives hooks and runs about half of that."""

_AGAIN_SECONDS = 1.0
_LOOK_SECONDS = 5.0
_HELD_SECONDS = 0.1


class TaskService:
    """Makes the scheduler when it is first needed, and ends it with the server.

    A server without setup scripts and without a database of tasks has none: no worker, no file, no
    import. Lives on the server's event loop, and is touched by nothing else.

    Parameters
    ----------
    configuration
        What the traits say.
    host
        The server.
    lifecycle
        Tells setup scripts of sessions.

    Attributes
    ----------
    board
        What can be asked and ordered.
    problem
        Why tasks are not kept, in words for the user; None if they are.
    database
        Where tasks are kept; None if they are not.
    setups
        Paths of the setup scripts.
    can_run
        Tells whether this server has everything for a task.
    """

    def __init__(self, configuration: NBSession, host: Host, lifecycle: Lifecycle) -> None:
        self._configuration = configuration
        self._log = configuration.log
        self._base_url = host.base_url
        self._root_dir = host.root
        self._lifecycle = lifecycle
        self._engine: Engine | None = None
        self._engine_board: EngineBoard | None = None
        self._worker: WorkerExecutor | None = None
        self._store: SqliteStore | None = None
        self._is_held: tuple[float, str] = 0.0, ""  # until when not to look, and by whom
        self._setups_ran: asyncio.Task[None] | None = None
        self._listeners: list[Callable[[Changes], object]] = []
        self._closed = False
        self._has_warned = False
        self.problem: str | None = None
        self.database = configured_database(configuration.database, host.root)
        self.setups = tuple(str(Path(each).expanduser().absolute()) for each in configuration.setup)
        self._python = configuration.worker_python or None
        self.can_run = RunnableHomes(self.setups, self._python).can_run
        self.board = LateBoard(self._find_board, self._make_board)

    def start(self) -> None:
        """Begin: on the server's event loop, once that runs."""
        if self._closed or self._engine_board is not None:
            return
        seconds = _LOOK_SECONDS  # another server may begin the database
        if self.setups or self._is_kept():
            try:
                self._make_board()
            except StoreBusyError as error:
                if not self._has_warned:
                    self._has_warned = True
                    self._log.warning("nbsession: tasks have to wait: %s", error)
                seconds = _AGAIN_SECONDS
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, self.start, context=contextvars.Context())

    def subscribe(self, on_changes: Callable[[Changes], object]) -> None:
        """Call on the loop with what has changed, from now on."""
        self._listeners.append(on_changes)

    async def setups_ran(self) -> None:
        """Wait until the setup scripts have run, but not longer than a kernel's start may."""
        if self._setups_ran is not None and not self._setups_ran.done():
            await asyncio.wait([self._setups_ran], timeout=SETUP_PATIENCE_SECONDS)

    async def wait_for_run(self, run_id: int, seconds: float) -> dict[str, Any] | None:
        """Return a run once it is final, or as it is after so long; None if it is unknown."""
        board = self._find_board()
        return await board.until_final(run_id, seconds) if board is not None else None

    def status(self) -> dict[str, Any]:
        """Return what the owner may want to know when something is wrong."""
        problem, tasks = self.problem, 0
        try:
            tasks = len(self.board.list())
        except StoreBusyError as error:
            problem = str(error)
        return {
            "problem": problem,
            "database": str(self.database) if self.database is not None else ":memory:",
            "file_notice": self._store.file_notice if self._store is not None else None,
            "tasks": tasks,
            "setups": list(self.setups),
            "workers": self._worker.status() if self._worker is not None else [],
        }

    def begun(self) -> list[int]:
        """Return the ids of the runs in this server's workers that were not told to end."""
        return self._engine.begun() if self._engine is not None else []

    async def close(self) -> None:
        """Let the hooks of sessions run that have ended, then end the worker and the scheduler."""
        self._closed = True
        engine, self._engine, self._engine_board = self._engine, None, None
        if engine is None:
            return
        try:
            # First nothing is due any more, then the hooks run, then the workers end.
            async with asyncio.timeout(CLOSE_SECONDS):
                await engine.close()
        except Exception:  # noqa: BLE001 - logged; the server goes on
            self._log.exception("nbsession: the tasks' scheduler did not end as it should")

    # -- the scheduler --------------------------------------------------------------------------

    def _is_kept(self) -> bool:
        try:
            return self.database is not None and self.database.exists()
        except OSError:
            return True  # to open it will tell what is wrong

    def _find_board(self) -> EngineBoard | None:
        if self._engine_board is None and self._is_kept():
            return self._make_board()
        return self._engine_board

    def _make_board(self) -> EngineBoard:
        if self._engine_board is None:
            if self._closed:
                message = "the server is stopping: its tasks go on when it runs again"
                raise StoreError(message)
            now = asyncio.get_running_loop().time()
            until, text = self._is_held
            if now < until:  # one look is enough for all that ask meanwhile
                raise StoreBusyError(text)
            try:
                # Timers and the worker must not live in the context of a visitor's request.
                self._engine_board = contextvars.Context().run(self._open)
            except StoreBusyError as error:
                self._is_held = now + _HELD_SECONDS, str(error)
                raise
        return self._engine_board

    def _open(self) -> EngineBoard:
        # Late: a server that has no tasks pays for none of it.
        from nbsession.scheduler.engine_board import EngineBoard
        from nbsession.scheduler.executors.worker import WorkerExecutor

        loop = asyncio.get_running_loop()
        worker = WorkerExecutor(
            self._log,
            python=self._python,
            setups=self.setups,
            base_url=self._base_url,
            root_dir=self._root_dir,
        )
        engine = self._open_engine(worker)
        engine.subscribe(self._tell)
        board = EngineBoard(engine, loop)
        worker.board = board
        self._engine, self._worker = engine, worker
        if self.setups:
            tell_sessions(self._lifecycle, worker)
            self._setups_ran = loop.create_task(self._run_setups(worker))
        return board

    def _open_engine(self, worker: WorkerExecutor) -> Engine:
        from nbsession.core.clock import SystemClock
        from nbsession.scheduler.abc import HistoryLimits
        from nbsession.scheduler.engine import Engine
        from nbsession.scheduler.stores.memory import MemoryStore

        clock = SystemClock()
        days = self._configuration.history_days
        seconds = None if days is None else days * 86_400
        limits = HistoryLimits(self._configuration.history_runs, seconds)

        def opened(store: Store) -> Engine:
            engine = Engine(store, worker, clock, self._log, can_run=self.can_run)
            engine.open()
            return engine

        if self.database is not None:
            from nbsession.scheduler.stores.sqlite import SqliteStore

            store = SqliteStore(self.database, clock, self._log, limits, is_patient=False)
            try:
                engine = opened(store)
            except StoreBusyError:
                raise
            except StoreError as error:
                self.problem = f"{error}; until then they are forgotten when this server ends"
                self._log.warning("nbsession: %s", self.problem)
                self.database = None
            else:
                self._store = store
                return engine
        return opened(MemoryStore(limits, clock))

    async def _run_setups(self, worker: WorkerExecutor) -> None:
        try:
            await worker.start_setups()
        except Exception:  # noqa: BLE001 - logged; the server goes on
            self._log.exception("nbsession: the setup scripts could not be run")

    def _tell(self, changes: Changes) -> None:
        for listener in self._listeners:
            listener(changes)
