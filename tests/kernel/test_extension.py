"""%load_ext, %unload_ext, %reload_ext and the plain import."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from kernels import run_cell

if TYPE_CHECKING:
    from jupyter_client import BlockingKernelClient


def test_load_is_idempotent_and_the_same_as_import(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, "%load_ext nbsession\nfirst = state")
    run_cell(kernel, "%load_ext nbsession")
    assert (
        run_cell(kernel, "import nbsession; print(state is first is nbsession.state)") == "True\n"
    )


def test_reload_keeps_the_object(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, "%load_ext nbsession\nfirst = state")
    run_cell(kernel, "%reload_ext nbsession\nassert state is first")
    assert (
        run_cell(kernel, "import nbsession; print(state is first is nbsession.state)") == "True\n"
    )


def test_reload_in_the_loading_cell(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, "%load_ext nbsession\nfirst = state\n%reload_ext nbsession")
    assert run_cell(kernel, "print(state is first)") == "True\n"


def test_unload_takes_the_name_and_the_hooks(kernel: BlockingKernelClient) -> None:
    run_cell(
        kernel, "ip = get_ipython()\nbefore = {k: list(v) for k, v in ip.events.callbacks.items()}"
    )
    run_cell(kernel, "%load_ext nbsession\nfirst = state")
    run_cell(kernel, "%unload_ext nbsession")
    printed = run_cell(
        kernel,
        "after = {k: list(v) for k, v in ip.events.callbacks.items()}\n"
        "print('state' in globals(), after == before,"
        "[name for name in vars(ip) if 'nbsession' in name], first.request)",
    )
    assert printed == "False True [] None\n"
    run_cell(kernel, "%load_ext nbsession")
    assert run_cell(kernel, "print(state is first)") == "False\n"


def test_unload_keeps_the_name_to_the_end_of_its_cell(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, "%load_ext nbsession\nfirst = state")
    printed = run_cell(
        kernel, "%unload_ext nbsession\nimport nbsession\nprint(state is first is nbsession.state)"
    )
    assert printed == "True\n"
    assert run_cell(kernel, "print(state is first)") == "True\n", "it was taken up again"


def test_unload_leaves_a_name_of_the_user(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, "%load_ext nbsession\nstate = 'mine'")
    run_cell(kernel, "%unload_ext nbsession")
    assert run_cell(kernel, "print(state)") == "mine\n"


def test_unload_after_a_plain_import(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, "import nbsession\nfrom nbsession import state\nnbsession.unload()")
    printed = run_cell(
        kernel,
        "print('state' in globals(),"
        " [name for name in vars(get_ipython()) if 'nbsession' in name])",
    )
    assert printed == "False []\n"


def test_reset_leaves_the_import(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, "%load_ext nbsession")
    run_cell(kernel, "%reset -f")
    assert run_cell(kernel, "from nbsession import state; print(state)").startswith(
        "<nbsession.State"
    )


def test_modules_reloaded_one_by_one(kernel: BlockingKernelClient) -> None:
    """As %autoreload does when a file changes."""
    run_cell(kernel, "%load_ext nbsession\nfirst = state")
    run_cell(
        kernel,
        "import importlib, nbsession.core.environment, nbsession.kernel.extension\n"
        "importlib.reload(nbsession.core.environment)\n"
        "importlib.reload(nbsession.kernel.extension)",
    )
    assert run_cell(kernel, "import nbsession; print(nbsession.state is first)") == "True\n"


def test_terminal_ipython() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=nocolor", "-c", TERMINAL],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "None None\n"


TERMINAL = "%load_ext nbsession\nprint(state.request, state.kernel_id)"
