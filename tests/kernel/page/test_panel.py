"""`display(state)` and its rows, without a browser; tests/ui/test_panel.py looks at it in one."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from kernels import run_cell
from waiting import eventually

if TYPE_CHECKING:
    from jupyter_client import BlockingKernelClient

SHOW = """
from nbsession import state
from IPython.core.formatters import format_display_data
data, _ = format_display_data(state)
"""

CALLBACKS = """
import functools, json
def update(): pass
def fail(): raise ValueError("of a callback")
class Plot:
    def draw(self): pass
slow = state.add_periodic_callback(update, 60_000)
plot = state.add_periodic_callback(functools.partial(Plot().draw), 1000, 3, 5000, start=False)
"""


def rows(client: BlockingKernelClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        run_cell(client, "import json; print(json.dumps(state._session.pages.widget.callbacks))")
    )
    return found


def command(client: BlockingKernelClient, **content: object) -> None:
    """Send what a page sends."""
    panel = run_cell(client, "print(state._session.panel.model_id)").strip()
    data = {"method": "custom", "content": content}
    client.shell_channel.send(client.session.msg("comm_msg", {"comm_id": panel, "data": data}))


@pytest.fixture
def shown(kernel: BlockingKernelClient) -> BlockingKernelClient:
    run_cell(kernel, SHOW + CALLBACKS)
    eventually(lambda: len(rows(kernel)) == 2)
    return kernel


def test_a_widget_with_a_text(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, SHOW)
    code = "print(sorted(data), data['text/plain'] == repr(state))"
    expected = "['application/vnd.jupyter.widget-view+json', 'text/plain'] True\n"
    assert run_cell(kernel, code) == expected


def test_shown_again_it_is_one_model(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, SHOW + "first = data")
    assert run_cell(kernel, SHOW + "print(data == first)") == "True\n"


def test_it_comes_back_after_close_all(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, SHOW + "import ipywidgets; ipywidgets.Widget.close_all()")
    code = (
        "print(state._session.panel.comm is not None, state._session.panel.page.comm is not None)"
    )
    assert run_cell(kernel, SHOW + code) == "True True\n"


def test_rows(shown: BlockingKernelClient) -> None:
    slow, plot = rows(shown)
    assert slow["id"] != plot["id"]
    assert slow | {"id": ""} == {
        "id": "",
        "name": "update",
        "period": 60_000,
        "running": True,
        "counter": 0,
        "count": None,
        "timeout": None,
        "skipped": 0,
        "last_error": None,
    }
    assert (plot["name"], plot["running"]) == ("Plot.draw", False)
    assert (plot["count"], plot["timeout"]) == (3, 5000)


def test_rows_follow_counter_and_error(shown: BlockingKernelClient) -> None:
    run_cell(shown, "failing = state.add_periodic_callback(fail, 20)")
    row = eventually(lambda: next((row for row in rows(shown) if row["counter"] > 2), None))
    assert row["last_error"] == "ValueError: of a callback"


def test_switches(shown: BlockingKernelClient) -> None:
    slow, plot = (row["id"] for row in rows(shown))
    command(shown, action="callback", id=slow, set={"running": False})
    command(shown, action="callback", id=plot, set={"running": True})
    eventually(lambda: [row["running"] for row in rows(shown)] == [False, True])
    assert run_cell(shown, "print(slow.running, plot.running)") == "False True\n"


def test_period(shown: BlockingKernelClient) -> None:
    command(shown, action="callback", id=rows(shown)[0]["id"], set={"period": 30_000})
    eventually(lambda: rows(shown)[0]["period"] == 30_000)
    assert run_cell(shown, "print(slow.period)") == "30000\n"


@pytest.mark.parametrize(
    "content",
    [
        {"id": "1", "set": {"period": 0}},
        {"id": "1", "set": {"period": "soon"}},
        {"id": "1", "set": {"period": 2**31 + 1}},
        {"id": "1", "set": {}},
        {"id": "1"},
        {"id": "1", "set": {"running": "yes"}},
        {"id": "nobody", "set": {"running": False}},
        {"id": ["1"], "set": {"running": False}},
    ],
)
def test_a_refusal_gives_the_reason(shown: BlockingKernelClient, content: dict[str, Any]) -> None:
    run_cell(
        shown,
        "said = []\n"
        "def send(content, buffers=None): said.append(content)\n"
        "object.__setattr__(state._session.panel, 'send', send)",
    )
    if content["id"] == "1":
        content = {**content, "id": rows(shown)[0]["id"]}
    command(shown, action="callback", **content)
    eventually(lambda: run_cell(shown, "print(len(said))") == "1\n")
    said = json.loads(run_cell(shown, "print(json.dumps(said[0]))"))
    assert (said["kind"], bool(said["reason"])) == ("refusal", True)
    assert said["id"] == str(content["id"])
    assert run_cell(shown, "print(slow.running, slow.period)") == "True 60000\n"


@pytest.mark.parametrize("content", [{}, {"action": "other"}, {"kind": None, "id": "1"}])
def test_anything_else_changes_nothing(
    shown: BlockingKernelClient, content: dict[str, Any]
) -> None:
    command(shown, **content)
    assert run_cell(shown, "print(slow.running, slow.period)") == "True 60000\n"


def test_unload_takes_it_out(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, "%load_ext nbsession\ndisplay(state)\npanel = state._session.panel")
    run_cell(kernel, "kept = state\n%unload_ext nbsession")
    assert run_cell(kernel, "print(panel.comm, kept._repr_mimebundle_())") == "None None\n"


def test_terminal() -> None:
    code = "from nbsession import state\ndisplay(state)\nstate"
    run = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=nocolor", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.startswith("<nbsession.State: no server>")
    assert "Traceback" not in run.stdout
