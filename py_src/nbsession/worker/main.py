"""The worker's process: its loop, and the messages that the server sends to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from nbsession.core.environment import __version__
from nbsession.core.link_http import PROTOCOL
from nbsession.core.tracebacks import error_text, traceback_text
from nbsession.scheduler.api.remote import RemoteTaskService
from nbsession.scheduler.workers.messages import STOPPED
from nbsession.worker.output.capture import divert, wait_until_read
from nbsession.worker.output.subprocesses import attribute_subprocesses

from . import state as active
from .callables import Targets, TriggerCode
from .channel import ServerLog
from .guard import Guard
from .runs import Runs
from .session_hooks import SessionHooks
from .state import WorkerState
from .tasks import WorkerTaskRouter
from .threads import ThreadPool
from .user_code import make_importable, run_setup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbsession.scheduler.workers.messages import Message
    from nbsession.scheduler.workers.sources import Stamp

    from .channel import Channel

_RETRY_SECONDS = 1.0
"""After how long another thread is tried, if none could be started."""


def serve(channel: Channel) -> None:
    """Say hello, and do what the server asks for, until the end."""
    guard = Guard()
    channel.send({"op": "hello", "protocol": PROTOCOL, "version": __version__})
    messages = channel.messages()
    for message in messages:
        if message["op"] == "home":
            Worker(channel, guard, message).run(messages)


class Worker:
    """Calls tasks for one home. Messages are received on a thread of their own."""

    def __init__(self, channel: Channel, guard: Guard, home: Message) -> None:
        self._channel = channel
        self._guard = guard
        self._home = home
        self._loop = asyncio.new_event_loop()
        self._pool = ThreadPool()
        self._own_pool = ThreadPool()  # not to wait for threads that tasks have blocked
        self._log = ServerLog(channel)
        self._targets = Targets(home["setup"])
        self._trigger_code = TriggerCode(channel, self._targets)
        self._hooks = SessionHooks(home["setup"])
        self._router = WorkerTaskRouter(RemoteTaskService(channel.ask), self._targets, home)
        pools = self._pool, self._own_pool
        self._runs = Runs(channel, self._loop, *pools, guard, self._targets, home)

    def run(self, messages: Iterator[Message]) -> None:
        """Run the setup script if there is one, then whatever is asked for; does not return."""
        reader = threading.Thread(
            target=self._read, args=(messages,), name="nbsession-channel", daemon=True
        )
        reader.start()
        divert(self._log)
        attribute_subprocesses()
        make_importable(self._home, self._report_source)
        active.state = WorkerState(self._log, self._router, self._hooks, self._home)
        if self._home["setup"] is None or self._run_setup(self._home["setup"]):
            self._runs.directory.watch()
            self._channel.send({"op": "ready", "tasks": self._targets.declared})
        asyncio.set_event_loop(self._loop)
        while True:  # until `_stop` ends the process
            with contextlib.suppress(SystemExit, KeyboardInterrupt):  # of some task of a task
                self._loop.run_forever()

    def _read(self, messages: Iterator[Message]) -> None:
        try:
            for message in messages:
                self._take(message)
        finally:  # the server has ended; nothing that we have started may stay behind
            self._runs.kill_processes(STOPPED)
            os.killpg(0, signal.SIGKILL)

    def _run_setup(self, path: str) -> bool:
        try:
            with self._router.setting_up():
                run_setup(path, self._report_source)
        except BaseException as error:  # noqa: BLE001 - the user's script; reported, and tried again
            problem = {"error": error_text(error), "trace": traceback_text(error)}
            self._channel.send({"op": "broken", **problem})
            return False
        return True

    def _report_source(self, path: str, stamp: Stamp | None) -> None:
        self._channel.send({"op": "source", "path": path, "stamp": stamp})

    def _take(self, message: Message) -> None:
        """Do what a message asks for; on the reading thread, so nothing here may take long."""
        match message["op"]:
            case "run":
                self._runs.start(message)
            case "cancel":
                self._runs.cancel(message["job"], message["reason"])
            case "abandon":
                self._runs.abandon(message)
            case "next":
                self._ask_trigger(message)
            case "session":
                tools = self._channel, self._log, self._own_pool
                self._loop.call_soon_threadsafe(self._hooks.begin_calls, message, *tools)
            case "forget":
                self._targets.forget(message["of"])
                self._pool.forget(message["of"])
            case "ping":
                self._loop.call_soon_threadsafe(self._channel.send, {"op": "pong"})
            case "stop":
                self._loop.call_soon_threadsafe(self._begin_stop)

    def _ask_trigger(self, message: Message) -> None:
        try:
            self._own_pool.submit(lambda: self._trigger_code.answer(message))
        except RuntimeError:  # no thread can be started; to report that would end the task for ever
            loop = self._loop
            loop.call_soon_threadsafe(loop.call_later, _RETRY_SECONDS, self._ask_trigger, message)

    def _begin_stop(self) -> None:
        self._stopping = self._loop.create_task(self._stop())

    async def _stop(self) -> None:
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
