"""`state.defer`: what the widget shows before, after and instead."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kernels import run_cell
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_client import BlockingKernelClient

PRELUDE = """
%load_ext nbsession
import asyncio, json, sys, threading
import ipywidgets
from IPython.display import HTML, clear_output, display
from nbsession.kernel.page.defer import Deferred
class Page:
    "Loads when told to."
    def __init__(self):
        self.waiting = []
    def onload(self, callback, threaded=False):
        self.waiting.append(callback)
    def load(self):
        runner = state._session.runtime.runner
        for callback in self.waiting:
            runner.run(callback, context=runner.context(), done=lambda result, error: None)
page = Page()
def defer(fn, placeholder=None):
    return Deferred(fn, placeholder, state._session.runtime, page.onload)
"""


@pytest.fixture
def show(kernel: BlockingKernelClient) -> Callable[..., list[dict[str, Any]]]:
    """Return a function that defers a function, loads the page and returns the outputs."""
    run_cell(kernel, PRELUDE)

    def show(body: str, kind: str = "def") -> list[dict[str, Any]]:
        lines = "\n".join(f"    {line}" for line in body.splitlines())
        run_cell(kernel, f"{kind} fn():\n{lines}\nseen = defer(fn, 'soon')\npage.load()")
        look = "print(json.dumps(seen.outputs))"

        def outputs() -> list[dict[str, Any]] | None:
            found = json.loads(run_cell(kernel, look).splitlines()[-1])
            is_placeholder = found and found[0].get("data") == {"text/plain": "soon"}
            return None if is_placeholder else [found]

        return eventually(outputs)[0]  # type: ignore[index]

    return show


def test_spinner_until_the_page_has_loaded(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, PRELUDE)
    printed = run_cell(kernel, "seen = defer(lambda: 6 * 7)\nprint(json.dumps(seen.outputs))")
    [output] = json.loads(printed)
    assert 'role="status"' in output["data"]["text/html"]
    assert "prefers-reduced-motion" in output["data"]["text/html"]
    assert output["data"]["text/plain"] == "Loading…"
    printed = run_cell(kernel, "page.load()\nprint(json.dumps(seen.outputs))")
    assert json.loads(printed)[0]["data"] == {"text/plain": "42"}


def test_placeholder_of_any_kind(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, PRELUDE)
    printed = run_cell(
        kernel,
        "for placeholder in ('soon', HTML('<b>soon</b>'), ipywidgets.Label('soon')):\n"
        "    print(json.dumps(list(defer(print, placeholder).outputs[0]['data'])))",
    )
    assert [json.loads(line)[-1] for line in printed.splitlines()] == [
        "text/plain",
        "text/html",
        "application/vnd.jupyter.widget-view+json",
    ]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_what_it_prints_and_displays_is_shown_above_the_result(show: Any, kind: str) -> None:
    wait = "await asyncio.sleep(0.01)\n" if kind == "async def" else ""
    outputs = show(
        f"print('one'); print('two')\n{wait}print('oh', file=sys.stderr)\n"
        "display(HTML('<b>x</b>'))\nreturn ipywidgets.IntSlider()",
        kind,
    )
    assert [output["output_type"] for output in outputs] == ["stream"] * 2 + ["display_data"] * 2
    assert [output.get("text") for output in outputs[:2]] == ["one\ntwo\n", "oh\n"]
    assert outputs[2]["data"]["text/html"] == "<b>x</b>"
    assert "application/vnd.jupyter.widget-view+json" in outputs[3]["data"]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_traceback_in_place(show: Any, kind: str) -> None:
    outputs = show("print('before')\nraise LookupError('gone')", kind)
    assert outputs[0]["text"] == "before\n"
    assert (outputs[1]["ename"], outputs[1]["evalue"]) == ("LookupError", "gone")
    trace = "\n".join(outputs[1]["traceback"])
    assert "LookupError" in trace
    assert "deferred.py" not in trace


def test_nothing_to_show(show: Any) -> None:
    assert show("pass") == []


def test_display_handles_and_clear_output(show: Any) -> None:
    outputs = show(
        "print('gone')\nclear_output()\nhandle = display('a', display_id=True)\nhandle.update('b')"
    )
    assert [output["data"]["text/plain"] for output in outputs] == ["'b'"]
    assert "transient" not in outputs[0]


def test_others_keep_their_output(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, PRELUDE)
    printed = run_cell(
        kernel,
        """
go_on = asyncio.Event()
before = sys.stdout
async def slow(text):
    print(text, 1)
    await go_on.wait()
    print(text, 2)
seen = [defer(lambda: slow('a')), defer(lambda: slow('b'))]
page.load()
await asyncio.sleep(0.05)
print('mine')
display('mine too')
go_on.set()
while any(not it.outputs or 'text' not in it.outputs[0] for it in seen):
    await asyncio.sleep(0.01)
print([it.outputs[0]['text'] for it in seen], sys.stdout is before)
print(get_ipython().display_pub._hooks)
""",
    )
    assert printed.splitlines() == ["mine", r"['a 1\na 2\n', 'b 1\nb 2\n'] True", "[]"]


def test_defer_of_state_is_also_a_decorator(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, "%load_ext nbsession\n@state.defer\ndef answer():\n    return 42\nimport json")

    def shown() -> bool:
        return "42" in run_cell(kernel, "print(json.dumps(answer.outputs))")

    eventually(shown)  # there is no server, so no page can come


DECORATED = """
%load_ext nbsession
import json
def shown(widget): print(json.dumps([list(output['data'].values()) for output in widget.outputs]))
@state.defer(placeholder='soon')
def answer():
    return 42
print(type(answer).__name__)
for arguments in ({}, {'fn': None}, {'placeholder': None}):
    try: state.defer(**arguments)
    except TypeError as error: print(error)
"""


def test_defer_of_state_is_also_a_decorator_with_a_placeholder(
    kernel: BlockingKernelClient,
) -> None:
    printed = run_cell(kernel, DECORATED).splitlines()
    said = "write state.defer(fn), or @state.defer or @state.defer(placeholder=…) above one"
    assert printed == ["Deferred", *[f"defer takes a function: {said}"] * 3]
    eventually(lambda: json.loads(run_cell(kernel, "shown(answer)")) == [["42"]])


def test_not_called_after_the_session_has_been_taken_out(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, PRELUDE + "called = []\nseen = defer(lambda: called.append(1))")
    run_cell(kernel, "%unload_ext nbsession")
    assert run_cell(kernel, "for callback in page.waiting: callback()\nprint(called)") == "[]\n"


def test_not_callable(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, PRELUDE)
    code = "try:\n    defer(5)\nexcept TypeError as error:\n    print(error)"
    assert run_cell(kernel, code) == "a callback must be callable, got int: 5\n"
