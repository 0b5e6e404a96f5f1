"""Callbacks at the start and at the end of a kernel's session, however the kernel ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from kernels import plain_kernel, run_cell, wait_for_kernel
from nbsession.core.session import takes_context
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from jupyter_client import BlockingKernelClient, KernelManager


class Notebook:
    """A kernel whose hooks write lines into a file."""

    def __init__(self, path: Path, manager: KernelManager, client: BlockingKernelClient) -> None:
        self._file = path / "said"
        self.manager, self.client = manager, client
        self.run(
            "import asyncio, os, threading, time\n"
            "from nbsession import state\n"
            "def say(text):\n"
            f"    with open({str(self._file)!r}, 'a') as file: print(text, file=file)\n"
        )
        self.process = psutil.Process(int(self.run("print(os.getpid())")))

    def run(self, code: str) -> str:
        return run_cell(self.client, code)

    def begin(self, code: str) -> None:
        """Run a cell that will not end, until it says that it has begun."""
        self.client.execute(f"say('begun')\n{code}")
        eventually(lambda: "begun" in self.said, what="the cell runs")

    @property
    def said(self) -> list[str]:
        return self._file.read_text().splitlines() if self._file.exists() else []

    @property
    def said_at_the_end(self) -> list[str]:
        return [line for line in self.said if line != "begun"]

    @property
    def seconds_of_ending(self) -> float:
        """How long ago the last line was said: to be asked when the kernel has ended."""
        ended = self._file.with_name("ended")  # files have a clock of their own
        ended.touch()
        return ended.stat().st_mtime - self._file.stat().st_mtime

    def wait_for_end(self, seconds: float = 30) -> int:
        """Return the kernel's exit status."""
        provisioner: Any = self.manager.provisioner
        return int(provisioner.process.wait(seconds))


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    with plain_kernel() as (manager, client):
        yield Notebook(tmp_path, manager, client)


HOOKS = """
def first(context):
    say(f"first {context.kernel_id == state.kernel_id} {context.ended_at > context.started_at}")
def bad():
    raise ValueError("bad hook")
async def last():
    await asyncio.sleep(0.01)
    say(f"last {state.busy}")
state.on_session_destroyed(first)
state.on_session_destroyed(bad)
state.on_session_destroyed(last)
"""
RAN = ["last True", "first True True"]

SWALLOW = """
while True:
    try:
        while True: time.sleep(0.01)
    except KeyboardInterrupt: pass
"""
CELLS = {
    "idle": "",
    "sleeping": "time.sleep(60)",
    "awaiting": "await asyncio.sleep(60)",
    "swallowing KeyboardInterrupt": SWALLOW,
}


# -- the start ---------------------------------------------------------------------------------


def test_created_is_called_at_once(notebook: Notebook) -> None:
    printed = notebook.run(
        "state.on_session_created(lambda: print('plain', state.busy))\n"
        "state.on_session_created(lambda c: print(len(c.id), c.kernel_id == state.kernel_id,"
        " c.request, c.started_at.tzinfo, c.ended_at))\n"
        "async def later(c):\n"
        "    await asyncio.sleep(0)\n"
        "    print('async', threading.current_thread() is threading.main_thread())\n"
        "state.on_session_created(later)\n"
        "await asyncio.sleep(0.05)"
    )
    assert printed == "plain True\n32 True None UTC None\nasync True\n"


def test_created_is_on_the_main_thread(notebook: Notebook) -> None:
    printed = notebook.run(
        "def created(): print(threading.current_thread() is threading.main_thread())\n"
        "thread = threading.Thread(target=lambda: state.on_session_created(created))\n"
        "thread.start(); thread.join()\n"
        "await asyncio.sleep(0.05)"
    )
    assert printed == "True\n"


def test_an_error_at_the_start_is_shown_and_not_raised(notebook: Notebook) -> None:
    assert notebook.run("state.on_session_created(lambda: 1 / 0)\nprint('on')") == "on\n"


def test_what_cannot_be_called(notebook: Notebook) -> None:
    printed = notebook.run(
        "for callback in (5, lambda a, b: None):\n"
        "    for register in (state.on_session_created, state.on_session_destroyed):\n"
        "        try: register(callback)\n"
        "        except TypeError as error: print(error)"
    )
    lines = printed.splitlines()
    assert lines[0] == lines[1] == "a callback must be callable, got int: 5"
    assert lines[2] == lines[3]
    assert "takes the SessionContext, or nothing; <lambda>(a, b)" in lines[2]


class _Methods:
    def plain(self) -> None: ...

    def told(self, context: object) -> None: ...


@pytest.mark.parametrize(
    ("callback", "expected"),
    [
        (lambda: None, False),
        (lambda context: None, True),
        (lambda *arguments: None, True),
        (lambda name="bound by a loop": None, False),
        (lambda context, name="bound": None, True),
        (lambda **options: None, False),
        (_Methods().plain, False),
        (_Methods().told, True),
        ([].append, True),
        ([].clear, False),
    ],
)
def test_who_is_told(callback: Callable[..., object], expected: bool) -> None:
    assert takes_context(callback) is expected


# -- the end -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_shutdown(notebook: Notebook, cell: str) -> None:
    notebook.run(HOOKS)
    if cell:
        notebook.begin(cell)
    provisioner: Any = notebook.manager.provisioner
    process = provisioner.process
    notebook.manager.shutdown_kernel()
    assert notebook.said_at_the_end == RAN
    assert process.returncode in (0, -signal.SIGTERM), "it was not necessary to kill it"


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_sigterm(notebook: Notebook, cell: str) -> None:
    notebook.run(HOOKS)
    if cell:
        notebook.begin(cell)
    notebook.process.send_signal(signal.SIGTERM)
    assert notebook.wait_for_end() == -signal.SIGTERM
    assert notebook.said_at_the_end == RAN
    assert notebook.seconds_of_ending < 2


def test_restart(notebook: Notebook) -> None:
    notebook.run(HOOKS)
    notebook.manager.restart_kernel()
    wait_for_kernel(notebook.client)
    assert notebook.said_at_the_end == RAN
    run_cell(notebook.client, "pass")
    notebook.manager.shutdown_kernel()
    assert notebook.said_at_the_end == RAN, "the new process has no hooks"


def test_exit_of_the_interpreter(notebook: Notebook) -> None:
    notebook.run(HOOKS)
    notebook.client.execute(
        "asyncio.get_running_loop().call_later(0.1, get_ipython().kernel.io_loop.stop)"
    )
    notebook.wait_for_end()
    assert notebook.said_at_the_end == RAN


def test_killed_outright_runs_nothing(notebook: Notebook) -> None:
    notebook.run(HOOKS)
    notebook.manager.shutdown_kernel(now=True)
    assert notebook.said == []


def test_a_shutdown_that_is_requested_twice(notebook: Notebook) -> None:
    notebook.run(HOOKS)
    notebook.begin("time.sleep(4)")
    notebook.client.shutdown()  # without the SIGINT that a manager sends
    eventually(lambda: notebook.said_at_the_end == RAN)
    notebook.manager.shutdown_kernel()
    assert notebook.said_at_the_end == RAN


def test_the_main_thread_is_preferred(notebook: Notebook) -> None:
    notebook.run("state.on_session_destroyed(lambda: say(threading.current_thread().name))")
    notebook.manager.shutdown_kernel()
    assert notebook.said == ["MainThread"]


@pytest.mark.parametrize("slow", ["time.sleep(60)", "await asyncio.sleep(60)"])
@pytest.mark.parametrize("end", ["shutdown", "SIGTERM"])
def test_two_seconds_in_all(notebook: Notebook, slow: str, end: str) -> None:
    notebook.run(
        "state.on_session_destroyed(lambda: say('never'))\n"
        f"async def slow():\n    say('slow'); {slow}\n"
        "state.on_session_destroyed(slow)"
    )
    began = time.monotonic()
    if end == "shutdown":
        notebook.manager.shutdown_kernel()
    else:
        notebook.process.send_signal(signal.SIGTERM)
        notebook.wait_for_end()
    took = time.monotonic() - began
    assert notebook.said[0] == "slow"
    assert 1.8 < took < 20, "the hook would have slept for 60 s"
    if "await" not in slow:
        assert notebook.said == ["slow"]


@pytest.mark.parametrize("slow", ["time.sleep(60)", "await asyncio.sleep(60)"])
@pytest.mark.parametrize("end", ["shutdown", "SIGTERM"])
def test_the_log_names_what_was_too_slow(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, slow: str, end: str
) -> None:
    with plain_kernel() as (manager, client):  # whose stderr is the one that is captured
        notebook = Notebook(tmp_path, manager, client)
        notebook.run(
            "for n in range(2): state.on_session_destroyed(lambda: say('never'))\n"
            f"async def slow():\n    {slow}\n"
            "state.on_session_destroyed(slow)"
        )
        if end == "shutdown":
            manager.shutdown_kernel()
        else:
            notebook.process.send_signal(signal.SIGTERM)
            notebook.wait_for_end()
    lines = [line for line in capfd.readouterr().err.splitlines() if "cut off" in line]
    assert len(lines) == 1, lines
    assert "may take 2 s in all; <function slow at " in lines[0]
    assert lines[0].endswith("was cut off, 2 more not called")


def test_hooks_in_the_order_of_a_stack_and_unregistered(notebook: Notebook) -> None:
    notebook.run(
        "ends = [state.on_session_destroyed(lambda i=i: say(i)) for i in range(5)]\n"
        "ends[1](); ends[1](); ends[3]()\n"
        "state.on_session_destroyed(lambda: state.on_session_destroyed(lambda: say('late')))"
    )
    notebook.manager.shutdown_kernel()
    assert notebook.said == ["late", "4", "2", "0"]


def test_unload_drops_them(notebook: Notebook) -> None:
    notebook.run("%load_ext nbsession\n" + HOOKS)
    notebook.run("%unload_ext nbsession")
    notebook.manager.shutdown_kernel()
    assert notebook.said == []


def test_reload_keeps_them(notebook: Notebook) -> None:
    notebook.run("%load_ext nbsession\n" + HOOKS)
    notebook.run("%reload_ext nbsession")
    notebook.manager.shutdown_kernel()
    assert notebook.said == RAN


def test_raising_what_ends_programs(notebook: Notebook) -> None:
    notebook.run(
        "import sys\n"
        "state.on_session_destroyed(lambda: say('still'))\n"
        "state.on_session_destroyed(lambda: sys.exit(3))\n"
        "async def interrupted(): raise KeyboardInterrupt\n"
        "state.on_session_destroyed(interrupted)"
    )
    notebook.manager.shutdown_kernel()
    assert notebook.said == ["still"]


# -- other processes, other handlers -----------------------------------------------------------


def test_children_run_nothing(notebook: Notebook) -> None:
    notebook.run(HOOKS)
    notebook.run(
        "import multiprocessing\n"
        "for _ in range(20):\n"
        "    pool = multiprocessing.get_context('fork').Pool(2)\n"
        "    pool.map(abs, [1, 2, 3])\n"
        "    pool.terminate(); pool.join()"
    )
    assert notebook.said == []
    notebook.run(
        "import signal, sys\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    try: state._session.session_hooks._shutdown._at_exit()\n"
        "    finally: os._exit(0)\n"
        "os.waitpid(pid, 0)"
    )
    assert notebook.said == []
    printed = notebook.run(
        "codes = set()\n"
        "for _ in range(20):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        while True: time.sleep(1)\n"
        "    os.kill(child, signal.SIGTERM)\n"
        "    codes.add(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "print(codes)"
    )
    assert printed == f"{{{-signal.SIGTERM}}}\n"
    assert notebook.said == []
    notebook.manager.shutdown_kernel()
    assert notebook.said == RAN


def test_a_handler_of_the_user_stays(notebook: Notebook) -> None:
    notebook.run("import signal\nsignal.signal(signal.SIGTERM, lambda *_: say('user'))\n" + HOOKS)
    notebook.process.send_signal(signal.SIGTERM)
    eventually(lambda: notebook.said == ["user"])
    notebook.manager.shutdown_kernel()
    assert notebook.said == ["user", *RAN]


def test_registered_off_the_main_thread(notebook: Notebook) -> None:
    notebook.run(
        "thread = threading.Thread(target=lambda: state.on_session_destroyed(lambda: say('off')))\n"
        "thread.start(); thread.join()\nawait asyncio.sleep(0.05)"
    )
    notebook.process.send_signal(signal.SIGTERM)
    notebook.wait_for_end()
    assert notebook.said == ["off"]


SCRIPT = """
import asyncio, os, signal, sys, time
from nbsession import state
async def gone(context):
    await asyncio.sleep(0.01)
    print('gone', context.kernel_id, context.request, state.busy)
state.on_session_created(lambda: print('here'))
state.on_session_destroyed(gone)
state.block_expiration()()
if sys.argv[1] == 'SIGTERM':
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(10)
"""


ASYNC = """
import functools, sys, threading
from nbsession import state
ran, first = [], threading.Event()
async def later(number): ran.append(number); len(ran) == 6 and first.set()
class Later:
    async def __call__(self, context=None): await later(3)
for register in (state.onload, state.on_session_created):
    for callback in (lambda: later(1), functools.partial(later, 2), Later()):
        register(callback)
assert first.wait(10), ran
register = getattr(state, sys.argv[1])
register(lambda: 1 / 0)
print(sorted(ran))
register(sys.exit if register == state.onload else lambda: sys.exit(0))
print("not the end")
"""


@pytest.mark.parametrize("register", ["onload", "on_session_created"])
def test_async_callbacks_of_a_plain_process(register: str) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", ASYNC, register],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.stdout, run.returncode) == ("[1, 1, 2, 2, 3, 3]\n", 0)
    assert run.stderr.count("Traceback") == run.stderr.count("ZeroDivisionError:") == 1


@pytest.mark.parametrize(("how", "code"), [("exit", 0), ("SIGTERM", -signal.SIGTERM)])
def test_a_plain_process(how: str, code: int) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-u", "-c", SCRIPT, how],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert (run.stdout, run.stderr, run.returncode) == ("here\ngone None None True\n", "", code)
