"""Periodic callbacks, `execute` and `defer` in a real kernel: where their output goes, and when."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from cells import Notebook
from kernels import run_cell

if TYPE_CHECKING:
    from jupyter_client import BlockingKernelClient


def test_output_goes_to_the_cell_that_registered(kernel: BlockingKernelClient) -> None:
    notebook = Notebook(kernel)
    notebook.run("%load_ext nbsession\nimport asyncio, threading, time")
    first = notebook.run(
        "periodic = state.add_periodic_callback(lambda: print('tick'), 20, count=3)\n"
        "failing = state.add_periodic_callback(lambda: missing, 20, count=3)"
    )
    second = notebook.run("late = state.execute(lambda: print('late'), True)")
    third = notebook.run("def fail(): raise LookupError('here')\nstate.execute(fail, True);")
    notebook.wait(lambda: notebook.texts[first].count("tick") == 3)
    notebook.wait(lambda: "late" in notebook.texts[second])
    notebook.wait(lambda: "LookupError" in notebook.errors(third))
    counted = notebook.run("print('counted', failing.counter, failing.errors)")
    assert "counted 3 3" in notebook.texts[counted]
    assert notebook.errors(first).count("name 'missing' is not defined") == 1
    assert "callbacks.py" not in notebook.errors(first) + notebook.errors(third)
    assert "tick" not in notebook.texts[second] + notebook.texts[third]


def test_ticks_while_a_cell_awaits_but_not_while_it_blocks(kernel: BlockingKernelClient) -> None:
    printed = run_cell(
        kernel,
        "%load_ext nbsession\nimport asyncio, time\n"
        "periodic = state.add_periodic_callback(lambda: None, 20)\n"
        "time.sleep(0.3); blocked = periodic.counter\n"
        "await asyncio.sleep(0.3)\n"
        "print(blocked, periodic.counter >= 5, periodic.skipped >= 10, state.busy)",
    )
    assert printed == "0 True True True\n"


def test_a_cell_runs_promptly_beside_a_callback_that_is_too_slow(
    kernel: BlockingKernelClient,
) -> None:
    run_cell(
        kernel,
        "%load_ext nbsession\nimport time\n"
        "slow = state.add_periodic_callback(lambda: time.sleep(0.03), 10)",
    )
    took = []
    for _ in range(10):
        begun = time.monotonic()
        run_cell(kernel, "1")
        took.append(time.monotonic() - begun)
    assert min(took) < 0.2  # whatever else the machine does, one of them is not disturbed
    assert int(run_cell(kernel, "print(slow.counter)")) >= 5


def test_after_reset_it_goes_on(kernel: BlockingKernelClient) -> None:
    notebook = Notebook(kernel)
    notebook.run("%load_ext nbsession")
    cell = notebook.run("def tick(): count + 1\ncount = 0\nstate.add_periodic_callback(tick, 10);")
    notebook.run("%reset -f")
    notebook.wait(lambda: "NameError" in notebook.errors(cell))
    look = "from nbsession import state\n[it] = state._session.periodic_callbacks\nprint(it.errors)"
    notebook.wait(lambda: int(notebook.texts[notebook.run(look)].splitlines()[-1]) > 5)
    assert notebook.errors(cell).count("name 'count' is not defined") == 1


def test_execute_in_cells(kernel: BlockingKernelClient) -> None:
    printed = run_cell(
        kernel,
        """
%load_ext nbsession
import threading
main = threading.get_ident()
found = []
def work():
    found.append(state.execute(threading.get_ident).result(10) == main)
thread = threading.Thread(target=work)
thread.start()
future = state.execute(lambda: 3, True)
try:
    future.result()
except RuntimeError as error:
    print('await' in str(error))
print(await future, state.execute(lambda: 4).result())
await asyncio.to_thread(thread.join)
print(found)
""".replace("import threading", "import asyncio, threading"),
    )
    assert printed == "True\n3 4\n[True]\n"


def test_seed_examples(kernel: BlockingKernelClient) -> None:
    """The guide's, with a widget in the place of the plot."""
    run_cell(
        kernel,
        """
%load_ext nbsession
from functools import partial
import ipywidgets, random, time, traitlets
source = ipywidgets.HTML()
def update(source):
    source.value = str([random.random() for _ in range(10)])
cb = state.add_periodic_callback(partial(update, source), 200, timeout=1000)
begun = time.monotonic()
ended = []
cb.observe(lambda change: ended.append(time.monotonic() - begun), "running")
toggle = ipywidgets.ToggleButton(description="Toggle callback", value=True)
traitlets.link((toggle, "value"), (cb, "running"))
state.execute(lambda: setattr(source, "value", "x"))
assert source.value == "x"
""",
    )
    look = (
        "import json\nprint(json.dumps([cb.running, toggle.value, cb.counter + cb.skipped, ended]))"
    )
    deadline = time.monotonic() + 10
    while (seen := json.loads(run_cell(kernel, look)))[0] and time.monotonic() < deadline:
        time.sleep(0.05)
    running, on, ticks, ended = seen
    assert (running, on) == (False, False)
    assert 4 <= ticks <= 5
    assert ended[0] > 0.99


def test_unload_leaves_no_timer(kernel: BlockingKernelClient) -> None:
    run_cell(
        kernel,
        "%load_ext nbsession\nimport asyncio\nloop = asyncio.get_running_loop()\n"
        "periodic = state.add_periodic_callback(lambda: None, 5, timeout=100_000)\n"
        "state.curdoc.add_timeout_callback(lambda: None, 100_000)\n"
        "state.execute(lambda: asyncio.sleep(60));",
    )
    run_cell(kernel, "%unload_ext nbsession")
    printed = run_cell(
        kernel,
        "ours = [h for h in loop._scheduled if 'nbsession' in repr(h) and not h.cancelled()]\n"
        "tasks = [t for t in asyncio.all_tasks(loop) if 'nbsession' in repr(t)]\n"
        "print(periodic.running, ours, tasks)",
    )
    assert printed == "False [] []\n"


def test_a_callback_that_exits_does_not_end_the_kernel(kernel: BlockingKernelClient) -> None:
    run_cell(
        kernel,
        "import sys\nfrom nbsession import state\n"
        "async def leave(): sys.exit()\n"
        "future = state.execute(leave)",
    )
    printed = run_cell(
        kernel,
        "try:\n    await future\nexcept BaseException as error:\n    print(type(error).__name__)",
    )
    assert printed == "SystemExit\n"
    assert run_cell(kernel, "print('alive')") == "alive\n"


def test_no_more_threads(kernel: BlockingKernelClient) -> None:
    printed = run_cell(
        kernel,
        "import threading\nfrom nbsession import state\n"
        "start, threading.Thread.start = threading.Thread.start, None\n"
        "try:\n    state.execute(print, 'thread')\nexcept TypeError:\n    print('raised')\n"
        "finally:\n    threading.Thread.start = start",
    )
    assert printed == "raised\n"
    assert run_cell(kernel, "print(state._session.runtime.busy._depth)") == "1\n", "this cell alone"
