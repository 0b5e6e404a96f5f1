"""Which of several pages is the one in use, when threads hear them and when one dies silently."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fake_page import FakePage
from kernels import handles_messages_beside_cells, run_cell
from waiting import eventually

if TYPE_CHECKING:
    from jupyter_client import BlockingKernelClient

OPEN = """
from nbsession import state
import nbsession.kernel.page.pages, nbsession.kernel.page.presence
pages, location = state._session.pages, state.location
gone = []
ends = pages.subscribe("goodbye", lambda record, content: gone.append(record.id))
"""
ANSWER = "nbsession.kernel.page.presence.ANSWER_SECONDS = {}"
IMPATIENT = "nbsession.kernel.page.pages.{} = 0.05; import time; time.sleep(0.1)"
PING = {"kind": "ping"}


def see(kernel: BlockingKernelClient, expression: str) -> Any:
    return json.loads(run_cell(kernel, f"import json; print(json.dumps({expression}))"))


def on_subshell(client: BlockingKernelClient, subshell_id: str, kind: str, content: Any) -> None:
    message = client.session.msg(kind, content)
    message["header"]["subshell_id"] = subshell_id
    client.shell_channel.send(message)


class PageOnSubshell(FakePage):
    """A page whose messages go to a subshell, as JupyterLab sends them."""

    subshell_id = ""

    def send(self, content: object) -> None:
        data = {"method": "custom", "content": content}
        comm_msg = {"comm_id": self.comm_id, "data": data}
        on_subshell(self.client, self.subshell_id, "comm_msg", comm_msg)


@pytest.fixture
def page(kernel: BlockingKernelClient) -> FakePage:
    run_cell(kernel, OPEN)
    page = FakePage(kernel)
    page.hello(search="?of=1")
    return page


def test_focus_counts_before_what_is_done_then(
    kernel: BlockingKernelClient, page: FakePage
) -> None:
    if not handles_messages_beside_cells():
        pytest.skip("this ipykernel hands all messages of a page to one thread")
    kernel.control_channel.send(kernel.session.msg("create_subshell_request"))
    subshell_id = kernel.get_control_msg(timeout=10)["content"]["subshell_id"]
    other = PageOnSubshell(kernel, "page-2")
    other.subshell_id = subshell_id
    other.hello(search="?of=2")
    eventually(lambda: see(kernel, "pages.current.id") == "page-2", what="the other page")
    page.say("focus")
    assert see(kernel, "location.search") == "?of=1"
    page.collect()

    busy = "import threading\nblocked = threading.Event()\nblocked.wait(10)"
    run = {"code": busy, "silent": False, "store_history": False, "allow_stdin": False}
    on_subshell(kernel, subshell_id, "execute_request", run)
    run_cell(kernel, "while 'blocked' not in globals(): pass")
    other.say("focus")  # waits for the subshell; what comes next does not
    run_cell(kernel, "location.update_query(a=1)")
    navigation = [m for m in page.received(1) if m["kind"] == "navigate"]
    assert [(m["page"], m["parts"]) for m in navigation] == [("page-2", {"search": "?of=2&a=1"})]
    run_cell(kernel, "blocked.set()")
    assert see(kernel, "pages.current.id") == "page-2"


def test_what_is_read_is_asked_for_when_it_is_old(
    kernel: BlockingKernelClient, page: FakePage
) -> None:
    run_cell(kernel, "state.location, state.curdoc")
    assert PING not in page.collect()
    run_cell(kernel, f"{IMPATIENT.format('STALE_SECONDS')}\nstate.location")
    assert PING in page.received(1)
    page.hello(answer=True, search="?moved")  # it is there, and has not told all
    assert see(kernel, "location.search") == "?moved"
    assert see(kernel, "gone") == []


def test_a_page_that_is_read_of_and_gone(kernel: BlockingKernelClient, page: FakePage) -> None:
    run_cell(kernel, ANSWER.format(0.3))
    assert see(kernel, "state.curdoc.visible") is True
    run_cell(kernel, f"{IMPATIENT.format('STALE_SECONDS')}\nstate.curdoc")
    eventually(lambda: see(kernel, "[gone, state.curdoc.visible]") == [["page-1"], False])


def test_another_page_speaks(kernel: BlockingKernelClient, page: FakePage) -> None:
    other = FakePage(kernel, "page-2")
    other.hello(focused=False)
    page.say("focus")
    eventually(lambda: PING in page.collect(), what="the ping for the new page")
    page.hello(answer=True)
    other.hello(answer=True)
    eventually(lambda: see(kernel, "pages._presence._pinged_at") is None)
    run_cell(kernel, f"{ANSWER.format(1.5)}\n{IMPATIENT.format('SILENCE_SECONDS')}")
    other.say("document", document={"title": "another"}, applied=0)
    eventually(lambda: PING in page.collect(), what="a ping for the silent page in use")
    other.hello(answer=True)
    eventually(lambda: see(kernel, "[gone, pages.current.id]") == [["page-1"], "page-2"])


AWAITING = """
import asyncio
state.location
for _ in range(40):
    await asyncio.sleep(0.05)
print(gone)
"""


def test_no_page_is_gone_that_cannot_be_heard(kernel: BlockingKernelClient, page: FakePage) -> None:
    # Where the answer is heard only after the cell, that is long after it was wanted.
    answer = 3 if handles_messages_beside_cells() else 0.3
    run_cell(kernel, f"{ANSWER.format(answer)}\n{IMPATIENT.format('STALE_SECONDS')}")
    kernel.execute(AWAITING)
    eventually(lambda: PING in page.collect(), what="a ping")
    page.hello(answer=True)
    eventually(lambda: page.collect() is not None and page.printed.endswith("[]\n"), what="the end")
    eventually(lambda: see(kernel, "pages._presence._pinged_at") is None)
    assert see(kernel, "gone") == []
