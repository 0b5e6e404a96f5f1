"""What Panel's guide to session state shows, in Jupyter's terms, in real pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from examples import button, host_of, move, options, run_in_lab, wait_for_query
from hosts import Host
from kernels import handles_messages_beside_cells
from pages import Visit
from waiting import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.server]

NewVisit = Callable[[Host, str], Visit]
Show = Callable[[str], Visit]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    yield from host_of("lab", tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def voila(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    yield from host_of("voila", tmp_path_factory.mktemp("voila"))


@pytest.fixture(params=["lab", "voila"])
def show(request: pytest.FixtureRequest, visit: NewVisit) -> Show:
    """Return a function that opens the page of an example and runs it."""
    host: Host = request.getfixturevalue(request.param)

    def in_lab(name: str) -> Visit:
        return run_in_lab(host, visit, name, f"{name}-ada")

    def in_voila(name: str) -> Visit:
        return visit(host, f"{name}-ada").open(f"voila/render/{name}.ipynb")

    return in_lab if request.param == "lab" else in_voila


def test_location(show: Show) -> None:
    ada = show("location")
    page = ada.page
    parts, href = page.locator(".parts"), page.locator(".href")
    eventually(lambda: href.inner_text() == page.evaluate("location.href"), what="the URL is known")
    path = page.evaluate("location.pathname")
    first, *_, protocol, port = parts.inner_text().split("|")
    assert [first, protocol, port] == [path, "http:", str(ada.host.port)]
    button(page, "blue").click()
    wait_for_query(page, "?color=blue")
    button(page, "section").click()
    page.wait_for_function("() => location.hash === '#interact'")
    assert href.inner_text().endswith(f"{path}?color=blue#interact")
    page.go_back()
    page.wait_for_function("() => location.hash === ''")
    eventually(lambda: href.inner_text() == page.evaluate("location.href"), what="back is followed")
    page.evaluate("history.pushState(null, '', '?color=green')")
    eventually(lambda: "?color=green" in parts.inner_text(), what="pushState is noticed")
    assert ada.own_complaints == []


def test_busy(show: Show) -> None:
    ada = show("busy")
    page = ada.page
    said = '.widget-html-content:text-is("{}")'
    page.wait_for_selector(said.format("I'm idle"))
    page.wait_for_selector(".nbsession-busy[data-busy=false]")
    button(page, "Click me!").click()
    page.wait_for_selector(said.format("I'm busy"))
    page.wait_for_selector(".nbsession-busy[data-busy=true]")
    page.wait_for_selector(".widget-valid.mod-valid")
    (ada.host.root / "processed").touch()
    page.wait_for_selector(said.format("I'm idle"))
    page.wait_for_selector(".nbsession-busy[data-busy=false]")
    page.wait_for_selector(".widget-valid.mod-invalid")
    assert ada.own_complaints == []


def test_onload_fills_options(show: Show) -> None:
    ada = show("onload")
    page = ada.page
    page.wait_for_selector(".widget-select select")
    assert options(page) == []
    (ada.host.root / "options-known").touch()
    eventually(lambda: options(page) == ["A", "B", "C"], what="the options come")


def test_defer(show: Show) -> None:
    ada = show("defer")
    page = ada.page
    page.wait_for_selector(".nbsession-spinner")
    page.wait_for_selector(".jp-OutputArea-output pre:has-text('reading the table')")
    (ada.host.root / "rendered").touch()
    eventually(lambda: options(page) == ["A", "B", "C"], what="the result comes")
    page.wait_for_selector("text=LookupError: no such table")
    assert page.locator(".nbsession-spinner").count() == 0


def test_on_session_destroyed_when_page_is_closed(voila: Host, visit: NewVisit) -> None:
    page = visit(voila, "leaver").open("voila/render/destroyed.ipynb").page
    check_destroyed(voila, page, lambda: page.close(run_before_unload=True))


def test_on_session_destroyed_when_kernel_is_shut_down(lab: Host, visit: NewVisit) -> None:
    ada = run_in_lab(lab, visit, "destroyed", "destroyer")
    check_destroyed(lab, ada.page, lambda: ada.command("kernelmenu:shutdown"))


def check_destroyed(host: Host, page: Page, end: Callable[[], None]) -> None:
    kernel = page.locator(".kernel").inner_text()
    written = host.root / "destroyed.txt"
    assert not written.exists()
    end()
    eventually(written.exists, what="clean_up is called")
    eventually(lambda: not host.has_kernel(kernel), what="the kernel has ended")
    assert written.read_text() == f"{kernel}\n"


def test_execute_from_thread(show: Show) -> None:
    page = show("execute").page
    page.wait_for_selector("svg.plot[viewBox='0 0 10 9']")
    button(page, "work").click()
    page.wait_for_selector("svg.plot[viewBox='0 0 10 4']")
    assert page.locator(".said").inner_text() == "True and async"


def counter(page: Page) -> int:
    return int(page.locator(".widget-text input").first.input_value())


def ticks(page: Page) -> int:
    """Return how often the callback was called, or skipped for want of time."""
    return counter(page) + int(page.locator(".widget-text input").nth(1).input_value())


def points(page: Page) -> str | None:
    return page.get_attribute("svg.plot polyline", "points")


def test_periodic_callback_ends_with_timeout(show: Show) -> None:
    page = show("periodic").page
    page.wait_for_selector(".widget-toggle-button.mod-active")
    first = points(page)
    eventually(lambda: points(page) != first, what="the plot moves")
    page.wait_for_selector(".widget-toggle-button:not(.mod-active)")
    # 5000 ms have 25 ticks of 200; a machine that has no time may miss the last.
    eventually(lambda: 24 <= ticks(page) <= 25, what="the ticks of 5000 ms")
    assert counter(page) > 5


def test_periodic_callback_toggled_and_changed(show: Show) -> None:
    page = show("toggled").page
    page.locator(".widget-toggle-button.mod-active").click()
    page.wait_for_selector(".widget-toggle-button:not(.mod-active)")
    stopped = counter(page)
    button(page, "Toggle callback").click()
    eventually(lambda: counter(page) > stopped, what="it goes on, and so does the counter")
    button(page, "faster").click()
    eventually(lambda: counter(page) > stopped + 60, what="ticks of 20 ms")


def test_slider_lives_while_a_cell_awaits(lab: Host, visit: NewVisit) -> None:
    ada = run_in_lab(lab, visit, "awaiting", "mover")
    page = ada.page

    def move_and_see(*values: int) -> None:
        for value in values:
            move(page)
            page.wait_for_selector(f".seen:text-is('{value}')")

    # Elsewhere it does not even show before the cell ends: JupyterLab asks the kernel first.
    if handles_messages_beside_cells():
        move_and_see(1, 2, 3, 4)
        assert "awaited" not in ada.outputs()
    (lab.root / "go-on").touch()
    eventually(lambda: re.search("awaited$", ada.outputs(), re.MULTILINE), what="the cell ends")
    moved = 4 if handles_messages_beside_cells() else 0
    move_and_see(moved + 1, moved + 2, moved + 3)
