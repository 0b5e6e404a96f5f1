"""`state.curdoc`: the page's document, and its timers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fake_page import FakePage
from kernels import run_cell
from waiting import eventually

if TYPE_CHECKING:
    from jupyter_client import BlockingKernelClient

LOOK = "[doc.title, doc.theme, doc.visible]"


def see(kernel: BlockingKernelClient, expression: str) -> Any:
    return json.loads(run_cell(kernel, f"import json; print(json.dumps({expression}))"))


@pytest.fixture
def page(kernel: BlockingKernelClient) -> FakePage:
    run_cell(kernel, "from nbsession import state\ndoc = state.curdoc")
    return FakePage(kernel)


def test_what_cannot_be_set(kernel: BlockingKernelClient, page: FakePage) -> None:
    printed = run_cell(
        kernel,
        "from traitlets import TraitError\n"
        "for owner, name in ((doc, 'theme'), (doc, 'visible'), (state, 'busy')):\n"
        "    try: setattr(owner, name, True)\n"
        "    except TraitError as error: print(error)",
    )
    theme, visible, busy = printed.splitlines()
    assert theme.startswith("Document.theme is read-only: it follows Jupyter's theme, which is")
    assert visible == "Document.visible is read-only: it follows the browser's tab; observe it"
    assert busy.startswith("State.busy is read-only: it is True while any of your code runs; ")
    assert busy.endswith("state.sync_busy(widget) shows it")


def test_without_page(kernel: BlockingKernelClient, page: FakePage) -> None:
    assert see(kernel, LOOK) == ["", None, False]
    assert see(kernel, "doc is state.curdoc")
    assert see(kernel, "doc.session_context.kernel_id == state.kernel_id")
    assert page.collect() == []


def test_follows_page(kernel: BlockingKernelClient, page: FakePage) -> None:
    run_cell(
        kernel,
        "seen = []\n"
        "names = ['title', 'theme', 'visible']\n"
        "doc.observe(lambda change: seen.append([change.name, change.new]), names)\n"
        "doc.observe(lambda change: 1 / 0, 'theme')",
    )
    page.hello(title="a notebook", theme="dark")
    assert see(kernel, LOOK) == ["a notebook", "dark", True]
    page.say("document", document={"title": "b", "theme": "light", "visible": False}, applied=0)
    assert see(kernel, LOOK) == ["b", "light", False]
    other = FakePage(kernel, "page-2")
    other.hello(title="c", theme="dark")
    assert see(kernel, LOOK) == ["c", "dark", True]
    page.say("focus")
    assert see(kernel, LOOK) == ["b", "light", False]
    page.say("goodbye")
    other.say("goodbye")
    assert see(kernel, LOOK) == ["", None, False]
    assert see(kernel, "seen[:4]") == [
        ["title", "a notebook"],
        ["theme", "dark"],
        ["visible", True],
        ["title", "b"],
    ]
    assert [m for m in page.collect() if m["kind"] != "ping"] == []


def test_title_is_written(kernel: BlockingKernelClient, page: FakePage) -> None:
    page.hello(title="old")
    run_cell(kernel, "doc.title = 'new'; doc.title = 'old'; doc.title = 'new'")
    titles = page.received(3)
    assert [message["title"] for message in titles] == ["new", "old", "new"]
    page.say("document", document={"title": "old"}, applied=titles[1]["serial"])
    assert see(kernel, "doc.title") == "new"
    page.say("document", document={"title": "cut"}, applied=titles[2]["serial"])
    assert see(kernel, "doc.title") == "cut"
    assert page.collect() == []


def test_title_before_page(kernel: BlockingKernelClient, page: FakePage) -> None:
    run_cell(kernel, "doc.title = 'mine'")
    page.hello(title="a notebook")
    [title] = page.received(1)
    assert title["title"] == "mine"
    assert see(kernel, "doc.title") == "mine"


def test_theme_and_visible_are_read_only(kernel: BlockingKernelClient, page: FakePage) -> None:
    page.hello()
    run_cell(
        kernel,
        "import traitlets\n"
        "for name, value in (('theme', 'dark'), ('visible', False)):\n"
        "    try: setattr(doc, name, value)\n"
        "    except traitlets.TraitError: pass\n"
        "    else: raise AssertionError(name)",
    )


def test_timers(kernel: BlockingKernelClient, page: FakePage) -> None:
    assert page.collect() == []
    run_cell(
        kernel,
        "called = []\n"
        "async def tick(): called.append('tick')\n"
        "next_tick = doc.add_next_tick_callback(tick)\n"
        "timeout = doc.add_timeout_callback(lambda: called.append('timeout'), 50)\n"
        "never = doc.add_timeout_callback(lambda: called.append('never'), 60_000)\n"
        "periodic = doc.add_periodic_callback(lambda: called.append('periodic'), 20)\n"
        "assert called == []",
    )
    eventually(
        lambda: {"tick", "timeout", "periodic"} <= set(see(kernel, "called")), what="the callbacks"
    )
    assert see(kernel, "called.count('tick')") == 1
    run_cell(
        kernel,
        "doc.remove_callback(never); doc.remove_callback(periodic); assert not periodic.running\n"
        "for gone in (never, periodic, next_tick, timeout, print, None):\n"
        "    try: doc.remove_callback(gone)\n"
        "    except ValueError: pass\n"
        "    else: raise AssertionError(gone)\n"
        "for wrong in (3, None):\n"
        "    for add in (doc.add_next_tick_callback, lambda w: doc.add_timeout_callback(w, 1),\n"
        "                doc.add_periodic_callback):\n"
        "        try: add(wrong)\n"
        "        except (TypeError, traitlets.TraitError) if (traitlets := "
        "__import__('traitlets')) else (): pass\n"
        "        else: raise AssertionError(add)",
    )
