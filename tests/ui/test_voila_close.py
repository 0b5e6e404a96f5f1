"""Voilà pages that go without a farewell: their kernels end, and no others."""

from __future__ import annotations

import signal
import time
import uuid
from typing import TYPE_CHECKING

import psutil
import pytest
from playwright.sync_api import Browser, Error

from hosts import Host
from pages import PROBE, Visit, write_notebook
from waiting import eventually
from wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.browser, pytest.mark.server]

WIDGET = "import ipywidgets\nipywidgets.IntSlider(description='slider')"
SLOW = "import time\ntime.sleep(600)"


BUSY = """
import asyncio, time
from pathlib import Path
from nbsession import state
idle = Path(f"idle-{state.kernel_id}")
assert state.request  # a preheated kernel waits here for its visitor

def be_busy():
    while not idle.exists():
        time.sleep(0.05)

asyncio.get_running_loop().call_later(0.5, be_busy)
"""
"""A cell after which the kernel is busy until the test lets it go on."""

GRACE_SECONDS = 20.0
"""Longer than a page takes to come back that comes back `SOON`."""

SOON = "Math.random = () => 0.1"
"""JupyterLab's services wait for a random time before they try again: 10 to 30 s after a first
socket that never opened, up to 1, 3, 7 … s after another one."""


def running(home: Path, grace_seconds: float, app: str = "voila", *args: str) -> Iterator[Host]:
    write_notebook(home / "root", "x.ipynb", [WIDGET, PROBE])
    write_notebook(home / "root", "slow.ipynb", [SLOW])
    write_notebook(home / "root", "busy.ipynb", [WIDGET, PROBE, BUSY])
    host = Host(app, home, f"--NBSession.page_grace_seconds={grace_seconds}", *args, lean=False)
    try:
        yield host.wait_ready()
    finally:
        host.stop()


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A Voilà that waits 2 s for a page to come back."""
    yield from running(tmp_path_factory.mktemp("impatient"), 2)


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A Voilà that waits long enough for any page that comes back."""
    yield from running(tmp_path_factory.mktemp("patient"), 60)


def open_page(visit: Visit) -> str:
    """Open a page and return its kernel's id."""
    visit.open("voila/render/x.ipynb")
    visit.page.wait_for_selector(".widget-slider")
    kernel: str = visit.seen()["kernel"]
    return kernel


def test_killed_browser(impatient: Host, launch: Callable[..., Browser]) -> None:
    mark = f"--nbsession-test={uuid.uuid4()}"
    browser = launch(mark)
    kernel = open_page(Visit(browser, impatient, "ada"))
    assert impatient.has_kernel(kernel)
    for process in psutil.process_iter(["cmdline"]):
        if mark in (process.info["cmdline"] or ()):
            process.kill()
    eventually(lambda: not impatient.has_kernel(kernel), 15, "the kernel ends")
    with pytest.raises(Error):  # not closed by anybody: it is gone
        browser.new_context()


def test_closed_while_rendering(impatient: Host, visit: Callable[..., Visit]) -> None:
    ada = visit(impatient, "ada")
    ada.page.goto(f"{impatient.url}voila/render/slow.ipynb", wait_until="commit")
    eventually(impatient.kernels, what="the kernel starts")
    ada.page.goto("about:blank")  # Playwright waits for ever to close a page that still loads
    eventually(lambda: not impatient.kernels(), 20, "the kernel ends")


def test_network_lost_for_less_than_grace(patient: Host, visit: Callable[..., Visit]) -> None:
    # Chromium's own offline mode leaves sockets that are open alone.
    wire = Wire(patient.port)
    ada = visit(patient, "ada", wire.port)
    kernel = open_page(ada)
    eventually(lambda: "Connecting to kernel" in patient.log, what="the page's socket")
    wire.cut()
    eventually(lambda: "Starting buffering" in patient.log, what="the server sees it go")
    wire.mend()
    eventually(lambda: "Restoring connection" in patient.log, 30, "the page comes back")
    assert patient.has_kernel(kernel)
    wire.close()


@pytest.fixture(
    scope="module",
    params=[
        ("voila",),
        ("voila", "busy.ipynb", "--preheat_kernel=True", "--pool_size=2"),
        ("server",),
    ],
    ids=["folder", "preheated", "within a server"],
)
def busy_host(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Host]:
    app, *args = request.param
    yield from running(tmp_path_factory.mktemp("busy"), GRACE_SECONDS, app, *args)


def open_busy_page(visit: Visit) -> str:
    """Open a page whose kernel is busy; return its kernel's id when its socket waits."""
    host = visit.host
    if "--preheat_kernel=True" in host.process.args:
        host.wait_for_pool(2)
        path = ""
    else:
        path = f"voila/render/busy.ipynb?token={host.token}"
    visit.open(path)
    kernel: str = visit.seen()["kernel"]
    eventually(lambda: host.pages(kernel) == 1, 60, "the page asks for its socket")
    visit.page.wait_for_load_state("networkidle")  # nothing but the socket is to be cut
    return kernel


@pytest.mark.slow
def test_first_socket_cut_while_busy(busy_host: Host, visit: Callable[..., Visit]) -> None:
    wires = [Wire(busy_host.port) for _ in range(3)]
    ada, bob, eve = (
        visit(busy_host, who, wire.port)
        for who, wire in zip(("ada", "bob", "eve"), wires, strict=True)
    )
    ada.context.add_init_script(SOON)
    stays, closed = open_busy_page(ada), open_busy_page(bob)
    for wire in wires[:2]:
        wire.cut()
    for kernel in (stays, closed):
        eventually(lambda kernel=kernel: busy_host.pages(kernel) == 0, 60, "the cut is seen")
    wires[0].mend()
    eventually(lambda: busy_host.pages(stays) == 1, 60, "the page comes back")
    eventually(lambda: not busy_host.has_kernel(closed), 60, "the closed page's kernel ends")
    assert busy_host.has_kernel(stays)
    (busy_host.root / f"idle-{stays}").touch()
    ada.page.wait_for_selector(".widget-slider")
    other = open_busy_page(eve)  # its end shows that one more grace is over
    wires[2].cut()
    eventually(lambda: not busy_host.has_kernel(other), 60, "the other page's kernel ends")
    assert busy_host.has_kernel(stays)
    assert busy_host.pages(stays) == 1
    for wire in wires:
        wire.close()


@pytest.mark.slow
def test_paused_server(tmp_path: Path, visit: Callable[..., Visit]) -> None:
    for host in running(tmp_path, GRACE_SECONDS):
        wire = Wire(host.port)
        ada = visit(host, "ada", wire.port)
        ada.context.add_init_script(SOON)
        kernel = open_page(ada)
        eventually(lambda host=host, kernel=kernel: host.pages(kernel) == 1, 60)
        wire.cut()
        eventually(lambda host=host, kernel=kernel: host.pages(kernel) == 0, 60)
        host.process.send_signal(signal.SIGSTOP)
        wire.mend()  # the page knocks while the server cannot hear it
        paused = time.monotonic()
        eventually(
            lambda paused=paused: time.monotonic() - paused > GRACE_SECONDS + 2, 60, "a long pause"
        )
        host.process.send_signal(signal.SIGCONT)
        eventually(lambda host=host, kernel=kernel: host.pages(kernel) == 1, 60, "it comes back")
        assert host.has_kernel(kernel)
        wire.close()
        eventually(lambda host=host, kernel=kernel: not host.has_kernel(kernel), 60)
