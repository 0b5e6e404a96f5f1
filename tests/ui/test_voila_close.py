"""Voilà pages that go without a farewell: their kernels end, and no others."""

from __future__ import annotations

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


def running(home: Path, grace_seconds: float) -> Iterator[Host]:
    write_notebook(home / "root", "x.ipynb", [WIDGET, PROBE])
    write_notebook(home / "root", "slow.ipynb", [SLOW])
    host = Host("voila", home, f"--NBSession.page_grace_seconds={grace_seconds}")
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
