"""After load, use, reload and unload nothing of ours is left in a kernel."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from kernels import run_cell
from waiting import eventually

if TYPE_CHECKING:
    from jupyter_client import BlockingKernelClient

# Also says how to look again: what it defines itself is there both times. ipywidgets and the widget
# manager's comm target are the user's to have, so they are there from the beginning.
LOOK = """
import atexit, gc, json, signal, threading
import anywidget, comm, ipywidgets, traitlets
exits = []  # atexit itself only counts, and does not count down
def register(function, *args, register=atexit.register, **kwargs):
    exits.append(function)
    return register(function, *args, **kwargs)
def unregister(function, unregister=atexit.unregister):
    exits[:] = [kept for kept in exits if kept != function]
    unregister(function)
atexit.register, atexit.unregister = register, unregister
class Dial(traitlets.HasTraits):
    value = traitlets.Int()
    on = traitlets.Bool()
def look():
    shell = get_ipython()
    kernel = shell.kernel
    loop = kernel.io_loop.asyncio_loop
    name = lambda f: f"{getattr(f, '__module__', '')}.{getattr(f, '__qualname__', f)}"
    manager = comm.get_comm_manager()
    return {
        "shell handlers": {k: name(v) for k, v in kernel.shell_handlers.items()},
        "control handlers": {k: name(v) for k, v in kernel.control_handlers.items()},
        "kernel attributes": sorted(k for k, v in vars(kernel).items() if callable(v)),
        "shell attributes": sorted(k for k in vars(shell) if "nbsession" in k),
        "events": {k: [name(f) for f in v] for k, v in shell.events.callbacks.items()},
        "exits": [name(f) for f in exits],
        "SIGTERM": repr(signal.getsignal(signal.SIGTERM)),
        "SIGINT": repr(signal.getsignal(signal.SIGINT)),
        "threads": sorted(t.name for t in threading.enumerate()),
        "comm targets": sorted(manager.targets),
        "comms": len(manager.comms),
        "timers": [
            repr(h) for h in getattr(loop, "_scheduled", ()) if not h.cancelled()
            and "nbsession" in repr(h)
        ],
        "tasks": [repr(t) for t in asyncio.all_tasks(loop) if "nbsession" in repr(t)],
        "magics": sorted(shell.magics_manager.magics["line"]),
        "names": sorted(n for n in shell.user_ns if n == "state"),
    }
import asyncio
before = look()
"""

USES = {
    "nothing": "",
    "busy": "state.sync_busy(Dial(), 'on')",
    "location": "state.location.search = '?a=1'; state.location.hash_",
    "location.sync": "dial = Dial(); state.location.sync(dial, {'value': 'n'})",
    "periodic callback": (
        "state.add_periodic_callback(lambda: None, 20, timeout=60_000)\n"
        "async def slow(): await asyncio.sleep(60)\n"
        "state.add_periodic_callback(slow, 20)\n"
        "await asyncio.sleep(0.1)"
    ),
    "execute": (
        "async def slow(): await asyncio.sleep(60)\n"
        "state.execute(slow); state.execute(lambda: None, True)\n"
        "state.execute(lambda: None, 'thread')"
    ),
    "onload": "state.onload(lambda: None); state.onload(lambda: None, threaded=True); state.loaded",
    "defer": "later = state.defer(lambda: 1); later.layout.close(); later.close()",
    "session hooks": (
        "state.on_session_created(lambda: None)\n"
        "state.on_session_destroyed(lambda: None)\n"
        "state.block_expiration()"
    ),
    "curdoc": (
        "state.curdoc.title = 'x'; state.curdoc.theme\n"
        "state.curdoc.add_next_tick_callback(lambda: None)\n"
        "state.curdoc.add_timeout_callback(lambda: None, 60_000)\n"
        "state.curdoc.add_periodic_callback(lambda: None, 20)"
    ),
    "browser info": "state.browser_info",
    "panel": "display(state)",
    "indicator": (
        "import nbsession\n"
        "indicator = nbsession.BusyIndicator(); display(indicator)\n"
        "indicator.layout.close(); indicator.close()"
    ),
}

ALL = "everything at once"


def _look(kernel: BlockingKernelClient) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run_cell(kernel, "print(json.dumps(look()))"))
    return found


def _left(kernel: BlockingKernelClient, before: dict[str, Any]) -> dict[str, Any]:
    """Return what is not as it was."""
    return {key: value for key, value in _look(kernel).items() if value != before[key]}


@pytest.mark.parametrize("use", [*USES, ALL])
def test_nothing_is_left(kernel: BlockingKernelClient, use: str) -> None:
    run_cell(kernel, LOOK)
    before = _look(kernel)
    for source in USES.values() if use == ALL else [USES[use]]:
        run_cell(kernel, f"%load_ext nbsession\n{source}")
        run_cell(kernel, "%reload_ext nbsession")
    during = _look(kernel)
    assert during["shell attributes"] != before["shell attributes"]
    assert during["shell handlers"] != before["shell handlers"]
    run_cell(kernel, "%unload_ext nbsession")
    with suppress(AssertionError):  # threads and tasks that have been told need a moment
        eventually(lambda: not _left(kernel, before), 5)
    assert _left(kernel, before) == {}
