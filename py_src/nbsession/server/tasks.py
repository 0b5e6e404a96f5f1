"""The global tasks of one server: when their scheduler is made, and when it ends."""

from __future__ import annotations

import asyncio
import contextvars
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from jupyter_core.paths import jupyter_data_dir

from nbsession.core.errors import NoSuchTaskError, StoreBusyError, StoreError
from nbsession.scheduler.stores.sqlite.files import database_path

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from nbsession.core.session import SessionContext
    from nbsession.core.tasks.schema import RunsJSON, ScheduledJSON, TaskJSON
    from nbsession.core.tasks.spec import Home, TaskSpec
    from nbsession.scheduler.abc import Store
    from nbsession.scheduler.api.service import EngineBoard, TaskBoard
    from nbsession.scheduler.engine.engine import Engine
    from nbsession.scheduler.engine.events import Changes
    from nbsession.scheduler.stores.sqlite.store import SqliteStore
    from nbsession.scheduler.workers.executor import WorkerExecutor
    from nbsession.server.sessions.sessions import Lifecycle

    from .config import Host, NBSession


class LateBoard:
    """A `TaskBoard`; on the server's event loop only."""

    def __init__(self, find: Callable[[], TaskBoard | None], make: Callable[[], TaskBoard]) -> None:
        self._find = find
        self._make = make

    def list(self) -> list[TaskJSON]:
        """Return every task that holds its name, in the order of names."""
        board = self._find()
        return board.list() if board is not None else []

    def show(self, name: str, task_id: int | None = None) -> TaskJSON:
        """Return one task."""
        return self._named(name).show(name, task_id)

    def history(self, name: str, limit: int, task_id: int | None = None) -> RunsJSON:
        """Return runs as `Run.to_json` gives them, the newest first."""
        return self._named(name).history(name, limit, task_id)

    def run(self, run_id: int) -> dict[str, Any] | None:
        """Return a run by its id."""
        board = self._find()
        return board.run(run_id) if board is not None else None

    def schedule(self, spec: Mapping[str, Any], *, replace: bool) -> ScheduledJSON:
        """Declare a task by its `TaskSpec.to_json`; idempotent by name."""
        board = self._make()
        # Timers keep the context in which they were set: not that of a visitor's request.
        return contextvars.Context().run(board.schedule, spec, replace=replace)

    def cancel(self, name: str, *, wait: bool) -> None:
        """Take a task off; with `wait` after one more run."""
        contextvars.Context().run(self._named(name).cancel, name, wait=wait)

    def pause(self, name: str) -> TaskJSON:
        """Let nothing be due until it is resumed."""
        return contextvars.Context().run(self._named(name).pause, name)

    def resume(self, name: str) -> TaskJSON:
        """Go on: the next occurrence is the first one after now."""
        return contextvars.Context().run(self._named(name).resume, name)

    def run_now(self, name: str) -> dict[str, Any]:
        """Run at once, by the task's overlap policy; return the run's row as it is now."""
        return contextvars.Context().run(self._named(name).run_now, name)

    def _named(self, name: str) -> TaskBoard:
        board = self._find()
        if board is None:
            raise NoSuchTaskError(name)
        return board


_FRESH_SECONDS = 1.0


class RunnableHomes:
    """Tells whether tasks can run here; looks at the disk once a second and home at most."""

    def __init__(self, setups: Collection[str], python: str | None) -> None:
        self._setups = frozenset(setups)
        self._python = python
        self._seen: dict[Home, tuple[float, bool]] = {}

    def can_run(self, spec: TaskSpec) -> bool:
        """Return whether this server has a task's setup script, folder and interpreter."""
        home = spec.home
        if home is None:
            return False
        now = time.monotonic()
        until, found = self._seen.get(home, (0.0, False))
        if now >= until:
            found = self._is_here(home)
            self._seen[home] = now + _FRESH_SECONDS, found
        return found

    def _is_here(self, home: Home) -> bool:
        if home.setup is not None and home.setup not in self._setups:
            return False
        # Path.is_dir raises for what cannot be reached, and one home must not hide all the others.
        is_there = all(map(os.path.isdir, (home.folder, home.directory)))
        return is_there and os.access(self._python or home.python, os.X_OK)


PAGE_WAIT_SECONDS = 1.0
"""How long a page may take to send its query before it counts as sent none; as in the kernel."""


class HearsSessions(Protocol):
    """Has the hooks of setup scripts called; the worker executor."""

    def session_created(self, session: dict[str, Any]) -> None:
        """Call the hooks for a session that has begun."""

    def session_destroyed(self, session: dict[str, Any]) -> None:
        """Call the hooks for a session that has ended."""


class _SessionNotifier:
    """Notifies a worker of sessions, of each that begins once its page's query is known.

    What it sends holds the visitor's headers and cookies: it goes over the worker's own channel,
    and nowhere else.
    """

    def __init__(self, lifecycle: Lifecycle, worker: HearsSessions) -> None:
        self._lifecycle = lifecycle
        self._worker = worker
        self._waiting: dict[str, tuple[SessionContext, asyncio.Task[None]]] = {}

    def created(self, session: SessionContext) -> None:
        """Notify of a session that has begun."""
        if not self._lifecycle.is_page_pending(session.id):
            self._worker.session_created(session.to_json())
            return
        wait = asyncio.get_running_loop().create_task(
            self._created_later(session), context=contextvars.Context()
        )
        self._waiting[session.id] = session, wait

    async def _created_later(self, session: SessionContext) -> None:
        await self._lifecycle.wait_for_page(session.id, PAGE_WAIT_SECONDS)
        if self._waiting.pop(session.id, None):
            self._worker.session_created(session.to_json())

    def destroyed(self, session: SessionContext) -> None:
        """Notify of a session that has ended, after its beginning."""
        if session.id in self._waiting:
            begun, wait = self._waiting.pop(session.id)
            wait.cancel()
            self._worker.session_created(begun.to_json())
        self._worker.session_destroyed(session.to_json())


def tell_sessions(lifecycle: Lifecycle, worker: HearsSessions) -> None:
    """Notify of the sessions that live and of all that follow."""
    notifier = _SessionNotifier(lifecycle, worker)
    for session in lifecycle.sessions:
        notifier.created(session)
    lifecycle.subscribe(notifier.created, notifier.destroyed)


MEMORY = ":memory:"


def configured_database(configured: str, root: str) -> Path | None:
    """Return the database's path, None if nothing is to be kept."""
    if configured == MEMORY:
        return None
    if configured:
        return Path(configured).expanduser().absolute()
    return database_path(Path(jupyter_data_dir()), Path(root))


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
        """Return the ids of the runs that go on in this server's workers."""
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
        from nbsession.scheduler.api.service import EngineBoard
        from nbsession.scheduler.workers.executor import WorkerExecutor

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
        from nbsession.core.schedule.clock import SystemClock
        from nbsession.scheduler.abc import HistoryLimits
        from nbsession.scheduler.engine.engine import Engine
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
            from nbsession.scheduler.stores.sqlite.store import SqliteStore

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
