"""The process of one run: ``python -m nbsession.worker.child``, started by a worker."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
from contextvars import copy_context
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

from nbsession.core.callables import load_callable
from nbsession.scheduler.api.remote import RemoteTaskService

from . import state as active
from .callables import Call, Targets
from .channel import Channel, ServerLog
from .guard import end_with_parent
from .run import WorkerRun
from .session_hooks import SessionHooks
from .state import WorkerState
from .tasks import LoadingCall, WorkerTaskRouter
from .user_code import make_importable, run_setup, setup_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nbsession.scheduler.workers.messages import Message


def main() -> None:
    """Run what the worker says, report how that has ended, and exit."""
    end_with_parent()
    faulthandler.enable()
    for stream in (sys.stdout, sys.stderr):  # the encoding in which the worker reads them
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    channel = Channel(int(sys.argv[1]))
    messages = channel.messages()
    home, request = next(messages), next(messages)
    threading.Thread(target=_read, args=(messages,), daemon=True).start()
    make_importable(home)
    _run(channel, home, request)


def _read(messages: Iterator[Message]) -> None:
    for _ in messages:  # only answers are sent now
        pass
    os.killpg(0, signal.SIGKILL)  # the worker has ended: so does the run, with all it has started


def _run(channel: Channel, home: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    run = WorkerRun(request, channel)
    run.enter()
    try:
        function = _find(channel, home, request)
    except BaseException as error:  # noqa: BLE001 - SystemExit too is reported
        run.fail(error)
        return
    call = Call(function, request["args"], request["kwargs"], is_async=False)
    if not request["threaded"]:
        _call(run, call)
        return
    thread = threading.Thread(target=copy_context().run, args=(_call, run, call))
    thread.start()
    thread.join()


def _call(run: WorkerRun, call: Call) -> None:
    report_end = run.call(lambda: call, run.wait_here)
    if report_end is not None:
        report_end()


def _find(channel: Channel, home: Mapping[str, Any], request: Mapping[str, Any]) -> Any:
    targets = Targets(home["setup"])
    call = LoadingCall(channel.ask)
    router = WorkerTaskRouter(RemoteTaskService(call), targets, home)
    active.state = WorkerState(ServerLog(channel), router, SessionHooks(home["setup"]), home)
    target = request["target"]
    if target["kind"] == "setup" and target["module"] == setup_name(home["setup"]):
        with call.loading(), router.setting_up():
            run_setup(home["setup"])
        return targets.load(request).function
    return load_callable(target["module"], target["qualname"])


if __name__ == "__main__":
    main()
