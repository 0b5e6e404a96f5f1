"""The global tasks of one server: their scheduler, opened when it is first needed."""

from __future__ import annotations

import asyncio
import contextvars
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_core.paths import jupyter_data_dir

from nbsession.core.errors import NoSuchTaskError, StoreBusyError, StoreError
from nbsession.scheduler.engine.store_writer import patiently
from nbsession.scheduler.stores.sqlite.files import database_path

from .errors import BadRequestError
from .validation import TASK_ACTIONS, flag_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from nbsession.core.session import SessionContext
    from nbsession.core.tasks.schema import TaskJSON
    from nbsession.core.tasks.spec import Home, TaskSpec
    from nbsession.scheduler.abc import Store
    from nbsession.scheduler.api.service import EngineTaskService
    from nbsession.scheduler.engine.engine import Engine
    from nbsession.scheduler.engine.events import Changes
    from nbsession.scheduler.stores.sqlite.store import SqliteStore
    from nbsession.scheduler.workers.executor import WorkerExecutor
    from nbsession.server.sessions.sessions import Lifecycle

    from .config import Host, NBSession

_FRESH_SECONDS = 1.0


class RunnableHomes:
    """The homes whose tasks can run here; looks at the disk once a second and home at most."""

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
"""The wait for a page's query before it counts as sent none; as in the kernel."""


class SessionNotifier:
    """Notifies setup scripts of sessions; of a new one once its page's query is known.

    What it sends holds the visitor's headers and cookies: it goes over the worker's own channel,
    and nowhere else.
    """

    def __init__(self, lifecycle: Lifecycle, worker: WorkerExecutor) -> None:
        self._lifecycle = lifecycle
        self._worker = worker
        self._waiting: dict[str, tuple[SessionContext, asyncio.Task[None]]] = {}
        for session in lifecycle.sessions:
            self._created(session)
        lifecycle.subscribe(self._created, self._destroyed)

    def _created(self, session: SessionContext) -> None:
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

    def _destroyed(self, session: SessionContext) -> None:
        if session.id in self._waiting:
            created, wait = self._waiting.pop(session.id)
            wait.cancel()
            self._worker.session_created(created.to_json())
        self._worker.session_destroyed(session.to_json())


MEMORY = ":memory:"


def configured_database(configured: str, root: str) -> Path | None:
    """Return the database's path, None if nothing is to be stored."""
    if configured == MEMORY:
        return None
    if configured:
        return Path(configured).expanduser().absolute()
    return database_path(Path(jupyter_data_dir()), Path(root))


SETUP_WAIT_SECONDS = 5.0
"""The longest wait of a kernel's start for setup scripts that have not run yet."""

CLOSE_SECONDS = 10.0
"""For the end; the worker gives hooks and runs about half of that."""

_RETRY_SECONDS = 1.0
_LOOK_SECONDS = 5.0
_BUSY_SECONDS = 0.1


class TaskManager:
    """Opens the scheduler when it is first needed, and closes it with the server.

    A server without setup scripts and without a database of tasks has none: no worker, no file, no
    import. Lives on the server's event loop, and is used by nothing else.
    """

    def __init__(self, configuration: NBSession, host: Host, lifecycle: Lifecycle) -> None:
        self._configuration = configuration
        self._log = configuration.log
        self._host = host
        self._lifecycle = lifecycle
        self._engine: Engine | None = None
        self._service: EngineTaskService | None = None
        self._worker: WorkerExecutor | None = None
        self._store: SqliteStore | None = None
        self._busy: tuple[float, str] = 0.0, ""  # until when not to try again, and why
        self._setups_ran: asyncio.Task[None] | None = None
        self._listeners: list[Callable[[Changes], object]] = []
        self._closed = False
        self._has_warned = False
        self.problem: str | None = None
        self.database = configured_database(configuration.database, host.root)
        self.setups = tuple(str(Path(each).expanduser().absolute()) for each in configuration.setup)
        self._python = configuration.worker_python or None
        self.can_run = RunnableHomes(self.setups, self._python).can_run

    def start(self) -> None:
        """Begin: on the server's event loop, once that runs."""
        if self._closed or self._service is not None:
            return
        seconds = _LOOK_SECONDS  # another server may begin the database
        if self.setups or self._has_database():
            try:
                self._open()
            except StoreBusyError as error:
                if not self._has_warned:
                    self._has_warned = True
                    self._log.warning("nbsession: tasks have to wait: %s", error)
                seconds = _RETRY_SECONDS
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, self.start, context=contextvars.Context())

    def subscribe(self, on_changes: Callable[[Changes], object]) -> None:
        """Call on the loop with every change from now on."""
        self._listeners.append(on_changes)

    async def setups_ran(self) -> None:
        """Wait until the setup scripts have run, but not longer than a kernel's start may."""
        if self._setups_ran is not None and not self._setups_ran.done():
            await asyncio.wait([self._setups_ran], timeout=SETUP_WAIT_SECONDS)

    # -- requests ----------------------------------------------------------------------------------

    async def serve(self, verb: str, *args: Any, **options: Any) -> Any:
        """Return the answer to a request of another process, a method of `TaskService`.

        Waits while others hold the database, but not for ever.
        """
        # Timers keep the context in which they were set: not that of a visitor's request.
        return await patiently(lambda: contextvars.Context().run(self._serve, verb, args, options))

    async def serve_action(self, name: str, action: str, body: Mapping[str, Any]) -> Any:
        """Pause, resume, run or cancel a task; return the answer's JSON."""
        if action == "cancel":
            await self.serve("cancel", name, wait=flag_of(body, "wait"))
            return {"name": name}
        if action in TASK_ACTIONS:
            return await self.serve("run_now" if action == "run" else action, name)
        raise BadRequestError(
            f"no action {action!r} on a task; there are {', '.join(TASK_ACTIONS)}"
        )

    async def wait_for_run(self, run_id: int, seconds: float) -> dict[str, Any] | None:
        """Return a run once it is final, or as it is after so long; None if it is unknown."""
        service = self._find()
        return await service.until_final(run_id, seconds) if service is not None else None

    def find(self, name: str) -> TaskJSON | None:
        """Return the task that holds a name; None if there is none."""
        service = self._find()
        try:
            return service.show(name) if service is not None else None
        except NoSuchTaskError:
            return None

    def status(self) -> dict[str, Any]:
        """Return the state of tasks and workers for the owner."""
        problem, tasks = self.problem, 0
        try:
            service = self._find()
            tasks = len(service.list()) if service is not None else 0
        except StoreBusyError as error:
            problem = str(error)
        return {
            "problem": problem,
            "database": str(self.database) if self.database is not None else MEMORY,
            "file_notice": self._store.file_notice if self._store is not None else None,
            "tasks": tasks,
            "setups": list(self.setups),
            "workers": self._worker.status() if self._worker is not None else [],
        }

    def begun(self) -> list[int]:
        """Return the ids of the runs in this server's workers that were not told to end."""
        return self._engine.begun() if self._engine is not None else []

    def _serve(self, verb: str, args: Sequence[Any], options: Mapping[str, Any]) -> Any:
        if verb != "schedule" and self._find() is None:
            if verb == "list":
                return []
            if verb == "run":
                return None
            raise NoSuchTaskError(args[0])
        from nbsession.scheduler.api.service import checked_request

        try:
            request = checked_request(verb, args, options, self._check)
        except ValueError as error:
            raise BadRequestError(str(error)) from error
        return request(self._open())

    def _check(self, spec: TaskSpec) -> None:
        from nbsession.scheduler.api.declare import check_spec

        check_spec(spec)
        if not self.can_run(spec):
            home = spec.home
            raise ValueError(
                f"the server cannot run task {spec.name!r}: it needs the interpreter "
                f"{home.python if home else None} and the folders {home.folder if home else None} "
                f"and {home.directory if home else None} on the server's machine"
            )

    # -- the scheduler -----------------------------------------------------------------------------

    def _has_database(self) -> bool:
        try:
            return self.database is not None and self.database.exists()
        except OSError:
            return True  # to open it will show what is wrong

    def _find(self) -> EngineTaskService | None:
        if self._service is None and self._has_database():
            return self._open()
        return self._service

    def _open(self) -> EngineTaskService:
        if self._service is None:
            if self._closed:
                raise StoreError("the server is stopping: its tasks go on when it runs again")
            now = asyncio.get_running_loop().time()
            until, text = self._busy
            if now < until:  # one try is enough for all that ask meanwhile
                raise StoreBusyError(text)
            try:
                # Timers and the worker must not live in the context of a visitor's request.
                self._service = contextvars.Context().run(self._make_service)
            except StoreBusyError as error:
                self._busy = now + _BUSY_SECONDS, str(error)
                raise
        return self._service

    def _make_service(self) -> EngineTaskService:
        # Late: a server that has no tasks pays for none of it.
        from nbsession.scheduler.api.service import EngineTaskService
        from nbsession.scheduler.workers.executor import WorkerExecutor

        loop = asyncio.get_running_loop()
        worker = WorkerExecutor(
            self._log,
            python=self._python,
            setups=self.setups,
            base_url=self._host.base_url,
            root_dir=self._host.root,
        )
        engine = self._open_engine(worker)
        engine.subscribe(self._notify)
        worker.service = service = EngineTaskService(engine, loop)
        self._engine, self._worker = engine, worker
        if self.setups:
            SessionNotifier(self._lifecycle, worker)
            self._setups_ran = loop.create_task(self._run_setups(worker))
        return service

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

            store = SqliteStore(self.database, clock, self._log, limits, waits=False)
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

    def _notify(self, changes: Changes) -> None:
        for listener in self._listeners:
            listener(changes)

    async def close(self) -> None:
        """Let the hooks of sessions run that have ended, then end the worker and the scheduler."""
        self._closed = True
        engine, self._engine, self._service = self._engine, None, None
        if engine is None:
            return
        try:
            # First nothing is due any more, then the hooks run, then the workers end.
            async with asyncio.timeout(CLOSE_SECONDS):
                await engine.close()
        except Exception:  # noqa: BLE001 - logged; the server goes on
            self._log.exception("nbsession: the tasks' scheduler did not end as it should")
