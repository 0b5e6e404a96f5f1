"""`state.onload` and `state.loaded`: with a page, without one, and where none can come."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient

from fake_page import FakePage
from kernels import run_cell
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_client import BlockingKernelClient

    from hosts import Host

REGISTER = """
import threading
from nbsession import state
called = []
state.onload(lambda: called.append("sync"))
async def later(): called.append("async")
state.onload(later)
""".strip()


def see(kernel: BlockingKernelClient, expression: str) -> Any:
    return json.loads(run_cell(kernel, f"import json; print(json.dumps({expression}))"))


@pytest.fixture
def visited(server: Host) -> Iterator[BlockingKernelClient]:
    """Return a kernel that a page has started."""
    name = f"{uuid.uuid4()}.ipynb"  # under one name the server would give one kernel
    with server.client(server.start_kernel(f"lab/tree/{name}", path=name)) as client:
        yield client


def test_no_server_at_once(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, f"{REGISTER}\nassert called == ['sync'], called\nassert state.loaded")
    assert see(kernel, "called") == ["sync", "async"]
    assert not see(kernel, "'anywidget' in __import__('sys').modules")


def test_errors_are_shown_and_not_raised(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, "%load_ext nbsession\nstate.onload(lambda: 1 / 0)\nreached = True")
    assert see(kernel, "reached")
    run_cell(
        kernel,
        "try: state.onload(3)\n"
        "except TypeError as error: assert 'int' in str(error)\n"
        "else: raise AssertionError",
    )


def test_waits_for_page(visited: BlockingKernelClient) -> None:
    run_cell(visited, f"{REGISTER}\nassert not state.loaded")
    time.sleep(4)  # longer than a kernel without a page would wait
    assert see(visited, "[called, state.loaded]") == [[], False]
    FakePage(visited).hello()
    eventually(lambda: see(visited, "called") == ["sync", "async"], what="the callbacks")
    assert see(visited, "state.loaded")
    run_cell(visited, "state.onload(lambda: called.append('late')); assert called[-1] == 'late'")


def test_order_context_and_threads(visited: BlockingKernelClient) -> None:
    run_cell(
        visited,
        f"{REGISTER}\n"
        "def nested():\n"
        "    called.append('nested')\n"
        "    state.onload(lambda: called.append('inner'))\n"
        "state.onload(nested)\n"
        "state.onload(lambda: called.append(threading.current_thread() is "
        "threading.main_thread()))\n"
        "state.onload(lambda: 1 / 0)\n"
        "async def fail(): raise KeyError('async')\n"
        "state.onload(fail)\n"
        "state.onload(lambda: called.append('printed') or print('from the cell'))\n"
        "import contextvars; where = contextvars.ContextVar('where', default='nowhere')\n"
        "_ = where.set('here')\n"
        "state.onload(lambda: called.append(where.get()))",
    )
    page = FakePage(visited)
    page.hello()
    eventually(lambda: len(see(visited, "called")) == 7, what="the callbacks")
    called = see(visited, "called")
    assert [name for name in called if name != "async"] == [
        "sync",
        "nested",
        True,
        "printed",
        "here",
        "inner",
    ]
    page.collect()
    assert sorted(error["ename"] for error in page.errors) == ["KeyError", "ZeroDivisionError"]
    assert "from the cell\n" in page.printed
    run_cell(
        visited,
        "done = threading.Event()\n"
        "def note(): thread.append(threading.current_thread() is threading.main_thread())"
        "; done.set()\n"
        "thread = []\n"
        "state.onload(note, threaded=True); assert done.wait(10)",
    )
    assert see(visited, "thread") == [False]


def test_busy_while_it_runs(visited: BlockingKernelClient) -> None:
    run_cell(
        visited,
        "from nbsession import state\nseen = []\nstate.onload(lambda: seen.append(state.busy))",
    )
    FakePage(visited).hello()
    eventually(lambda: see(visited, "seen") == [True], what="the callback")


def test_kernel_without_page_waits_three_seconds(server: Host) -> None:
    with server.client(server.start_kernel()) as kernel:
        started = time.monotonic()
        run_cell(kernel, f"{REGISTER}\nassert not state.loaded and not called")
        eventually(lambda: see(kernel, "called") == ["sync", "async"], what="the callbacks")
        assert time.monotonic() - started > 2.5
        assert see(kernel, "state.loaded")


def test_kernel_without_page_gets_one_after_all(server: Host) -> None:
    with server.client(server.start_kernel()) as kernel:
        run_cell(
            kernel,
            f"{REGISTER}\nhad_page = []\n"
            "state.onload(lambda: had_page.append(state._session.pages.is_reported))",
        )
        FakePage(kernel).hello()
        eventually(lambda: see(kernel, "called") == ["sync", "async"], what="the callbacks")
        assert see(kernel, "had_page") == [True]


def test_location_is_ready_when_no_page_has_come(server: Host) -> None:
    with server.client(server.start_kernel()) as kernel:
        started = time.monotonic()
        printed = run_cell(
            kernel,
            "import asyncio\nfrom nbsession import state\nlocation = state.location\n"
            "await asyncio.wait_for(location.ready(), 20)\nprint([location.href, state.loaded])",
        )
        assert printed == "['', True]\n"
        assert time.monotonic() - started > 2.5
        run_cell(kernel, "await asyncio.wait_for(location.ready(), 1)")


def test_location_is_ready_when_a_page_reports_after_all(server: Host) -> None:
    with server.client(server.start_kernel()) as kernel:
        run_cell(
            kernel,
            "import asyncio\nfrom nbsession import state\nlocation = state.location\n"
            "async def wait():\n    await location.ready(); return location.search\n"
            "waiting = asyncio.ensure_future(wait())",
        )
        FakePage(kernel).hello(search="?n=1")
        eventually(lambda: see(kernel, "waiting.done()"), what="ready")
        assert see(kernel, "waiting.result()") == "?n=1"


def test_location_waits_for_the_page_that_has_started_the_kernel(
    visited: BlockingKernelClient,
) -> None:
    run_cell(
        visited,
        "import asyncio\nfrom nbsession import state\n"
        "waiting = asyncio.ensure_future(state.location.ready())",
    )
    time.sleep(4)
    assert not see(visited, "waiting.done()")
    FakePage(visited).hello()
    eventually(lambda: see(visited, "waiting.done()"), what="ready")


def test_unload_drops_what_waits(visited: BlockingKernelClient) -> None:
    run_cell(visited, f"%load_ext nbsession\n{REGISTER}\npages = state._session.pages")
    page = FakePage(visited)
    run_cell(visited, "%unload_ext nbsession")
    page.hello()
    assert see(visited, "called") == []


def test_headless_run() -> None:
    notebook = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    source = (
        f"{REGISTER}\nassert called == ['sync'] and state.loaded\n"
        "state.curdoc.title = 'x'\nprint('end')"
    )
    notebook.cells = [nbformat.v4.new_code_cell(source)]  # type: ignore[no-untyped-call]
    started = time.monotonic()
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    assert notebook.cells[0].outputs[-1].text == "end\n"
    assert time.monotonic() - started < 20


def test_plain_process() -> None:
    code = (
        f"{REGISTER}\n"
        "assert called[0] == 'sync', called\n"
        "import asyncio, time\n"
        "assert state.loaded and state.browser_info is None\n"
        "state.curdoc.title = 'x'\n"
        "asyncio.run(state._session.pages.reported())\n"
        "state.onload(lambda: 1 / 0)\n"
        "print('end')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr
    assert "ZeroDivisionError" in done.stderr
