"""The tasks in `display(state)`, without a browser."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from kernels import run_cell
from waiting import eventually

if TYPE_CHECKING:
    from jupyter_client import BlockingKernelClient

SHOW = """
from nbsession import state
from IPython.core.formatters import format_display_data
data, _ = format_display_data(state)
import json
sent = []
state._session.panel.send = sent.append
"""


def see(client: BlockingKernelClient, expression: str) -> Any:
    return json.loads(run_cell(client, f"print(json.dumps({expression}))"))


def order(client: BlockingKernelClient, **content: object) -> None:
    """Send what a page sends."""
    panel = run_cell(client, "print(state._session.panel.model_id)").strip()
    data = {"method": "custom", "content": {"action": "task", **content}}
    client.shell_channel.send(client.session.msg("comm_msg", {"comm_id": panel, "data": data}))


def test_rows_and_orders(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, SHOW)
    assert see(kernel, "state._session.pages.widget.tasks") == []
    schedule = "state.schedule_task('work', ran.append, args=[1], cron='0 0 1 1 *', tz='UTC')"
    run_cell(kernel, f"ran = []\ntask = {schedule}")

    def row() -> dict[str, Any]:
        rows = see(kernel, "state._session.pages.widget.tasks")
        assert len(rows) <= 1
        return rows[0] if rows else {}

    eventually(lambda: row().get("name") == "work")
    assert (row()["schedule"], row()["state"]) == ("cron 0 0 1 1 * (UTC)", "scheduled")
    assert row()["next_run"].endswith("-01-01T00:00:00Z")
    order(kernel, name="work", order="run")
    eventually(lambda: row()["run_count"] == 1)
    order(kernel, name="work", order="pause")
    eventually(lambda: row()["state"] == "paused")
    order(kernel, name="work", order="resume")
    eventually(lambda: row()["state"] == "scheduled")
    for content in ({"name": "none", "order": "run"}, {"name": "work", "order": "eat"}, {}):
        order(kernel, **content)
    eventually(lambda: len(see(kernel, "sent")) == 3)
    assert [(each["kind"], each["id"]) for each in see(kernel, "sent")] == [
        ("refusal", "task:none"),
        ("refusal", "task:work"),
        ("refusal", "task:None"),
    ]
    order(kernel, name="work", order="cancel")
    eventually(lambda: row() == {})


SLOW = """
import asyncio
async def slow(): await asyncio.sleep(600)
task = state.schedule_task("slow", slow, period="20ms")
"""


def test_what_is_skipped_in_a_row_is_shown(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, SHOW + SLOW)
    gaps = "[row['gap'] for row in state._session.pages.widget.tasks]"
    eventually(lambda: re.fullmatch(r"skipped \d\d+ times", "".join(see(kernel, gaps))))
    running = "[[run.state, run.count] for run in task.history()]"
    [state, count], first, *_ = see(kernel, running)  # before it may have been missed
    assert (state, first) == ("skipped", ["running", 1])
    assert count >= 10
    assert see(kernel, "[task.history()[0].until > task.history()[0].due]") == [True]
    assert "skipped " in see(kernel, "[repr(state.tasks)]")[0]


PROMISED = """
import threading
declare = lambda: state.schedule_task("soon", print, period="1h")
threading.Thread(target=declare).start()
while "soon" not in state._session.tasks._promised: pass
state._session.panel._receive(None, {"action": "task", "name": "soon", "order": "pause"}, None)
"""


def test_an_order_to_a_task_that_waits_for_the_loop(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, SHOW + PROMISED)
    eventually(lambda: see(kernel, "state.tasks['soon'].state") == "paused")
    assert see(kernel, "sent") == []
