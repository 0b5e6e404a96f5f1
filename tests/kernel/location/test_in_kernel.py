"""The location of a real kernel, with a page that is played on its channels."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from fake_page import FakePage
from kernels import run_cell
from waiting import eventually

if TYPE_CHECKING:
    from jupyter_client import BlockingKernelClient

LOCATION = "from nbsession import state\nlocation = state.location"
SLIDER = "import ipywidgets as w\nslider = w.IntSlider(description='n')\nlocation.sync(slider)"


def see(kernel: BlockingKernelClient, expression: str) -> Any:
    return json.loads(run_cell(kernel, f"import json; print(json.dumps({expression}))"))


def at(search: str, hash_: str = "") -> dict[str, str]:
    return {"origin": "http://h", "pathname": "/a", "search": search, "hash": hash_}


def moved_to(page: FakePage, search: str, applied: int = 0) -> None:
    location = {**at(search), "protocol": "http:", "hostname": "h", "port": "", "href": ""}
    page.say("location", location=location, applied=applied)


@pytest.fixture
def page(kernel: BlockingKernelClient) -> FakePage:
    run_cell(kernel, LOCATION)
    return FakePage(kernel)


def navigations(page: FakePage, count: int) -> list[tuple[dict[str, str], str]]:
    return [(m["parts"], m["history"]) for m in page.received(count) if m["kind"] == "navigate"]


PLAIN = """
import asyncio, sys
from nbsession import state
state.location.search = "?a=1"
asyncio.run(state.location.ready())
print(state.location.href, [m for m in ("anywidget", "ipywidgets") if m in sys.modules])
"""


def test_plain_process() -> None:
    command = [sys.executable, "-W", "error", "-c", PLAIN]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout == "?a=1 []\n"


def test_written_before_and_after_the_page_reports(
    kernel: BlockingKernelClient, page: FakePage
) -> None:
    run_cell(kernel, "location.hash_ = '#early'")
    page.hello(**at("?keep=%20"))
    assert navigations(page, 1) == [({"hash": "#early"}, "push")]
    run_cell(kernel, "location.update_query(a=1, history='replace')")
    assert navigations(page, 1) == [({"search": "?keep=%20&a=1"}, "replace")]


def test_a_slider_and_its_url(kernel: BlockingKernelClient, page: FakePage) -> None:
    page.hello(**at("?keep=007&n=5"))
    run_cell(kernel, SLIDER)
    assert see(kernel, "slider.value") == 5
    run_cell(kernel, "slider.value = 6")
    sent = page.received(1)
    assert [m["parts"] for m in sent] == [{"search": "?keep=007&n=6"}]
    moved_to(page, "?keep=007&n=6", sent[0]["serial"])
    moved_to(page, "?keep=007&n=5", sent[0]["serial"])  # back
    assert see(kernel, "[slider.value, location.search]") == [5, "?keep=007&n=5"]
    assert page.collect() == []


def test_a_page_that_has_not_dealt_with_a_write_is_not_believed(
    kernel: BlockingKernelClient, page: FakePage
) -> None:
    page.hello(**at("?n=1"))
    run_cell(kernel, SLIDER)
    run_cell(kernel, "slider.value = 2")
    sent = page.received(1)
    moved_to(page, "?n=1", 0)
    assert see(kernel, "[slider.value, location.search]") == [2, "?n=2"]
    moved_to(page, "?n=2", sent[0]["serial"])
    assert see(kernel, "[slider.value, location.search]") == [2, "?n=2"]


def test_observers_print_into_their_own_cell(kernel: BlockingKernelClient, page: FakePage) -> None:
    run_cell(kernel, "location.observe(lambda change: print('now', change['new']), 'search')")
    run_cell(kernel, "pass")
    page.collect()
    page.hello(**at("?n=1"))
    eventually(lambda: page.collect() or page.printed == "now ?n=1\n")
    messages = [m for m in page._traffic.messages if m["msg_type"] == "stream"]
    code = "location.observe"
    cells = {
        m["parent_header"]["msg_id"]
        for m in page._traffic.messages
        if m["msg_type"] == "execute_input" and m["content"]["code"].startswith(code)
    }
    assert {messages[-1]["parent_header"]["msg_id"]} == cells


def test_ready_in_a_cell(kernel: BlockingKernelClient, page: FakePage) -> None:
    page.hello(**at("?n=1"))
    assert run_cell(kernel, "await location.ready(); print(location.search)") == "?n=1\n"


def test_unload_leaves_nothing(kernel: BlockingKernelClient, page: FakePage) -> None:
    page.hello(**at("?n=1"))
    run_cell(kernel, SLIDER)
    run_cell(kernel, "import nbsession; before = slider.value\nnbsession.unload()")
    run_cell(kernel, "slider.value = 7")
    assert see(
        kernel,
        "[location.search, len([t for t in __import__('threading').enumerate()"
        " if t.name.startswith('nbsession')])]",
    ) == ["?n=1", 0]


def test_a_notebook_opened_again_in_a_page_that_is_still_there(
    kernel: BlockingKernelClient, page: FakePage
) -> None:
    page.hello(**at("?n=5"))
    run_cell(kernel, SLIDER)
    run_cell(kernel, "slider.value = 6")  # its tab is closed, and nobody answers
    assert navigations(page, 1) == [({"search": "?n=6"}, "push")]
    page.hello(known=False, **at("?n=5"))
    assert navigations(page, 1) == [({"search": "?n=6", "hash": ""}, "replace")]
    assert see(kernel, "[slider.value, location.search]") == [6, "?n=6"]


def test_a_notebook_opened_again_while_a_part_is_written(kernel: BlockingKernelClient) -> None:
    # First of all who are told, so that the write is on its way before the URL is looked at.
    run_cell(
        kernel,
        "from nbsession import state\n"
        "pages = state._session.pages\n"
        "def write(record, content):\n"
        "    if not record.knows_query: state.location.hash_ = '#written'\n"
        "pages.subscribe('hello', write)\n"
        "location = state.location",
    )
    page = FakePage(kernel)
    page.hello(**at("?n=5"))
    page.collect()
    page.hello(known=False, **at(""))
    assert navigations(page, 2) == [
        ({"hash": "#written"}, "push"),
        ({"search": "?n=5", "hash": "#written"}, "replace"),
    ]
    page.say("location", location=at("") | {"hash": "#written"}, applied=1)
    assert see(kernel, "[location.search, location.hash_]") == ["?n=5", "#written"]


def test_a_page_loaded_again_whose_goodbye_was_lost(
    kernel: BlockingKernelClient, page: FakePage
) -> None:
    page.hello(**at("?n=5"))
    run_cell(kernel, SLIDER)
    page.say("goodbye")  # said by the next page, as this one's own did not arrive
    FakePage(kernel, "page-2").hello(**at("?n=6"))
    assert see(kernel, "[slider.value, location.search]") == [6, "?n=6"]
    assert see(kernel, "state._session.pages.current.id") == "page-2"


def test_a_notebook_that_is_closed_and_opened_again(
    kernel: BlockingKernelClient, page: FakePage
) -> None:
    page.hello(**at("?n=5"))
    run_cell(kernel, SLIDER)
    page.collect()
    page.say("goodbye")
    run_cell(kernel, "slider.value = 6; location.hash_ = '#x'")
    assert not [m for m in page.collect() if m["kind"] == "navigate"], "sent to nobody"
    page.hello(known=False, **at(""))
    assert navigations(page, 1)[0][0] == {"search": "?n=6", "hash": "#x"}
    assert see(kernel, "[slider.value, location.search, location.hash_]") == [6, "?n=6", "#x"]
