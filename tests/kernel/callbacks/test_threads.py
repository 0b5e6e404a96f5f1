"""Threads that callbacks start in a real kernel: their output goes to the cell that registered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cells import Notebook
from kernels import run_cell

if TYPE_CHECKING:
    from jupyter_client import BlockingKernelClient

SETUP = """
%load_ext nbsession
import asyncio, concurrent.futures, contextvars, threading, time
original = threading.Thread.start, concurrent.futures.ThreadPoolExecutor.submit
pool = concurrent.futures.ThreadPoolExecutor(1)
pool.submit(int).result()  # a thread that belongs to this cell
gate = threading.Event()
mine = contextvars.ContextVar("mine", default="nothing")

def speak(text):
    assert gate.wait(60)
    print(f"{text} {mine.get()}\\n", end="")

def start(text):
    mine.set("a value of the user")
    inner = lambda: threading.Thread(target=speak, args=(text + " inner",)).start()
    threading.Thread(target=inner).start()
    threading.Timer(0.01, speak, [text + " timer"]).start()
    pool.submit(speak, text + " pool")

async def start_async(text):
    await asyncio.sleep(0.01)
    start(text)
    await asyncio.get_running_loop().run_in_executor(None, lambda: None)
    await asyncio.get_running_loop().run_in_executor(pool, print, text + " executor")
"""

REGISTER = {
    "periodic": "p = state.add_periodic_callback(lambda: start('it'), 10, count=1)",
    "periodic_async": "p = state.add_periodic_callback(lambda: start_async('it'), 10, count=1)",
    "onload": "state.onload(lambda: start('it'))",
    "execute": "f = state.execute(lambda: start('it'), True)",
    "execute_thread": "f = state.execute(lambda: start('it'), 'thread')",
    "task": "def job(): start('it')\nt = state.schedule_task('job', job)",
    "threaded_task": "def job(): start('it')\nt = state.schedule_task('job', job, threaded=True)",
    "timeout": "t = state.curdoc.add_timeout_callback(lambda: start('it'), 10)",
}


@pytest.mark.parametrize("kind", REGISTER)
def test_threads_of_callbacks_print_to_the_cell_that_registered(
    kernel: BlockingKernelClient, kind: str
) -> None:
    notebook = Notebook(kernel)
    notebook.run(SETUP)
    first = notebook.run(REGISTER[kind])
    other = notebook.run("await asyncio.sleep(0.3); gate.set()\ntime.sleep(0.3)\nprint('other')")
    expected = {"it inner nothing", "it timer nothing", "it pool nothing"}
    if kind == "periodic_async":
        expected.add("it executor")
    notebook.wait(lambda: set(notebook.texts[first].splitlines()) >= expected, 60)
    notebook.wait(lambda: "other" in notebook.texts[other])
    assert "it" not in notebook.texts[other].replace("other", "")


OBSERVE = {
    "observer": "state.location.observe(lambda _: start('it'), 'search')",
    "trait": "slider.observe(lambda _: start('it'), 'value'); state.location.sync(slider)",
    "on_error": "state.location.sync(slider, on_error=lambda _: start('it'))",
}


@pytest.mark.parametrize("kind", OBSERVE)
def test_threads_of_observers_of_the_url_print_to_the_cell_that_registered(
    kernel: BlockingKernelClient, kind: str
) -> None:
    notebook = Notebook(kernel)
    notebook.run(SETUP + "import ipywidgets; slider = ipywidgets.IntSlider(description='n')")
    first = notebook.run(OBSERVE[kind])
    text = "x" if kind == "on_error" else "7"
    other = notebook.run(
        f"state.location.search = '?n={text}'; gate.set(); time.sleep(0.3); print('other')"
    )
    expected = {"it inner nothing", "it timer nothing", "it pool nothing"}
    notebook.wait(lambda: set(notebook.texts[first].splitlines()) >= expected, 60)
    notebook.wait(lambda: "other" in notebook.texts[other])
    assert "it" not in notebook.texts[other].replace("other", "")


def test_only_while_a_callback_runs_and_not_after_unload(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, SETUP)
    now = "threading.Thread.start, concurrent.futures.ThreadPoolExecutor.submit"
    run_cell(
        kernel,
        f"seen = []\nstate.execute(lambda: seen.append(({now}) != original))\n"
        f"assert seen == [True]\nassert ({now}) == original",
    )
    run_cell(
        kernel,
        "async def deaf():\n"
        "    while True:\n"
        "        try:\n            await asyncio.sleep(60)\n"
        "        except asyncio.CancelledError:\n            pass\n"
        f"task = state.execute(deaf)\nawait asyncio.sleep(0.05)\nassert ({now}) != original",
    )
    run_cell(kernel, "%unload_ext nbsession")
    run_cell(kernel, f"assert ({now}) == original")


def test_hooks_of_others_stay(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, SETUP)
    run_cell(
        kernel,
        "calls = []\n"
        "def hook():\n"
        "    below = threading.Thread.start\n"
        "    def start(thread):\n        calls.append(1)\n        below(thread)\n"
        "    threading.Thread.start = start\n"
        "state.execute(hook)\ntheirs = threading.Thread.start\n"
        "for _ in range(2000):\n    state.execute(lambda: None)\n"
        "assert threading.Thread.start is theirs\n"
        "thread = threading.Thread(target=print); thread.start(); thread.join()\n"
        "assert calls == [1]",
    )
    run_cell(kernel, "%unload_ext nbsession")
    run_cell(kernel, "thread = threading.Thread(target=print); thread.start(); thread.join()")


def test_threads_of_a_deferred_function_print_into_its_widget(kernel: BlockingKernelClient) -> None:
    notebook = Notebook(kernel)
    notebook.run(SETUP)
    first = notebook.run(
        "def make():\n"
        "    thread = threading.Thread(target=print, args=('in the widget',))\n"
        "    thread.start(); thread.join()\n"
        "    threading.Thread(target=speak, args=('late',)).start()\n"
        "deferred = state.defer(make)"
    )
    other = notebook.run("await asyncio.sleep(0.1); gate.set(); print(deferred.outputs)")
    assert "in the widget" in notebook.texts[other]
    notebook.wait(lambda: "late nothing" in notebook.texts[first])
