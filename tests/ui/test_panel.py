"""`BusyIndicator` and `display(state)` in real pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from hosts import Host
from pages import Visit, write_notebook
from waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.server]

NewVisit = Callable[[Host, str], Visit]

CELLS = [
    """
import asyncio, time
import ipywidgets
from nbsession import BusyIndicator, state
button = ipywidgets.Button(description="work")
def work(_):
    time.sleep(0.06)
button.on_click(work)
display(button, BusyIndicator(size=24, label="Simulation"))
display(state)
""",
    """
def update(): pass
ticking = state.add_periodic_callback(update, 100)
resting = state.add_periodic_callback(lambda: None, 60_000, start=False)
""",
    "display(state)\nprint(f'kernel:{state.kernel_id}')",
]

# What the tests change.
RESET = """
ticking.period, resting.period = 100, 60_000
ticking.start()
resting.stop()
"""

RING = ".nbsession-busy[title^='Simulation']"

RECORD = """ring => {
    window.shown = [];
    new MutationObserver(() => window.shown.push(ring.dataset.busy))
        .observe(ring, {attributes: true, attributeFilter: ['data-busy']});
}"""


def host_of(app: str, home: Path, *args: str) -> Iterator[Host]:
    write_notebook(home / "root", "panel.ipynb", CELLS)
    write_notebook(home / "root", "empty.ipynb", ["from nbsession import state\nstate"])
    host = Host(app, home, *args)
    try:
        yield host.wait_ready()
    finally:
        host.stop()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    home = tmp_path_factory.mktemp("lab")
    yield from host_of("lab", home, "--LabApp.expose_app_in_browser=True")


@pytest.fixture(scope="module")
def voila(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    yield from host_of("voila", tmp_path_factory.mktemp("voila"))


def open_lab(lab: Host, visit: NewVisit, name: str, who: str) -> Visit:
    source = lab.root / name
    name = f"{len(list(lab.root.iterdir()))}-{name}"  # a kernel of its own
    (lab.root / name).write_text(source.read_text())
    for workspace in (lab.home / "workspaces").glob("*"):
        workspace.unlink()
    ada = visit(lab, who).open_notebook(f"lab/tree/{name}?token={lab.token}")
    ada.command("notebook:run-all-cells")
    return ada


def open_voila(voila: Host, visit: NewVisit, name: str, who: str) -> Visit:
    return visit(voila, who).open(f"voila/render/{name}?n=3")


@pytest.fixture(scope="module", params=["lab", "voila"])
def opened(request: pytest.FixtureRequest, browser: Browser) -> Iterator[tuple[Visit, str]]:
    """Return a page on which everything is shown, and its kernel's id."""
    host = request.getfixturevalue(request.param)
    opener = {"lab": open_lab, "voila": open_voila}[request.param]
    ada = opener(host, partial(Visit, browser), "panel.ipynb", f"{request.param}-ada")
    ada.page.wait_for_selector(RING)
    ada.page.wait_for_function(
        "() => document.querySelectorAll('.nbsession-panel-callback').length === 4"
    )
    printed = ada.page.locator("text=/^kernel:/").first.inner_text()
    yield ada, printed.strip().removeprefix("kernel:")
    ada.close()


@pytest.fixture
def shown(opened: tuple[Visit, str]) -> Visit:
    """Return the page, with everything as it was at the start."""
    ada, kernel = opened
    ada.host.run(kernel, RESET)
    eventually(lambda: switches(ada.page) == ["true", "false"] * 2, what="what is on")
    eventually(lambda: periods(ada.page) == ["100", "60000"] * 2, what="the periods")
    return ada


def texts(page: Page, selector: str) -> list[str]:
    return page.locator(selector).all_inner_texts()


def values(page: Page, selector: str, expression: str) -> list[Any]:
    found: list[Any] = page.eval_on_selector_all(selector, f"nodes => nodes.map({expression})")
    return found


def switches(page: Page) -> list[str]:
    return values(page, ".nbsession-panel-switch", "node => node.getAttribute('aria-checked')")


def periods(page: Page) -> list[str]:
    return values(page, ".nbsession-panel-period", "node => node.value")


def stop_ticking(page: Page) -> None:
    """Stop the callback that makes the session busy all the time."""
    page.locator(".nbsession-panel-switch[aria-label='Run update']").first.click()
    eventually(lambda: switches(page)[0] == "false")
    settled = "nodes => nodes.every(node => node.dataset.busy === 'false')"
    eventually(lambda: page.eval_on_selector_all(".nbsession-busy", settled))


def test_every_click_of_60_ms_is_shown(shown: Visit) -> None:
    page = shown.page
    stop_ticking(page)
    page.eval_on_selector(RING, RECORD)
    for number in range(1, 11):
        page.locator(".widget-button").first.click()
        page.wait_for_function(f"() => window.shown.length === {2 * number}")
    assert page.evaluate("window.shown") == ["true", "false"] * 10
    assert shown.own_complaints == []


def test_screen_reader_hears_what_lasts(shown: Visit) -> None:
    page = shown.page
    stop_ticking(page)
    page.wait_for_function(
        f"() => document.querySelector(\"{RING} [role=status]\").textContent === 'Simulation: idle'"
    )


def test_panels_follow_together(shown: Visit) -> None:
    page = shown.page
    assert texts(page, ".nbsession-panel-name")[:2] == ["update", "<lambda>"]
    assert switches(page) == ["true", "false", "true", "false"]
    page.wait_for_function(
        """() => {
            const [a, , b] = [...document.querySelectorAll('.nbsession-panel-counter')]
                .map(node => parseInt(node.textContent));
            return a > 5 && Math.abs(a - b) <= 1;
        }"""
    )
    page.locator(".nbsession-panel-switch").nth(0).click()
    eventually(lambda: switches(page) == ["false", "false", "false", "false"])
    page.locator(".nbsession-panel-switch").nth(2).click()
    eventually(lambda: switches(page) == ["true", "false", "true", "false"])
    address = texts(page, ".nbsession-panel-address")
    assert address[0] == address[1]
    assert address[0].startswith(page.evaluate("location.pathname"))
    assert "token" not in address[0]


def test_keyboard(shown: Visit) -> None:
    page = shown.page
    switch = page.locator(".nbsession-panel-switch").nth(1)
    switch.focus()
    page.keyboard.press("Space")
    eventually(lambda: switches(page)[1] == "true")
    page.keyboard.press("Enter")
    eventually(lambda: switches(page)[1] == "false")
    outline = switch.evaluate("node => getComputedStyle(node).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith(
        "Period of"
    )
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("30000")
    page.keyboard.press("Enter")
    eventually(lambda: periods(page)[3] == "30000")


@pytest.mark.parametrize("text", ["0", "-5", "1.5", ""])
def test_bad_period_says_why(shown: Visit, text: str) -> None:
    page = shown.page
    period = page.locator(".nbsession-panel-period").nth(1)
    period.fill(text)
    period.press("Enter")
    problem = page.locator(".nbsession-panel-problem").nth(1)
    assert problem.inner_text() == "A period is a whole number of ms, at least 1."
    assert period.get_attribute("aria-invalid") == "true"
    period.press("Escape")
    assert problem.is_hidden()
    assert period.input_value() == "60000"


def test_narrow(shown: Visit) -> None:
    page = shown.page
    overflow = page.locator(".nbsession-panel").first.evaluate(
        """panel => {
            const before = panel.parentElement.style.cssText;
            panel.parentElement.style.width = '250px';
            panel.parentElement.style.minWidth = '0';
            const width = panel.getBoundingClientRect().width;
            const widths = [width, panel.scrollWidth - panel.clientWidth];
            panel.parentElement.style.cssText = before;
            return widths;
        }"""
    )
    assert overflow[0] <= 250
    assert overflow[1] == 0


@pytest.mark.parametrize("app", ["lab", "voila"])
def test_empty_state_teaches(app: str, request: pytest.FixtureRequest, visit: NewVisit) -> None:
    opener = {"lab": open_lab, "voila": open_voila}[app]
    ada = opener(request.getfixturevalue(app), visit, "empty.ipynb", f"{app}-empty")
    empty = ada.page.locator(".nbsession-panel-empty")
    assert empty.inner_text() == "None yet. state.add_periodic_callback(f, 500) makes one."


def test_not_busy_after_the_kernel_is_gone(lab: Host, visit: NewVisit) -> None:
    ada = open_lab(lab, visit, "panel.ipynb", "lab-gone")
    ada.page.wait_for_selector(RING)
    ada.wait_for_idle_kernel()
    ada.page.evaluate(
        "() => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
        ".requestExecute({code: 'import os, time; time.sleep(1.5); os._exit(1)'}); }"
    )
    ada.page.wait_for_selector(f"{RING}[data-busy=true]")
    ada.page.wait_for_selector(f"{RING}[data-busy=false]")
    ada.page.wait_for_function(
        "() => document.querySelector('.nbsession-panel').dataset.live === 'false'"
    )
    assert ada.page.locator(".nbsession-panel-switch").first.is_disabled()
