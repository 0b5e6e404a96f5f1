"""A page whose widgets take long to be made misses nothing that its load brings about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hosts import Host
from pages import Visit, write_notebook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Route

pytestmark = [pytest.mark.browser, pytest.mark.server]

CELL = """
import ipywidgets, traitlets
from nbsession import state
title, loads = ipywidgets.Text(), ipywidgets.IntText()
traitlets.link((state.curdoc, "title"), (title, "value"))

@state.onload
def count():
    loads.value += 1

ipywidgets.VBox([title, loads])
"""
VALUES = "() => [...document.querySelectorAll('.widget-text input')].map(({ value }) => value)"


@pytest.fixture
def voila(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    home = tmp_path_factory.mktemp("voila")
    write_notebook(home / "root", "late.ipynb", [CELL])
    host = Host("voila", home)
    try:
        yield host.wait_ready()
    finally:
        host.stop()


def test_what_onload_changes_is_seen(voila: Host, visit: Callable[[Host, str], Visit]) -> None:
    ada = visit(voila, "ada")
    late: list[str] = []

    def hold_up(route: Route) -> None:
        answer = route.fetch()
        if "IntTextModel" in answer.text():  # the code of the two widgets, not of ours
            late.append(route.request.url)
            ada.page.wait_for_timeout(500)
        route.fulfill(response=answer)

    ada.page.route("**/*.js*", hold_up)
    ada.open("voila/render/late.ipynb")
    ada.page.wait_for_function(f"() => ({VALUES})()[1] === '1'")
    assert ada.page.evaluate(VALUES) == ["late", "1"]
    assert late
