"""The panel of tasks and sessions in JupyterLab and Notebook 7."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from hosts import Host
from pages import PAGE_MS, Visit
from sidebars import Sidebar, faults, requests_of, running
from waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.server]

expect.set_options(timeout=PAGE_MS)

NewVisit = Callable[[Host, str], Visit]

MAKE_TASK = """
import jobs
from nbsession import state
state.schedule_task("from a cell", jobs.greet, period="90m")
"""


@pytest.fixture(scope="module", params=["lab", "notebook"])
def host(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Host]:
    yield from running(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def ada(host: Host, browser: Browser) -> Iterator[Sidebar]:
    """A page whose notebook has run, with the panel open."""
    visit = Visit(browser, host, "ada")
    sidebar = Sidebar(visit).load()
    visit.command("notebook:run-all-cells")
    yield sidebar.open()
    visit.close()


def test_task_of_a_notebook_appears(ada: Sidebar) -> None:
    expect(ada.page.locator(".nbsession-Section-tasks")).to_contain_text("No scheduled tasks yet")
    sent = requests_of(ada.page)
    ada.visit.write_cell(f"{MAKE_TASK}\ndisplay(state)")
    ada.visit.command("notebook:run-all-cells")
    expect(ada.task("from a cell")).to_be_visible()
    expect(ada.task("from a cell")).to_contain_text("every 1 h 30 min")
    assert sent == []  # The news came by themselves.


def test_orders(ada: Sidebar) -> None:
    ada.schedule("ordered")
    ada.wait_until("ordered", last_state="succeeded", run_count=1)
    ada.press("Pause", "ordered")
    ada.wait_for_state("ordered", "paused")
    ada.wait_until("ordered", state="paused")
    ada.press("Resume", "ordered")
    ada.wait_for_state("ordered", "scheduled")
    ada.wait_until("ordered", state="scheduled")

    ada.toggle("ordered")
    runs = ada.task("ordered").locator("tbody[data-run][data-state='succeeded']")
    expect(runs).to_have_count(1)
    ada.press("Run now", "ordered")
    expect(runs).to_have_count(2)
    ada.wait_until("ordered", run_count=2)

    ada.press("Cancel", "ordered")
    ada.task("ordered").get_by_role("button", name="Keep").click()
    ada.press("Cancel", "ordered")
    ada.task("ordered").get_by_role("button", name="Cancel task").click()
    expect(ada.task("ordered")).to_have_count(0)
    eventually(lambda: ada.told("ordered") is None, what="the server has no such task")


def test_failure_leads_to_its_traceback(ada: Sidebar) -> None:
    ada.schedule("broken", job="fail")
    toast = ada.page.locator(".Toastify__toast", has_text="“broken” failed")
    expect(toast).to_contain_text("ValueError: no such file")
    toast.get_by_role("button", name="Show").click()
    text = ada.task("broken").locator(".nbsession-RunText")
    expect(text).to_contain_text("Traceback (most recent call last)")
    expect(text).to_contain_text("jobs.py")
    expect(text).to_contain_text("looking")  # What it has printed.


def test_failure_of_a_task_of_the_kernel_leads_to_it(ada: Sidebar) -> None:
    ada.host.run(
        ada.kernel,
        "def bad(): 1 / 0\nstate.schedule_task('own', bad, period='1h')",
    )
    toast = ada.page.locator(".Toastify__toast", has_text="“own” failed")
    expect(toast).to_contain_text("ZeroDivisionError: division by zero")
    toast.get_by_role("button", name="Show").click()
    expect(ada.task("own")).to_contain_text("Last error: ZeroDivisionError: division by zero")


def test_callback_is_stopped_in_the_notebook_too(ada: Sidebar) -> None:
    ada.host.run(ada.kernel, "ticking.start()")
    switch = ada.session(ada.kernel).get_by_role("switch", name="Run tick")
    in_notebook = ada.page.locator(".nbsession-panel-switch[aria-label='Run tick']").first
    expect(switch).to_be_checked()
    expect(in_notebook).to_be_checked()
    switch.click()
    expect(in_notebook).not_to_be_checked()
    expect(switch).not_to_be_checked()
    assert ada.host.run(ada.kernel, "print(ticking.running)") == "False\n"
    in_notebook.click()
    expect(switch).to_be_checked()


def test_second_browser_follows(ada: Sidebar, visit: NewVisit) -> None:
    ada.schedule("shared")
    bob = Sidebar(visit(ada.host, "bob")).load().open()
    bob.wait_for_state("shared", "scheduled")
    ada.press("Pause", "shared")
    bob.wait_for_state("shared", "paused")
    bob.press("Resume", "shared")
    ada.wait_for_state("shared", "scheduled")
    assert bob.visit.own_complaints == []


def test_is_accessible_and_asks_nothing_at_rest(ada: Sidebar) -> None:
    ada.schedule("resting")
    ada.wait_until("resting", last_state="succeeded")
    ada.wait_for_state("resting", "scheduled")
    ada.toggle("resting")
    expect(ada.task("resting").locator("tbody[data-run]")).to_have_count(1)
    assert faults(ada.page, "#nbsession-sidebar") == []
    ada.visit.command("apputils:change-theme", {"theme": "JupyterLab Dark"})
    expect(ada.page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    assert faults(ada.page, "#nbsession-sidebar") == []

    sent = requests_of(ada.page)
    ada.page.wait_for_timeout(5_000)
    assert sent == []
    assert ada.visit.own_complaints == []
