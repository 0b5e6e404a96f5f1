"""Apps whose state is in their link, in real pages."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from examples import (
    button,
    chosen,
    host_of,
    move,
    readout,
    run_in_lab,
    turn_to,
    wait_for_query,
)
from hosts import Host
from pages import Visit
from waiting import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.server]

NewVisit = Callable[[Host, str], Visit]

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

RECORD_READOUTS = """
window.readouts = [];
new MutationObserver(() => {
    const node = document.querySelector('.widget-readout');
    if (node && node.checkVisibility()) window.readouts.push(node.textContent);
}).observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    yield from host_of("lab", tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def voila(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    yield from host_of("voila", tmp_path_factory.mktemp("voila"))


def test_app_state_in_the_url(voila: Host, visit: NewVisit) -> None:
    page = visit(voila, "sharer").open("voila/render/shared.ipynb").page
    wait_for_query(page, "phase=0&color=red")
    move(page)
    wait_for_query(page, "phase=1&color=red")
    page.select_option(".widget-dropdown select", "blue")
    wait_for_query(page, "phase=1&color=blue")
    page.go_back()
    eventually(lambda: chosen(page) == "red", what="the choice goes back")
    page.go_back()
    eventually(lambda: readout(page) == "0", what="the slider goes back")
    page.go_forward()
    eventually(lambda: readout(page) == "1", what="the slider goes forward")


def test_app_state_in_the_url_of_lab(lab: Host, visit: NewVisit) -> None:
    page = run_in_lab(lab, visit, "shared", "sharer").page
    wait_for_query(page, "phase=0&color=red")
    steps = page.evaluate("history.length")
    move(page)
    wait_for_query(page, "phase=1&color=red")
    page.select_option(".widget-dropdown select", "blue")
    wait_for_query(page, "phase=1&color=blue")
    assert page.evaluate("history.length") == steps, "Lab's own URL would lie behind each step"
    page.evaluate("history.replaceState(history.state, '', '?phase=5&color=green')")
    eventually(lambda: (readout(page), chosen(page)) == ("5", "green"), what="the URL is followed")


def test_shared_link_restores_widgets_before_page_shows(voila: Host, visit: NewVisit) -> None:
    bob = visit(voila, "linked")
    bob.page.add_init_script(RECORD_READOUTS)
    bob.open("voila/render/shared.ipynb?x=%zz&phase=7&color=blue")
    bob.page.wait_for_function("() => window.readouts.length")
    eventually(lambda: chosen(bob.page) == "blue", what="the choice is that of the link")
    move(bob.page)
    wait_for_query(bob.page, "?x=%zz&phase=8&color=blue")
    assert set(bob.page.evaluate("window.readouts")) == {"7", "8"}


def test_options_that_depend_on_another_choice(voila: Host, visit: NewVisit) -> None:
    link = "country=Germany&town=K%C3%B6ln&tab=2&late=z"
    visitor = visit(voila, "traveller").open(f"voila/render/towns.ipynb?{link}")
    page = visitor.page

    def wait_for(shown: str) -> None:
        eventually(lambda: page.inner_text(".shown") == shown, 60, f"{shown} is shown")
        eventually(lambda: selected(page) == shown.split()[:2], 60, f"{shown} is chosen")

    wait_for("Germany Köln 2 z")
    wait_for_query(page, link)
    country, town = (page.locator(".widget-dropdown select").nth(place) for place in (0, 1))
    country.select_option("France")
    wait_for("France Lyon 2 z")
    town.select_option("Paris")
    wait_for("France Paris 2 z")
    country.select_option("Germany")
    wait_for("Germany Berlin 2 z")
    steps = page.evaluate("history.length")
    for step, shown in (
        (-1, "France Paris 2 z"),
        (-1, "France Lyon 2 z"),
        (-1, "Germany Köln 2 z"),
        (3, "Germany Berlin 2 z"),
        (-2, "France Lyon 2 z"),
    ):
        page.evaluate(f"history.go({step})")
        wait_for(shown)
        assert query_of(page) == dict(
            zip(("country", "town", "tab", "late"), shown.split(), strict=True)
        )
    assert page.evaluate("history.length") == steps
    assert visitor.own_complaints == []


def selected(page: Page) -> list[str]:
    chosen = "nodes => nodes.map(node => node.selectedOptions[0].text)"
    texts: list[str] = page.locator(".widget-dropdown select").evaluate_all(chosen)
    return texts


def query_of(page: Page) -> dict[str, str]:
    query: dict[str, str] = page.evaluate(
        "Object.fromEntries(new URLSearchParams(location.search))"
    )
    return query


def test_two_windows_on_one_notebook(lab: Host, visit: NewVisit) -> None:
    first = run_in_lab(lab, visit, "windows", "window-one")
    one = first.page
    wait_for_query(one, "phase=0")
    one.wait_for_selector(".widget-readout")
    first.wait_for_idle_kernel()
    first.command("docmanager:save")  # the second window shows what is in the file
    two = visit(lab, "window-two").open_notebook(f"lab/tree/windows.ipynb?token={lab.token}").page
    two.wait_for_selector(".widget-readout")
    before = two.evaluate("location.href")
    turn_to(one)
    move(one, 3)
    wait_for_query(one, "phase=3")
    eventually(lambda: readout(two) == "3", what="the slider is one")
    assert two.evaluate("location.href") == before
    after = one.evaluate("location.href")
    turn_to(two)
    move(two)
    wait_for_query(two, "phase=4")
    eventually(lambda: readout(one) == "4", what="the slider is one")
    assert one.evaluate("location.href") == after


def test_reload_leads_to_another_page(voila: Host, visit: NewVisit) -> None:
    page = visit(voila, "leaving").open("voila/render/location.ipynb").page
    button(page, "other").click()
    page.wait_for_selector(".other")
    assert page.evaluate("location.pathname") == "/voila/render/other.ipynb"


def test_dashboard(voila: Host, visit: NewVisit) -> None:
    shutil.copy(NOTEBOOKS / "dashboard.ipynb", voila.root)
    ada = visit(voila, "dashboard-ada")
    page = ada.open("voila/render/dashboard.ipynb?places=Rome&day=80&show=noon&live=false").page
    lines = page.locator(".daylight svg").first.locator("polyline")
    eventually(lambda: lines.count() == 1, what="the link's only place")
    button(page, "Oslo").click()
    wait_for_query(page, "?places=Oslo+Rome&day=80&show=noon&live=false")
    button(page, "twilight").click()
    wait_for_query(page, "show=dusk")
    page.go_back()
    page.wait_for_selector("figcaption:text-is('Height of the sun at noon')")
    page.go_back()
    eventually(lambda: lines.count() == 1, what="back")
    page.go_forward()
    eventually(lambda: lines.count() == 2, what="forward")
    bob = visit(voila, "dashboard-bob").open(page.url.removeprefix(voila.url)).page
    bob.wait_for_selector("figcaption:text-is('Height of the sun at noon')")
    shown = "node => node.outerHTML"
    of_bob = bob.locator(".daylight svg").first.evaluate(shown)
    assert of_bob == page.locator(".daylight svg").first.evaluate(shown)
    times = bob.locator(".daylight table tr").first
    before = times.inner_text()
    button(bob, "live").click()
    wait_for_query(bob, "live=true")
    eventually(lambda: times.inner_text() != before, what="the clock runs")
    assert ada.own_complaints == []


def test_dashboard_says_what_a_link_gets_wrong(voila: Host, visit: NewVisit) -> None:
    shutil.copy(NOTEBOOKS / "dashboard.ipynb", voila.root)
    page = (
        visit(voila, "bad-link").open("voila/render/dashboard.ipynb?places=Atlantis&day=999").page
    )
    page.wait_for_selector("[role=alert]:has-text('places=Atlantis')")
    page.wait_for_selector("[role=alert]:has-text('day=999')")
    wait_for_query(page, "?places=Troms%C3%B8+Rome+Sydney&day=172")
