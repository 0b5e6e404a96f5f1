"""The hidden page widget of a real kernel, spoken to as a page does."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from fake_page import FakePage
from kernels import handles_messages_beside_cells, run_cell
from waiting import eventually

if TYPE_CHECKING:
    from jupyter_client import BlockingKernelClient

OPEN = "from nbsession import state\npages = state._session.pages\npages.open()"


def see(kernel: BlockingKernelClient, expression: str) -> Any:
    return json.loads(run_cell(kernel, f"import json; print(json.dumps({expression}))"))


@pytest.fixture
def page(kernel: BlockingKernelClient) -> FakePage:
    run_cell(kernel, OPEN)
    return FakePage(kernel)


def test_is_made_on_first_use_only(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, "%load_ext nbsession\nstate._session.pages.is_reported, state.busy")
    assert not see(kernel, "'anywidget' in __import__('sys').modules")
    run_cell(kernel, OPEN)
    page = FakePage(kernel)
    run_cell(kernel, "first = pages.widget; pages.open(); assert pages.widget is first")
    page.collect()
    assert page.opened == 0


def test_shows_nothing(kernel: BlockingKernelClient, page: FakePage) -> None:
    run_cell(kernel, "pages.widget")
    page.collect()
    assert page.outputs == []


def test_hello(kernel: BlockingKernelClient, page: FakePage) -> None:
    assert see(kernel, "[pages.is_reported, pages.current, state.browser_info]") == [
        False,
        None,
        None,
    ]
    page.hello(title="a notebook", theme="dark", search="?n=3")
    assert see(
        kernel,
        "[pages.is_reported, pages.current.id, pages.current.location['search'],"
        " pages.current.title, pages.current.theme, pages.current.visible,"
        " state.browser_info.timezone, state.browser_info.dark_mode]",
    ) == [True, "page-1", "?n=3", "a notebook", "dark", True, "Europe/Berlin", True]


def test_bad_messages(kernel: BlockingKernelClient, page: FakePage) -> None:
    page.hello()
    for message in (
        {"kind": "hello"},
        {"kind": "hello", "page": 3},
        {"kind": "of a later version", "page": "page-1"},
        {"kind": "location", "page": "page-1", "location": [1]},
        {"kind": "document", "page": "page-1", "document": {"title": 3, "theme": "pink"}},
        {"kind": "hello", "page": "page-1", "info": {"timezone_offset": "1", "language": 1}},
        [],
        None,
    ):
        page.send(message)
    assert see(kernel, "[pages.current.id, pages.current.location['href']]") == ["page-1", ""]
    assert see(kernel, "[pages.current.title, pages.current.theme]") == ["", None]
    page.collect()
    assert page.errors == []


def test_subscribers(kernel: BlockingKernelClient, page: FakePage) -> None:
    run_cell(
        kernel,
        "heard = []\n"
        "def fail(record, content): 1 / 0\n"
        "ends = [pages.subscribe('location', fail)]\n"
        "for kind in ('hello', 'location', 'goodbye', 'focus', 'document'):\n"
        "    ends.append(pages.subscribe(kind, lambda record, content: heard.append(\n"
        "        [content['kind'], record.id, record.location['hash']])))",
    )
    page.hello()
    page.say("location", location={"hash": "#x"}, applied=0)
    page.say("focus")
    page.say("document", document={}, applied=0)
    page.say("goodbye")
    assert see(kernel, "heard") == [
        ["hello", "page-1", ""],
        ["location", "page-1", "#x"],
        ["focus", "page-1", "#x"],
        ["document", "page-1", "#x"],
        ["goodbye", "page-1", "#x"],
    ]
    run_cell(kernel, "[end() for end in ends * 2]; heard.clear()")
    page.hello()
    assert see(kernel, "heard") == []
    run_cell(
        kernel,
        "try: pages.subscribe('nonsense', print)\n"
        "except ValueError as error: assert 'goodbye' in str(error)\n"
        "else: raise AssertionError",
    )


def test_commands_wait_for_page(kernel: BlockingKernelClient, page: FakePage) -> None:
    run_cell(
        kernel,
        "def go(reload=False, **parts):\n"
        "    pages.send({'kind': 'navigate', 'parts': parts, 'history': 'push',\n"
        "                'reload': reload})\n"
        "go(search='?a=1', reload=True); go(search='?a=2'); go(hash='#x')\n"
        "pages.send({'kind': 'title', 'title': 'one'})\n"
        "pages.send({'kind': 'title', 'title': 'two'})",
    )
    assert page.collect() == []
    page.hello()
    navigate, title = page.received(2)
    assert navigate == {
        "kind": "navigate",
        "page": "page-1",
        "serial": 1,
        "parts": {"search": "?a=2", "hash": "#x"},
        "history": "push",
        "reload": True,
    }
    assert title == {"kind": "title", "page": "page-1", "serial": 2, "title": "two"}
    assert sorted(see(kernel, "list(pages.current.awaits)")) == ["navigate", "title"]


def test_word_older_than_command_is_stale(kernel: BlockingKernelClient, page: FakePage) -> None:
    page.hello(search="?a=0", title="zero")
    run_cell(
        kernel,
        "heard = []\n"
        "pages.subscribe('location', lambda r, c: heard.append(r.location['search']))\n"
        "for n in (1, 2): pages.send({'kind': 'navigate', 'parts': {'search': f'?a={n}'},\n"
        "    'history': 'push', 'reload': False})\n"
        "pages.send({'kind': 'title', 'title': 'mine'})",
    )
    page.say("location", location={"search": "?user"}, applied=0)
    page.say("location", location={"search": "?a=1"}, applied=1)
    page.say("document", document={"title": "theirs", "theme": "dark"}, applied=0)
    page.hello(answer=True, search="?older", title="older", theme="dark")
    assert see(kernel, "[heard, pages.current.location['search']]") == [[], "?a=0"]
    assert see(kernel, "[pages.current.title, pages.current.theme]") == ["zero", "dark"]
    page.say("location", location={"search": "?a=2"}, applied=2)
    page.say("document", document={"title": "mine", "theme": "dark"}, applied=3)
    assert see(kernel, "[heard, pages.current.title]") == [["?a=2"], "mine"]
    assert see(kernel, "list(pages.current.awaits)") == []


def test_two_pages(kernel: BlockingKernelClient, page: FakePage) -> None:
    other = FakePage(kernel, "page-2")
    current = "pages.current.id"
    page.hello()
    other.hello()
    assert see(kernel, current) == "page-2"
    page.say("focus")
    assert see(kernel, current) == "page-1"
    other.say("location", location={}, applied=0)
    assert see(kernel, current) == "page-2"
    page.hello(answer=True)
    assert see(kernel, current) == "page-2"
    page.say("document", document={"visible": False}, applied=0)
    assert see(kernel, current) == "page-2"
    page.say("document", document={"visible": True}, applied=0)
    assert see(kernel, current) == "page-1"
    run_cell(
        kernel,
        "pages.send({'kind': 'title', 'title': 'for the last used'})\n"
        "pages.send({'kind': 'title', 'title': 'for the other'}, 'page-2')\n"
        "pages.send({'kind': 'title', 'title': 'for nobody'}, 'page-3')",
    )
    titles = {(m["page"], m["title"]) for m in page.collect() if m.get("kind") == "title"}
    assert titles == {("page-1", "for the last used"), ("page-2", "for the other")}
    page.say("goodbye")
    assert see(kernel, current) == "page-2"
    third = FakePage(kernel, "page-3")
    third.hello(focused=False)
    assert see(kernel, current) == "page-2"


def test_goodbye_that_is_handled_late(kernel: BlockingKernelClient, page: FakePage) -> None:
    page.hello()
    page.collect()
    page.say("goodbye")  # of the connection that it had before
    eventually(lambda: {"kind": "ping"} in page.collect(), what="a ping")
    page.hello(answer=True)
    assert see(kernel, "pages.current.id") == "page-1"


def test_page_gone_without_a_word_is_pruned(kernel: BlockingKernelClient, page: FakePage) -> None:
    page.hello()
    other = FakePage(kernel, "page-2")
    other.hello()  # a second page: is the first still there?
    eventually(lambda: {"kind": "ping"} in page.collect(), what="a ping")
    other.hello(answer=True)
    run_cell(
        kernel,
        "gone = []\npages.subscribe('goodbye', lambda record, content: gone.append(record.id))",
    )
    eventually(lambda: see(kernel, "gone") == ["page-1"], 10, "the silent page is gone")
    assert see(kernel, "pages.current.id") == "page-2"
    page.say("focus")  # it was there after all
    eventually(lambda: {"kind": "ping"} in page.collect(), what="a ping")
    page.hello(answer=True)
    assert see(kernel, "pages.current.id") == "page-1"


def test_busy_reaches_page_while_cell_blocks(kernel: BlockingKernelClient, page: FakePage) -> None:
    page.hello()
    page.collect()
    time.sleep(0.1)  # so that the first change is due at once
    kernel.execute("import time; time.sleep(1)")
    assert page.next_trait("busy", seconds=0.6) is True
    assert page.next_trait("busy", seconds=5) is False


def test_traits_are_bounded_and_right_in_the_end(
    kernel: BlockingKernelClient, page: FakePage
) -> None:
    page.hello()
    run_cell(
        kernel,
        "rows = []\n"
        "changed = pages.mirror('callbacks', lambda: list(rows))\n"
        "import time\n"
        "until = time.monotonic() + 1\n"
        "while time.monotonic() < until:\n"
        "    rows = [{'counter': time.monotonic()}]; changed(); time.sleep(0.001)\n"
        "last = rows[0]['counter']",
    )
    last = see(kernel, "last")
    values: list[Any] = []

    def arrived() -> bool:
        values.extend(page.trait_values("callbacks"))
        return bool(values and values[-1] and values[-1][0]["counter"] == last)

    eventually(arrived, what="the last value")
    assert 5 <= len(values) <= 23


def test_location_of_last_used_page_is_mirrored(
    kernel: BlockingKernelClient, page: FakePage
) -> None:
    page.hello(search="?n=3")
    assert page.next_trait("location", seconds=5)["search"] == "?n=3"


def test_reported(kernel: BlockingKernelClient, page: FakePage) -> None:
    if not handles_messages_beside_cells():
        pytest.skip("this ipykernel hears a page only when the cell has ended")
    kernel.execute("import asyncio\nawait asyncio.wait_for(pages.reported(), 20)\nprint('done')")
    page.hello()
    eventually(lambda: page.collect() is not None and "done\n" in page.printed, what="the end")
    run_cell(kernel, "await asyncio.wait_for(pages.reported(), 5)")


def test_closed_widget_is_made_again(kernel: BlockingKernelClient, page: FakePage) -> None:
    page.hello()
    run_cell(kernel, "import ipywidgets; ipywidgets.Widget.close_all()")
    run_cell(kernel, "pages.send({'kind': 'title', 'title': 'x'})")
    page.collect()
    assert page.opened == 1


def test_unload_leaves_nothing(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, "%load_ext nbsession\npages = state._session.pages; pages.open()")
    page = FakePage(kernel)
    page.hello()
    FakePage(kernel, "page-2").hello()
    run_cell(kernel, "%unload_ext nbsession")
    run_cell(
        kernel,
        "import threading\n"
        "assert pages.widget is None\n"
        "assert not [t for t in threading.enumerate() if 'nbsession' in t.name]\n"
        "pages.open(); pages.send({'kind': 'title', 'title': 'x'}); assert pages.widget is None\n"
        "import comm; assert not comm.get_comm_manager().comms",
    )
    eventually(lambda: page.collect() is not None and page.closed, what="comm_close")


def test_forked_child_says_nothing(kernel: BlockingKernelClient, page: FakePage) -> None:
    page.hello()
    run_cell(
        kernel,
        "import os, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    pages.open(); pages._busy_changed(); os._exit(7)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7",
    )
    assert see(kernel, "pages.current.id") == "page-1"
