"""What it costs a kernel to know, for every cell and message, whether it is busy."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import psutil
import table
from servers import fresh_kernel, run_cell, running

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_client.blocking import BlockingKernelClient

ROUNDS, MESSAGES = 200, 10
LOADED, SHOWN = "nbsession loaded", "nbsession loaded, a BusyIndicator shown"
BARE = "limit: {}, its hooks out"
CELL, MESSAGE = "CPU µs per cell", "CPU µs per message"

# Two processes differ by more than what is measured: so each kernel is measured with the hooks of
# nbsession in and out, whatever they are.
_SWITCH = """
import os
from IPython import get_ipython

kernel = get_ipython().kernel

def hooks():
    return dict(kernel.shell_handlers), dict(vars(kernel))

def switch(on):
    handlers, attributes = found[on]
    kernel.shell_handlers.update(handlers)
    for name in changed:
        if name in attributes:
            object.__setattr__(kernel, name, attributes[name])
        else:
            object.__delattr__(kernel, name)

kernel.comm_manager.register_target("bench", lambda comm, _: comm.on_msg(lambda message: None))
import ipywidgets, anywidget
found = {False: hooks()}
%load_ext nbsession
found[True] = hooks()
changed = [
    name for name in {**found[False][1], **found[True][1]}
    if found[False][1].get(name) is not found[True][1].get(name)
    and callable(found[True][1].get(name))
]
print(os.getpid())
"""
_SHOW = "from nbsession import BusyIndicator\nindicator = BusyIndicator()\nindicator"


class _Kernel:
    """A kernel whose CPU time is read from outside."""

    def __init__(self, client: BlockingKernelClient, code: str) -> None:
        self._client = client
        self._hooked = True
        self._pid = int(run_cell(client, _SWITCH).splitlines()[-1])
        self._process = psutil.Process(self._pid)
        if code:
            run_cell(client, code)
        self._ask("comm_open", {"comm_id": "bench", "target_name": "bench", "data": {}})

    def sample(self, *, hooked: bool) -> table.Sample:
        if hooked is not self._hooked:
            run_cell(self._client, f"switch({hooked})")
            self._hooked = hooked
        cell = {"code": "pass", "silent": False, "store_history": False, "allow_stdin": False}
        message = {"comm_id": "bench", "data": {}}
        return {
            CELL: self._cost(lambda: self._ask("execute_request", cell)),
            MESSAGE: self._cost(lambda: self._ask("comm_msg", message)),
        }

    def _cost(self, act: Callable[[], None]) -> float:
        before = self._cpu_seconds()
        for _ in range(MESSAGES):
            act()
        time.sleep(0.06)  # what pages are told later is told by then
        return 1e6 * (self._cpu_seconds() - before) / MESSAGES

    def _cpu_seconds(self) -> float:
        if sys.platform == "linux":
            return time.clock_gettime(~self._pid << 3 | 2)  # clock_getcpuclockid(3)
        spent = self._process.cpu_times()  # may count in steps of 10 ms
        return spent.user + spent.system

    def _ask(self, kind: str, content: dict[str, object]) -> None:
        """Send a message and wait until the kernel has dealt with it."""
        message = self._client.session.msg(kind, content)
        self._client.shell_channel.send(message)
        while True:
            told = self._client.get_iopub_msg(timeout=10)
            if (
                told["parent_header"].get("msg_id") == message["header"]["msg_id"]
                and told["content"].get("execution_state") == "idle"
            ):
                return


def measure(rounds: int | None = None) -> table.Report:
    """Measure the CPU of two kernels in turns, all their threads included."""
    report = table.Report("Cost of busy in the kernel's process")
    cases: dict[str, Callable[[], table.Sample]] = {}
    with running("server") as host, ExitStack() as stack:
        for case, code in {LOADED: "", SHOWN: _SHOW}.items():
            kernel = _Kernel(stack.enter_context(fresh_kernel(host)), code)
            cases[case] = partial(kernel.sample, hooked=True)
            cases[BARE.format(case)] = partial(kernel.sample, hooked=False)
        report.take(cases, rounds or ROUNDS)
    for case in (LOADED, SHOWN):
        for column in (CELL, MESSAGE):
            what = f"{case}: {column}, over that with its hooks out"
            report.expect_over(what, case, BARE.format(case), column, 50)
    return report


if __name__ == "__main__":
    table.main(measure)
