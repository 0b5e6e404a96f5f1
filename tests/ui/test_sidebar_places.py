"""Where else JupyterLab and Notebook 7 show tasks, and what the panel does without its server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from playwright.sync_api import Browser, Request, Route, expect

import hosts
from hosts import Host
from pages import PAGE_MS, Visit
from sidebars import Sidebar, faults, running, start
from waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.server]

expect.set_options(timeout=PAGE_MS)

NewVisit = Callable[[Host, str], Visit]

TITLE = "Scheduled Tasks and Sessions"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    yield from running("lab", tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def ada(lab: Host, browser: Browser) -> Iterator[Sidebar]:
    """A page of JupyterLab with the notebook, and without the panel at first."""
    visit = Visit(browser, lab, "ada")
    yield Sidebar(visit).load()
    visit.close()


def test_status_bar(ada: Sidebar) -> None:
    status = ada.page.get_by_role("button", name="Scheduled tasks:")
    expect(status).to_have_count(0)
    ada.schedule("greet")
    expect(status).to_have_text("1 task")
    ada.schedule("broken", job="fail")
    expect(status).to_have_text("1 failed")
    status.click()
    expect(ada.task("broken")).to_be_visible()
    assert faults(ada.page, "#jp-main-statusbar [aria-label^=Scheduled]") == []


def test_failures_that_come_together_are_told_in_one(ada: Sidebar) -> None:
    ada.schedule("bad 1", "bad 2", "bad 3", "bad 4", job="fail", when="")
    toast = ada.page.locator(".Toastify__toast", has_text="failed")  # "broken" is in it as well
    expect(toast).to_contain_text("5 tasks have failed: bad")
    expect(toast).to_have_count(1)
    toast.get_by_role("button", name="Show").click()
    expect(ada.page.get_by_label("State of tasks")).to_have_value("failed")
    expect(ada.task("bad 1")).to_be_visible()
    expect(ada.task("greet")).to_have_count(0)
    ada.page.get_by_label("State of tasks").select_option("all")


def test_commands(ada: Sidebar) -> None:
    ada.visit.command("nbsession:pause", {"name": "greet"})
    ada.wait_for_state("greet", "paused")
    # Without a name it is asked for; only one can be resumed.
    ada.page.evaluate("() => { window.jupyterapp.commands.execute('nbsession:resume'); }")
    dialog = ada.page.get_by_role("dialog")
    expect(dialog.locator("select option")).to_have_text(["greet"])
    dialog.get_by_role("button", name="Resume").click()
    ada.wait_for_state("greet", "scheduled")

    ada.page.evaluate(
        "() => { window.jupyterapp.commands.execute('nbsession:cancel', {name: 'bad 4'}); }"
    )
    dialog.get_by_role("button", name="Cancel Task").click()
    expect(ada.task("bad 4")).to_have_count(0)


def test_running_panel(ada: Sidebar) -> None:
    ada.visit.command("running:show-panel")
    item = ada.page.locator(".jp-RunningSessions-item", has_text="greet")
    expect(item).to_contain_text("scheduled")
    expect(ada.page.get_by_role("button", name="Cancel All")).to_be_visible()
    item.get_by_text("greet").click()
    expect(ada.task("greet")).to_have_attribute("data-open", "true")


def test_settings(ada: Sidebar) -> None:
    kept = partial(ada.host.http.get, "lab/api/settings/nbsession:sidebar")
    ada.page.get_by_label("Order of tasks").select_option("errors")
    eventually(lambda: "errors" in kept().json()["raw"], what="the order is kept")
    sessions = ada.page.get_by_role("region", name="Sessions", exact=True)
    expect(sessions).to_be_visible()
    ada.page.evaluate(
        """async () => {
            const { serviceManager } = window.jupyterapp;
            const raw = JSON.stringify({ showSessions: false });
            await serviceManager.settings.save('nbsession:sidebar', raw);
        }"""
    )
    ada.page.reload()
    ada.open()
    expect(ada.page.get_by_label("Order of tasks")).to_have_value("name")
    expect(sessions).to_have_count(0)
    ada.host.http.put("lab/api/settings/nbsession:sidebar", json={"raw": "{}"})


def test_session_opens_its_notebook(ada: Sidebar, visit: NewVisit) -> None:
    ada.visit.wait_for_kernel()
    kernel = ada.kernel
    bob = Sidebar(visit(ada.host, "bob"))
    bob.load_lab("bob").page.get_by_role("tab", name=TITLE).click()
    bob.session(kernel).locator(".nbsession-Session-title").click()
    bob.visit.wait_for_kernel()
    assert bob.kernel == kernel
    assert bob.visit.own_complaints == []


def test_server_without_nbsession(ada: Sidebar, visit: NewVisit) -> None:
    bob = Sidebar(visit(ada.host, "without"))
    asked: list[str] = []

    def refuse(route: Route, request: Request) -> None:
        if "/page?" not in request.url:  # That of a kernel's page is sent by another plugin.
            asked.append(request.url)
        route.fulfill(status=404, body="{}")

    bob.page.route("**/nbsession/api/**", refuse)
    bob.load_lab("without").visit.command("nbsession:open")
    expect(bob.page.get_by_role("region", name=TITLE)).to_contain_text("runs without nbsession")
    before = len(asked)
    bob.page.wait_for_timeout(3_000)
    assert len(asked) == before  # It does not ask again and again.
    expect(bob.page.get_by_role("button", name="Scheduled tasks:")).to_have_count(0)


def test_who_may_only_read_has_no_buttons(ada: Sidebar, visit: NewVisit) -> None:
    bob = Sidebar(visit(ada.host, "reader"))

    def say_read_only(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "writable": False})

    for name in ("tasks", "sessions"):
        bob.page.route(re.compile(f"/nbsession/api/{name}([?]|$)"), say_read_only)
    bob.load_lab("reader").open()
    expect(bob.task("greet")).to_be_visible()
    expect(bob.task("greet").get_by_role("button", name="greet", exact=True)).to_have_count(1)
    expect(bob.task("greet").get_by_role("button")).to_have_count(1)
    enabled = bob.page.evaluate("() => window.jupyterapp.commands.isEnabled('nbsession:pause')")
    assert not enabled
    bob.visit.command("running:show-panel")
    running = bob.page.locator("#jp-running-sessions")
    expect(running.locator(".jp-RunningSessions-item", has_text="greet")).to_be_visible()
    expect(running.get_by_role("button", name="Cancel All")).to_have_count(0)
    expect(running.get_by_role("button", name="Shut Down All").first).to_be_visible()


def test_server_is_restarted(ada: Sidebar, lab: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    ada.open()
    ada.wait_for_state("greet", "scheduled")
    lab.stop()
    expect(ada.page.locator("#nbsession-sidebar")).to_contain_text("does not answer")
    monkeypatch.setattr(hosts, "free_port", lambda: lab.port)
    again = start("lab", lab.home)
    try:
        expect(ada.page.locator("#nbsession-sidebar")).not_to_contain_text("does not answer")
        ada.wait_for_state("greet", "scheduled")
        again.http.post("nbsession/api/tasks/greet/pause", json={}).raise_for_status()
        ada.wait_for_state("greet", "paused")  # News come again.
        assert not [text for text in ada.visit.own_complaints if "/api/" not in text]
    finally:
        again.stop()


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    yield from running("notebook", tmp_path_factory.mktemp("notebook"))


def test_notebook_has_it_in_its_menu_and_on_its_file_page(notebook: Host, visit: NewVisit) -> None:
    ada = Sidebar(visit(notebook, "ada")).load()
    ada.page.get_by_role("menuitem", name="View").click()
    ada.page.get_by_role("menuitem", name=TITLE, exact=True).click()
    expect(ada.page.locator("#nbsession-sidebar")).to_contain_text("No scheduled tasks yet")
    ada.schedule("greet")
    expect(ada.task("greet")).to_be_visible()

    ada.visit.open(f"tree?token={notebook.token}")
    ada.page.get_by_role("tab", name="Running").click()
    item = ada.page.locator(".jp-RunningSessions-item", has_text="greet")
    expect(item).to_be_visible()
    item.get_by_text("greet").click()
    expect(ada.task("greet")).to_have_attribute("data-open", "true")
    assert ada.visit.own_complaints == []
