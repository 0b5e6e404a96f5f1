"""Waiting for a page: as long as one may come, and no longer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from fake_page import FakePage
from kernels import handles_messages_beside_cells, run_cell
from nbsession.kernel.runtime.hooks import receives_beside_cells
from waiting import eventually

if TYPE_CHECKING:
    from jupyter_client import BlockingKernelClient

OPEN = "from nbsession import state\npages = state._session.pages\npages.open()"
WAIT = "await pages.reported()\nprint('done')"
TRY = "try:\n    await pages.reported()\nexcept RuntimeError as error:\n    print(error)"


@pytest.fixture
def page(kernel: BlockingKernelClient) -> FakePage:
    run_cell(kernel, OPEN)
    return FakePage(kernel)


class OfIPykernel6:
    async def dispatch_shell(self, msg: object) -> None: ...


class OfIPykernel70:
    async def dispatch_shell(self, msg: object, /, subshell_id: str | None = None) -> None: ...


class OfIPykernel74:
    async def dispatch_shell(
        self, msg: object, /, subshell_id: str | None = None, *, concurrent: bool = False
    ) -> None: ...


class WrappedByOthers:
    async def dispatch_shell(self, *args: object, **options: object) -> None: ...


@pytest.mark.parametrize(
    ("kernel_class", "expected"),
    [
        (OfIPykernel6, False),
        (OfIPykernel70, False),
        (OfIPykernel74, True),
        (WrappedByOthers, True),
        (SimpleNamespace, True),
    ],
)
def test_which_kernels_hear_beside_cells(kernel_class: type[Any], *, expected: bool) -> None:
    assert receives_beside_cells(kernel_class()) is expected


KNOWS = """
from nbsession.kernel.runtime.hooks import receives_beside_cells
print(receives_beside_cells(get_ipython().kernel))
"""


def test_in_a_cell(kernel: BlockingKernelClient, page: FakePage) -> None:
    is_heard = handles_messages_beside_cells()
    assert run_cell(kernel, KNOWS) == f"{is_heard}\n"
    if is_heard:
        kernel.execute(WAIT)
        page.hello()
        ends(page)
    else:
        said = run_cell(kernel, TRY)
        assert said.startswith("no page has reported yet, and none can while this cell waits")
        assert "onload" in said
        assert "7.4 or newer" in said
        page.hello()
    assert run_cell(kernel, WAIT) == "done\n"


def test_beside_cells_and_in_voila(kernel: BlockingKernelClient, page: FakePage) -> None:
    said = run_cell(kernel, f"import os; os.environ['VOILA_PREHEAT'] = 'False'\n{TRY}")
    assert "Voilà runs all cells before the page" in said
    run_cell(kernel, "import asyncio\nwaiting = asyncio.ensure_future(pages.reported())")
    page.hello()
    assert run_cell(kernel, "await waiting\nprint('done')") == "done\n"


class PageWithSubshell(FakePage):
    def start_subshell(self) -> None:
        request = self.client.session.msg("create_subshell_request")
        self.client.control_channel.send(request)
        self._subshell_id = self.client.get_control_msg(timeout=10)["content"]["subshell_id"]

    def send(self, content: object) -> None:
        data = {"method": "custom", "content": content}
        message = self.client.session.msg("comm_msg", {"comm_id": self.comm_id, "data": data})
        message["header"]["subshell_id"] = self._subshell_id
        self.client.shell_channel.send(message)


def test_a_page_with_a_subshell(kernel: BlockingKernelClient) -> None:
    if run_cell(kernel, "print(hasattr(get_ipython().kernel, 'shell_channel_thread'))") != "True\n":
        pytest.skip("this ipykernel knows no subshells")
    run_cell(kernel, OPEN)
    page = PageWithSubshell(kernel)
    kernel.execute(WAIT)
    page.start_subshell()
    page.hello()
    ends(page)


def ends(page: FakePage) -> None:
    eventually(lambda: page.collect() is not None and "done\n" in page.printed, what="the end")
