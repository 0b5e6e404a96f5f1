"""Voilà's pages in a real browser: what a visitor's notebook sees, and their page never."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from hosts import Host
from pages import PROBE, Visit, write_notebook
from waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.browser, pytest.mark.server]

NewVisit = Callable[[Host, str], Visit]
QUERY = "city=K%C3%B6ln&n=3&n=4"
ARGUMENTS = {"city": ["Köln"], "n": ["3", "4"]}

# A widget, so that the page talks over its WebSocket.
CELLS = ["import ipywidgets\nipywidgets.IntSlider(description='slider')", PROBE]


def running(app: str, home: Path, *args: str) -> Iterator[Host]:
    write_notebook(home / "root", "x.ipynb", CELLS)
    host = Host(app, home, *args, lean=False)
    try:
        yield host.wait_ready()
    finally:
        host.stop()


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    yield from running("voila", tmp_path_factory.mktemp("single"), "x.ipynb")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    yield from running("voila", tmp_path_factory.mktemp("folder"))


@pytest.fixture(scope="module")
def within_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    yield from running("server", tmp_path_factory.mktemp("server"))


@pytest.fixture(scope="module")
def preheated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    home = tmp_path_factory.mktemp("preheated")
    yield from running("voila", home, "x.ipynb", "--preheat_kernel=True", "--pool_size=1")


def check_page(visit: Visit, path: str, query: str = QUERY) -> str:
    """Open a page, check what its notebook saw, and return its kernel's id."""
    visit.open(f"{path}?{query}")
    seen = visit.seen()
    assert seen["args"] == ARGUMENTS
    assert seen["cookies"] == visit.seen_cookies
    assert seen["header"] == visit.header
    assert seen["user"]
    assert seen["request"] == ["GET", f"/{path}", QUERY, "voila"]
    visit.page.wait_for_selector(".widget-slider")
    visit.check_nothing_leaked()
    assert visit.own_complaints == []
    return seen["kernel"]


def check_kernel_ends_with_page(visit: Visit, kernel_id: str) -> None:
    """Close the page as a person does: its kernel must end long before any grace is over."""
    assert visit.host.has_kernel(kernel_id)
    visit.page.close(run_before_unload=True)
    eventually(lambda: not visit.host.has_kernel(kernel_id), 15, "the kernel ends")


def test_single_notebook(single: Host, visit: NewVisit) -> None:
    ada = visit(single, "ada")
    check_kernel_ends_with_page(ada, check_page(ada, ""))


def test_two_visitors(single: Host, visit: NewVisit) -> None:
    ada, bob = visit(single, "ada"), visit(single, "bob")
    assert check_page(ada, "") != check_page(bob, "")
    bob.check_nothing_leaked()
    assert not any(ada.cookie in frame for frame in bob.traffic)


def test_folder(folder: Host, visit: NewVisit) -> None:
    ada = visit(folder, "ada")
    check_kernel_ends_with_page(ada, check_page(ada, "voila/render/x.ipynb"))


def test_within_jupyter_server(within_server: Host, visit: NewVisit) -> None:
    ada = visit(within_server, "ada")
    query = f"{QUERY}&token={within_server.token}"
    check_kernel_ends_with_page(ada, check_page(ada, "voila/render/x.ipynb", query))


def test_preheated(preheated: Host, visit: NewVisit) -> None:
    eventually(preheated.kernels, what="a kernel in the pool")
    ada, bob = visit(preheated, "ada"), visit(preheated, "bob")
    kernel = check_page(ada, "")
    check_page(bob, "")  # from the refilled pool
    check_kernel_ends_with_page(ada, kernel)
