"""state.block_expiration() keeps the culler and the reaper away; so does a cell that runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from kernels import handles_messages_beside_cells
from nbsession.server.request.records import SessionRecords
from nbsession.server.sessions.culling import Expiration
from visitors import write_notebook
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hosts import Host

CULL = ("--MappingKernelManager.cull_idle_timeout=2", "--MappingKernelManager.cull_interval=1")
LONGER_SECONDS = 6


def _lives_on(host: Host, *kernels: str) -> bool:
    """Return whether kernels live for longer than the culler and the reaper would let them."""
    end = time.monotonic() + LONGER_SECONDS
    while time.monotonic() < end:
        if not all(host.has_kernel(kernel) for kernel in kernels):
            return False
        time.sleep(0.2)
    return True


@pytest.mark.server
def test_the_culler_stays_away(start_host: Callable[..., Host]) -> None:
    host = start_host("server", *CULL)
    other, blocked = host.start_kernel(), host.start_kernel()
    host.run(
        blocked,
        "from nbsession import state\n"
        "ends = [state.block_expiration(), state.block_expiration()]\n"
        "with state.block_expiration(): pass",
    )
    assert _lives_on(host, blocked)
    eventually(lambda: not host.has_kernel(other), 60, "the culler works")
    assert host.has_kernel(blocked)
    host.run(blocked, "ends[0](); ends[0]()")
    assert _lives_on(host, blocked), "one of the two is left"
    host.run(blocked, "ends[1]()")
    eventually(lambda: not host.has_kernel(blocked), 60, "it is culled at last")


@pytest.mark.server
@pytest.mark.parametrize("end", ["restart", "unload"])
def test_a_block_ends_with_who_asked_for_it(start_host: Callable[..., Host], end: str) -> None:
    host = start_host("server", *CULL)
    kernel = host.start_kernel()
    host.run(kernel, "%load_ext nbsession\nstate.block_expiration()")
    if end == "restart":
        host.http.post(f"api/kernels/{kernel}/restart").raise_for_status()
    else:
        host.run(kernel, "%unload_ext nbsession")
    eventually(lambda: not host.has_kernel(kernel), 15, "it is culled")


@pytest.mark.server
def test_the_reaper_stays_away(tmp_path: Path, start_host: Callable[..., Host]) -> None:
    notebook = write_notebook(
        tmp_path / "v" / "root" / "x.ipynb",
        "from nbsession import state\n"
        "if 'stay' in state.session_args: end = state.block_expiration()",
    )
    options = ("--NBSession.page_grace_seconds=0.5", "--NBSession.page_load_seconds=0.5")
    host = start_host("voila", str(notebook), *options, home=tmp_path / "v")
    httpx.get(f"{host.url}?stay=1", timeout=60).raise_for_status()
    [blocked] = host.kernels()
    httpx.get(host.url, timeout=60).raise_for_status()
    eventually(lambda: len(host.kernels()) == 1, 20, "the other one is reaped")
    kernel = blocked.cmdline()[-1].rpartition("kernel-")[2].removesuffix(".json")
    assert blocked.is_running()
    assert _lives_on(host, kernel)
    host.run(kernel, "end()")
    eventually(lambda: not host.kernels(), 15, "it is reaped at last")


@pytest.mark.server
def test_bad_questions(server: Host) -> None:
    kernel = server.start_kernel()
    link = server.link_of(kernel)
    assert link.post("expiration", {"blocked": True}) == {"problem": None}
    for bad in ({}, {"blocked": 1}, {"blocked": None}):
        with pytest.raises(OSError, match="true or false"):
            link.post("expiration", bad)


RUNS = {
    "execute": "async def work(): await asyncio.sleep(60)\nstate.execute(work)",
    "a thread": "state.execute(lambda: time.sleep(60), 'thread')",
    "a task": "async def work(): await asyncio.sleep(60)\nstate.schedule_task('w', work)",
    "a periodic callback": "state.add_periodic_callback(lambda: None, 500)",
}


@pytest.mark.server
@pytest.mark.slow
def test_user_code_that_runs_is_activity(start_host: Callable[..., Host]) -> None:
    """None of it prints anything, so that Jupyter alone does not see it."""
    host = start_host("server", *CULL)
    kernels = [host.start_kernel() for _ in RUNS]
    for kernel, code in zip(kernels, RUNS.values(), strict=True):
        host.run(kernel, f"import asyncio, time\nfrom nbsession import state\n{code}")
    assert _lives_on(host, *kernels)
    host.run(kernels[-1], "[each.stop() for each in state._session.periodic_callbacks]")
    eventually(lambda: not host.has_kernel(kernels[-1]), 20, "it is culled at last")
    assert _lives_on(host, *kernels[:-1])


@pytest.mark.server
def test_what_our_own_page_says_is_no_activity(start_host: Callable[..., Host]) -> None:
    host = start_host("server", *CULL)
    kernel = host.start_kernel()
    comm = host.run(
        kernel,
        "from nbsession import state\nstate.location\n"
        "print(state._session.pages.widget.comm.comm_id)",
    ).strip()
    with host.client(kernel) as client:

        def is_culled() -> bool:
            data = {"method": "custom", "content": {"kind": "focus", "page": "p1"}}
            content = {"comm_id": comm, "data": data}
            client.shell_channel.send(client.session.msg("comm_msg", content))
            return not host.has_kernel(kernel)

        eventually(is_culled, 30, "it is culled while a page talks")


@pytest.mark.server
def test_whoever_wants_busy_kernels_culled_has_them_culled(
    start_host: Callable[..., Host],
) -> None:
    host = start_host("server", *CULL, "--MappingKernelManager.cull_busy=True")
    kernel = host.start_kernel()
    host.run(kernel, f"import asyncio, time\nfrom nbsession import state\n{RUNS['execute']}")
    eventually(lambda: not host.has_kernel(kernel), 30, "it is culled")


class OwnCuller:
    """A kernel manager that culls in a way of its own."""

    async def cull_kernels(self) -> None: ...

    async def cull_kernel_if_idle(self, kernel_id: str) -> None: ...


def test_a_culler_that_cannot_be_filtered_is_reported() -> None:
    for unknown in (OwnCuller(), object()):
        expiration = Expiration(SessionRecords("/"))
        kernel_managers: Any = unknown
        expiration.guard(kernel_managers)
        assert expiration.problem is not None
        assert type(unknown).__qualname__ in expiration.problem


# -- a cell that runs --------------------------------------------------------------------------


@pytest.mark.server
@pytest.mark.slow
def test_an_awaiting_cell_whose_widget_was_moved_is_not_culled(
    start_host: Callable[..., Host],
) -> None:
    """No tab is open; where messages are handled beside cells, that of the widget ended before."""
    host = start_host("server", *CULL)
    kernel = host.start_kernel()
    with host.client(kernel) as client:
        host.run(
            kernel,
            "import asyncio, ipywidgets\nfrom nbsession import state\n"
            "slider = ipywidgets.IntSlider()",
        )
        comm = host.run(kernel, "print(slider.comm.comm_id)").strip()
        client.execute(
            "from pathlib import Path\nPath('began').touch()\n"
            "for _ in range(80): await asyncio.sleep(0.1)\n"
            "Path('ended').write_text(str(slider.value))"
        )
        eventually((host.root / "began").exists, what="the cell runs")
        data = {"method": "update", "state": {"value": 42}, "buffer_paths": []}
        client.shell_channel.send(client.session.msg("comm_msg", {"comm_id": comm, "data": data}))
    eventually((host.root / "ended").exists, 15, "the cell has ended by itself")
    value = (host.root / "ended").read_text()
    assert value == ("42" if handles_messages_beside_cells() else "0")
    eventually(lambda: not host.has_kernel(kernel), 15, "an idle kernel is culled")
