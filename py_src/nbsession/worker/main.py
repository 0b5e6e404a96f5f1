"""The worker's process: its loop, and the orders that come to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from nbsession.core.link_http import PROTOCOL
from nbsession.core.tracebacks import error_text
from nbsession.core.tracebacks import user_traceback_text as traceback_text
from nbsession.core.version import __version__
from nbsession.scheduler.api.remote import RemoteTaskService
from nbsession.scheduler.workers.flags import BegunFlags
from nbsession.scheduler.workers.messages import STOPPED
from nbsession.worker.output.capture import divert, wait_until_read
from nbsession.worker.output.subprocesses import attribute_subprocesses

from . import state as active
from .callables import Targets, TriggerCode
from .channel import ServerLog
from .directory import WorkingDirectory
from .guard import Guard
from .runs import Runs, Tools
from .session_hooks import SessionHooks
from .state import WorkerState
from .tasks import WorkerTaskRouter
from .threads import ThreadPool
from .user_code import make_importable, run_setup

if TYPE_CHECKING:
    from nbsession.scheduler.workers.messages import Message
    from nbsession.scheduler.workers.sources import Stamp

    from .channel import Channel

_THREAD_SECONDS = 1.0
"""After how long a thread is asked for again."""


class WorkerProcess:
    """Does what the server says. Its messages are taken on a thread of their own."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._guard = Guard()
        self._loop = asyncio.new_event_loop()
        self._pool = ThreadPool()
        self._own_pool = ThreadPool()  # not to wait for threads that tasks have blocked
        self._begun = threading.Event()
        self._home: Message = {}
        self._runs: Runs | None = None

    def run(self) -> None:
        """Say hello, run the setup script if there is one, then whatever comes, until the end."""
        threading.Thread(target=self._read, name="nbsession-channel", daemon=True).start()
        hello = {"op": "hello", "protocol": PROTOCOL, "version": __version__}
        self._channel.send(hello)
        self._begun.wait()
        self._prepare(self._home)
        asyncio.set_event_loop(self._loop)
        while True:  # until `_stop` ends the process
            with contextlib.suppress(SystemExit, KeyboardInterrupt):  # of some task of a task
                self._loop.run_forever()

    def _read(self) -> None:
        try:
            self._channel.read(self._take)
        finally:  # the server has gone; nothing that we have started may stay behind
            if self._runs is not None:
                self._runs.kill_processes(STOPPED)
            os.killpg(0, signal.SIGKILL)

    def _prepare(self, home: Message) -> None:
        self._log = ServerLog(self._channel)
        divert(self._log)
        attribute_subprocesses()
        make_importable(home, self._on_read)
        self._targets = Targets(home["setup"])
        self._code = TriggerCode(self._channel, self._targets)
        self._hooks = SessionHooks(home["setup"])
        service = RemoteTaskService(self._channel.ask)
        self._router = WorkerTaskRouter(service, self._targets, home)
        active.state = WorkerState(self._log, self._router, self._hooks, home)
        pools = self._pool, self._own_pool
        flags = None if home["flags"] is None else BegunFlags(home["flags"])
        if flags is not None:
            flags.close_file()
        directory = WorkingDirectory()
        self._tools = Tools(self._channel, self._loop, *pools, self._guard, flags, directory)
        self._runs = Runs(self._tools, self._targets, home)
        if home["setup"] is None or self._set_up(home["setup"]):
            directory.watch()
            self._channel.send({"op": "ready", "tasks": self._targets.declared})

    def _set_up(self, path: str) -> bool:
        try:
            with self._router.setting_up():
                run_setup(path, self._on_read)
        except BaseException as error:  # noqa: BLE001 - the user's script; told, and tried again
            problem = {"error": error_text(error), "trace": traceback_text(error)}
            self._channel.send({"op": "broken", **problem})
            return False
        return True

    def _on_read(self, path: str, stamp: Stamp | None) -> None:
        self._channel.send({"op": "source", "path": path, "stamp": stamp})

    def _take(self, message: Message) -> None:
        """Deal with a message; on the channel's thread, so nothing here may take long."""
        op = message["op"]
        if op == "run" and self._runs is not None:
            self._runs.start(message)
        elif op == "cancel" and self._runs is not None:
            self._runs.cancel(message["job"], message["reason"])
        elif op == "abandon" and self._runs is not None:
            self._runs.abandon(message)
        elif op == "answer":
            self._channel.answered(message)
        elif op == "home":
            self._home = message
            self._begun.set()
        else:
            self._take_rare(op, message)

    def _take_rare(self, op: str, message: Message) -> None:
        match op:
            case "next":
                self._ask_code(message)
            case "session":
                tools = self._channel, self._log, self._own_pool
                self._loop.call_soon_threadsafe(self._hooks.tell, message, *tools)
            case "forget":
                self._targets.forget(message["of"])
                self._pool.forget(message["of"])
            case "ping":
                self._loop.call_soon_threadsafe(self._channel.send, {"op": "pong"})
            case "stop":
                self._loop.call_soon_threadsafe(self._begin_stop)

    def _ask_code(self, message: Message) -> None:
        try:
            self._own_pool.submit(lambda: self._code.answer(message))
        except RuntimeError:  # no thread can be started; to tell that would end the task for ever
            loop = self._loop
            loop.call_soon_threadsafe(loop.call_later, _THREAD_SECONDS, self._ask_code, message)

    def _begin_stop(self) -> None:
        self._stopping = self._loop.create_task(self._stop())

    async def _stop(self) -> None:
        if self._runs is not None:
            await self._runs.end_all(STOPPED)
        threading.Thread(target=_exit, args=(self._guard,), daemon=True).start()


def _exit(guard: Guard) -> None:
    """End the process, with what Python does at an exit, but without waiting for any thread."""
    import atexit

    wait_until_read()
    if "multiprocessing.process" in sys.modules:  # which would wait for them, without an end
        for process in sys.modules["multiprocessing.process"].active_children():
            process.kill()
    with contextlib.suppress(Exception):
        atexit._run_exitfuncs()  # noqa: SLF001 - what `sys.exit` does, without joining threads first
    for stream in (sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(Exception):
            if stream is not None:
                stream.flush()
    guard.leave()
    os._exit(0)
