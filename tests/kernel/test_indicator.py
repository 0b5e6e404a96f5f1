"""BusyIndicator in a kernel without a page; tests/ui/test_panel.py looks at it in a browser."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kernels import run_cell

if TYPE_CHECKING:
    from jupyter_client import BlockingKernelClient


def test_it_follows_the_page_model(kernel: BlockingKernelClient) -> None:
    code = (
        "from nbsession import BusyIndicator, state\n"
        "ring = BusyIndicator(size=24, label='Simulation')\n"
        "print(ring.page is state._session.pages.widget, ring.get_state()['page'] == "
        "'IPY_MODEL_' + ring.page.model_id, ring)"
    )
    assert run_cell(kernel, code) == "True True BusyIndicator(size=24, label='Simulation')\n"


def test_the_kernel_does_nothing_for_it(kernel: BlockingKernelClient) -> None:
    run_cell(
        kernel,
        "from nbsession import BusyIndicator, state\n"
        "state._session.pages.open()\n"
        "functions = lambda: len(state._session.runtime.busy_listeners._functions)\n"
        "before = repr((functions(), state._trait_notifiers))\n"
        "rings = [BusyIndicator() for _ in range(10)]",
    )
    assert (
        run_cell(kernel, "print(repr((functions(), state._trait_notifiers)) == before)") == "True\n"
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("size=7", "size is in px and at least 8, got 7"),
        ("size='big'", "expected an int"),
        ("width=20", "BusyIndicator takes no width; it takes size, label, and the traits"),
    ],
)
def test_it_says_what_is_wrong(kernel: BlockingKernelClient, arguments: str, says: str) -> None:
    code = (
        "from nbsession import BusyIndicator\n"
        f"try: BusyIndicator({arguments})\n"
        "except Exception as error: print(error)"
    )
    assert says in run_cell(kernel, code)


def test_it_takes_traits_of_a_widget(kernel: BlockingKernelClient) -> None:
    code = (
        "from nbsession import BusyIndicator\n"
        "print(BusyIndicator(layout={'margin': '4px'}).layout.margin)"
    )
    assert run_cell(kernel, code) == "4px\n"


def test_plain_process() -> None:
    run = subprocess.run(
        [sys.executable, "-c", "import nbsession; print(nbsession.BusyIndicator().page)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "None\n"


def test_import_of_the_door_stays_cheap() -> None:
    code = (
        "import nbsession, sys\n"
        "print('BusyIndicator' in dir(nbsession), 'ipywidgets' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "True False\n"
