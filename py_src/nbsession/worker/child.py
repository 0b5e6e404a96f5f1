"""The process of one run: ``python -m nbsession.worker.child``, started by a worker."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
import threading
from contextvars import copy_context
from inspect import isawaitable
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

from nbsession.core.callables import load_callable
from nbsession.scheduler.api.remote import RemoteTaskService

from . import state as active
from .callables import Targets
from .channel import Channel, ServerLog
from .guard import end_with_parent
from .run import WorkerRun
from .session_hooks import SessionHooks
from .state import WorkerState
from .tasks import LoadingCall, WorkerTaskRouter
from .user_code import make_importable, run_setup, setup_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from queue import SimpleQueue

    from nbsession.scheduler.workers.messages import Message


def main() -> None:
    """Run what the worker says, tell it how that has ended, and exit."""
    from queue import SimpleQueue

    end_with_parent()
    faulthandler.enable()
    for stream in (sys.stdout, sys.stderr):  # which the worker reads so
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    channel = Channel(int(sys.argv[1]))
    orders: SimpleQueue[Message] = SimpleQueue()
    threading.Thread(target=_read, args=(channel, orders), daemon=True).start()
    home, order = orders.get(), orders.get()
    make_importable(home, lambda _path, _stamp: None)
    _run(channel, home, order)


def _read(channel: Channel, orders: SimpleQueue[Message]) -> None:
    def take(message: Message) -> None:
        if message["op"] == "answer":
            channel.answered(message)
        else:
            orders.put(message)

    channel.read(take)
    os.killpg(0, signal.SIGKILL)  # the worker has gone: so does the run, with all it has started


def _run(channel: Channel, home: Mapping[str, Any], order: Mapping[str, Any]) -> None:
    with asyncio.Runner() as runner:
        run = WorkerRun(order, channel, runner.get_loop())
        run.enter()
        try:
            function = _find(channel, home, order)
        except BaseException as error:  # noqa: BLE001 - SystemExit too is told
            run.fail(error)
            return
        if not order["threaded"]:
            _call(run, function, runner)
            return
        work = threading.Thread(target=copy_context().run, args=(_call, run, function, runner))
        work.start()
        work.join()


def _call(run: WorkerRun, function: Callable[..., Any], runner: asyncio.Runner) -> None:
    order = run.order
    try:
        run.started()
        result = function(*order["args"], **order["kwargs"])
        if result is not None and isawaitable(result):
            runner.run(_wait(result), context=copy_context())
    except BaseException as error:  # noqa: BLE001 - SystemExit too is told
        run.fail(error)
    else:
        run.succeed()


def _find(channel: Channel, home: Mapping[str, Any], order: Mapping[str, Any]) -> Any:
    targets = Targets(home["setup"])
    call = LoadingCall(channel.ask)
    router = WorkerTaskRouter(RemoteTaskService(call), targets, home)
    active.state = WorkerState(ServerLog(channel), router, SessionHooks(home["setup"]), home)
    target = order["target"]
    if target["kind"] == "setup" and target["module"] == setup_name(home["setup"]):
        with call.loading(), router.setting_up():
            run_setup(home["setup"], lambda _path, _stamp: None)
        return targets.load(order).function
    return load_callable(target["module"], target["qualname"])


async def _wait(result: Any) -> None:
    await result


if __name__ == "__main__":
    main()
