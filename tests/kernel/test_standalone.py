"""Without a server everything is empty, and nothing raises or waits."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fake_page import FakePage
from kernels import run_cell

if TYPE_CHECKING:
    from pathlib import Path

    from jupyter_client import BlockingKernelClient

LOOK = """
import json, logging, time
from nbsession import state
took = []
for _ in range(20):  # whatever else the machine does, one of them is not disturbed
    started = time.perf_counter()
    seen = dict(request=state.request, args=state.session_args, headers=dict(state.headers),
        cookies=dict(state.cookies), user=state.user, base_url=state.base_url,
        app_url=state.app_url)
    took.append(time.perf_counter() - started)
print(json.dumps([seen, min(took), state.kernel_id]))
"""

EMPTY = {
    "request": None,
    "args": {},
    "headers": {},
    "cookies": {},
    "user": None,
    "base_url": None,
    "app_url": None,
}


def test_plain_process() -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOOK], capture_output=True, text=True, check=True
    )
    seen, took, kernel_id = json.loads(run.stdout)
    assert (seen, kernel_id, run.stderr) == (EMPTY, None, "")
    assert took < 0.005


def test_plain_process_loads_nothing_heavy() -> None:
    code = (
        "import sys; from nbsession import state; state.headers;"
        "print([m for m in ('IPython', 'ipykernel', 'ipywidgets', 'anywidget', 'tornado',"
        "'jupyter_server') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_kernel_of_nobody(kernel: BlockingKernelClient) -> None:
    seen, took, _ = json.loads(run_cell(kernel, LOOK))
    assert seen == EMPTY
    assert took < 0.005


def test_log_goes_to_the_logger(kernel: BlockingKernelClient) -> None:
    printed = run_cell(
        kernel,
        "import logging, sys\n"
        "logging.basicConfig(stream=sys.stdout, format='%(levelname)s %(name)s %(message)s')\n"
        "from nbsession import state\n"
        "state.log('hello', level='warning')",
    )
    assert printed == "WARNING nbsession hello\n"


def test_log_level_that_is_none(kernel: BlockingKernelClient) -> None:
    printed = run_cell(
        kernel,
        "from nbsession import state\n"
        "try:\n    state.log('hello', level='loud')\n"
        "except ValueError as error:\n    print(error)",
    )
    assert printed == "no log level 'loud'; use one of debug, info, warning, error, critical\n"


def test_voila_without_our_kernel_manager(kernel: BlockingKernelClient) -> None:
    printed = run_cell(
        kernel,
        "import os, warnings\nos.environ['VOILA_PREHEAT'] = 'False'\n"
        "from nbsession import state\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    print(state.request, dict(state.cookies))\n"
        "    print(len(caught), caught[0].category.__name__, caught[0].message)",
    )
    assert printed.startswith("None {}\n1 NBSessionWarning state is empty: this Voilà does not use")
    assert "multi_kernel_manager_class=nbsession.server.voila" in printed


LAUNCHER = """
import sys
from jupyter_client import KernelManager
manager = KernelManager(transport="ipc", connection_file=sys.argv[1] + "/kernel-k.json")
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=60)
code = '''
import warnings
from nbsession import state
with warnings.catch_warnings(record=True) as caught:
    for _ in range(2):
        state.request, state.session_args, state.headers, state.cookies, state.user
print([f"{each.category.__name__}: {each.message}" for each in caught])
'''
client.execute_interactive(code, output_hook=lambda m: print(m["content"].get("text", ""), end=""))
client.stop_channels()
manager.shutdown_kernel(now=True)
"""


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("jupyverse", "nbsession does not serve jupyverse"),
        ("jupyter-lab", "(JupyterLab) runs without nbsession; install it there too"),
        ("jupyter-server", "(Jupyter Server) runs without nbsession"),
        ("papermill", ""),
        ("my-jupyter-lab.py", ""),
    ],
)
def test_a_server_that_does_not_serve_is_named_once(
    tmp_path: Path, program: str, words: str
) -> None:
    (tmp_path / program).write_text(LAUNCHER)
    ran = subprocess.run(
        [sys.executable, tmp_path / program, tmp_path], capture_output=True, text=True, check=True
    )
    [printed] = ran.stdout.splitlines()
    if words:
        assert printed.startswith("['NBSessionWarning: state is empty: ")
        assert words in printed
        assert printed.count("NBSessionWarning") == 1
    else:
        assert printed == "[]"


def test_a_page_without_a_server_has_a_query(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, "from nbsession import state\nstate.location")
    assert run_cell(kernel, "print(state.session_args)") == "{}\n"
    page = FakePage(kernel)
    page.hello(search="?n=3&n=4")
    assert run_cell(kernel, "print(state.session_args)") == "{'n': [b'3', b'4']}\n"
    page.hello(search="?n=5")
    assert run_cell(kernel, "print(state.session_args)") == "{'n': [b'3', b'4']}\n"


def test_an_old_voila_without_our_kernel_manager(kernel: BlockingKernelClient) -> None:
    printed = run_cell(
        kernel,
        "import os, warnings\n"
        "os.environ.update(VOILA_PREHEAT='False', SERVER_SOFTWARE='voila/0.4.6')\n"
        "from nbsession import state\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    print(state.request, state.session_args)\n"
        "print([str(each.message) for each in caught])",
    )
    assert printed.startswith(
        "None {}\n['state is empty: nbsession does not serve Voilà 0.4.6. It serves"
    )
    assert printed.count("state is empty") == 1


def test_a_link_of_another_kernel_is_not_ours() -> None:
    """A kernel started from within a kernel inherits its environment."""
    code = (
        "import os; os.environ.update(NBSESSION_LINK='unix:/nowhere', NBSESSION_TOKEN='t',"
        "NBSESSION_KERNEL_ID='other');"
        "from nbsession import state; print(state.request,"
        "[name for name in os.environ if name.startswith('NBSESSION')])"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout == "None []\n"


PLAIN_LOOPS = """
import asyncio, threading
from nbsession import state

print(state.execute(lambda: threading.current_thread().name).result())
print(state.execute(lambda: 1, schedule=False).done())

async def main():
    callback = state.add_periodic_callback(lambda: None, 10)
    while callback.counter < 3:
        await asyncio.sleep(0.01)
    return await state.execute(lambda: 5, schedule=True)

print([asyncio.run(main()) for _ in range(3)])
"""


def test_plain_process_with_one_loop_after_the_other() -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", PLAIN_LOOPS],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stdout == "MainThread\nTrue\n[5, 5, 5]\n"


UNLOADED = """
import threading, time
import nbsession
from nbsession import state as first

ran = threading.Semaphore(0)
first.schedule_task('work', ran.release, period='10ms')
first.add_periodic_callback(ran.release, 10)
for _ in range(6):
    assert ran.acquire(timeout=20)
nbsession.unload()
nbsession.unload()
while ran.acquire(timeout=0.2):
    pass
from nbsession import state as second
print(second is first, list(first.tasks), list(second.tasks))
second.schedule_task('again', ran.release, period='10ms')
print(ran.acquire(timeout=20), list(second.tasks), list(first.tasks))
"""


def test_plain_process_that_unloads() -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", UNLOADED],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert (run.stdout, run.stderr) == ("False [] []\nTrue ['again'] []\n", "")


def test_what_a_block_of_the_expiration_looks_like() -> None:
    code = (
        "from nbsession import state\nwith state.block_expiration() as end: print(end)\nprint(end)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == (
        "<ExpirationBlock, keeps the kernel alive>\n<ExpirationBlock, released>\n"
    )
