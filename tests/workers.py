"""A server's scheduler with real workers, without the server: an engine on a loop of its own."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import sys
import textwrap
import threading
import time
from typing import TYPE_CHECKING, Any

import psutil

from nbsession.core.schedule.clock import SystemClock
from nbsession.core.schedule.parse import make_trigger
from nbsession.core.tasks.spec import Home, Policies, Target, TaskSpec
from nbsession.scheduler.api.service import EngineTaskService
from nbsession.scheduler.engine.engine import Engine
from nbsession.scheduler.stores.memory import MemoryStore
from nbsession.scheduler.workers.executor import WorkerExecutor

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

WAIT_SECONDS = 60.0

Row = dict[str, Any]


def wait_for(condition: Callable[[], Any]) -> Any:
    """Return what a condition gives once it is true."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)
    return value


def is_alive(pid: int) -> bool:
    """Return whether a process is there and no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Workers:
    """An engine, its executor, and a folder of modules; used from the test's thread."""

    def __init__(self, folder: Path, setups: tuple[str, ...] = (), **options: Any) -> None:
        self.folder = folder
        self.log: list[logging.LogRecord] = []
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self._numbers = itertools.count(1)
        paths = [str(folder / setup) for setup in setups]
        self.call(self._open(paths, options))

    async def _open(self, setups: list[str], options: dict[str, Any]) -> None:
        log = logging.Logger("workers")  # noqa: LOG001 - one of its own, without the root's handlers
        handler = logging.Handler()
        handler.emit = self.log.append  # type: ignore[method-assign]
        log.addHandler(handler)
        self.executor = WorkerExecutor(log, setups=setups, **options)
        self.engine = Engine(MemoryStore(clock=SystemClock()), self.executor, SystemClock(), log)
        self.engine.open()
        self.service = EngineTaskService(self.engine, asyncio.get_running_loop())
        self.executor.service = self.service

    def close(self) -> None:
        """End everything."""
        self.call(self.engine.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the loop."""
        waiting = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        return waiting.result(WAIT_SECONDS)

    def start_setups(self) -> None:
        """Run the setup scripts."""
        self.call(self.executor.start_setups())

    def notify(self, event: str, context: Row) -> None:
        """Notify the setup scripts of a session."""
        notify = getattr(self.executor, f"session_{event}")
        self.loop.call_soon_threadsafe(notify, context)

    def write(self, name: str, source: str) -> None:
        """Write a file as an editor does."""
        part = self.folder / f"{name}.part"
        part.write_text(textwrap.dedent(source))
        part.replace(self.folder / name)

    def home(self, python: str = sys.executable) -> Home:
        """Return where the folder's modules run."""
        return Home(python, str(self.folder))

    def begin(
        self,
        target: str,
        *args: Any,
        home: Home | None = None,
        schedule: Row | None = None,
        **policies: Any,
    ) -> str:
        """Schedule `module:function`, once and now if nothing else is said; return its name."""
        module, qualname = target.split(":")
        name = f"{qualname}-{next(self._numbers)}"
        when = {"at": None, "period": None, "cron": None, "tz": None, **(schedule or {})}
        spec = TaskSpec(
            name,
            Target("import", module, qualname),
            make_trigger(**when, now_us=SystemClock().now_us()),
            args=args,
            policies=Policies(**policies),
            home=home or self.home(),
        )
        self.service.schedule(spec.to_json(), replace=False)
        return name

    def row(self, name: str) -> Row:
        """Return the newest run of a task, once there is one."""
        return wait_for(lambda: self.service.history(name, 1))[0]

    def end(self, name: str) -> Row:
        """Return the newest run of a task once it is final."""
        row = self.row(name)
        return wait_for(
            lambda: (
                done
                if (done := self.service.wait_for_run(row["id"], 1.0))
                and done["state"] not in {"queued", "running"}
                else None
            )
        )

    def run(self, target: str, *args: Any, **options: Any) -> Row:
        """Run `module:function` once; return its row."""
        return self.end(self.begin(target, *args, **options))

    def pids(self) -> list[int]:
        """Return the processes of workers that can be given work."""
        return [row["pid"] for row in self.executor.status() if row["pid"]]

    def logged(self) -> str:
        """Return all that was logged."""
        return "\n".join(record.getMessage() for record in list(self.log))

    def kill_worker(self) -> int:
        """Kill the only worker, as the system does when it has no memory left."""
        (pid,) = self.pids()
        os.kill(pid, 9)
        return pid
