"""Which kernels are busy, as the sidebar shows it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from described import described
from fake_clock import run_fast
from nbsession.server.sessions.sessions import BusyKernels
from waiting import eventually

if TYPE_CHECKING:
    from fake_clock import FakeClock
    from hosts import Host


WAIT = "import pathlib, time\nwhile not pathlib.Path('go-on').exists(): time.sleep(0.01)"


def test_what_lasts_a_moment_is_left_out() -> None:
    async def main(_clock: FakeClock) -> None:
        notified: list[tuple[float, str, bool | None]] = []
        loop = asyncio.get_running_loop()
        kernels = BusyKernels(lambda id_: notified.append((loop.time(), id_, kernels.get(id_))))
        assert kernels.get("a") is None
        for _ in range(20):
            kernels.set("a", busy=True)
            await asyncio.sleep(0.1)
            kernels.set("a", busy=False)
            await asyncio.sleep(0.1)
        assert (kernels.get("a"), notified) == (False, [])
        kernels.set("a", busy=True)
        await asyncio.sleep(1)
        for _ in range(20):
            kernels.set("a", busy=False)
            kernels.set("a", busy=True)
            await asyncio.sleep(0.1)
        kernels.set("a", busy=False)
        await asyncio.sleep(1)
        assert notified == [(pytest.approx(4.25), "a", True), (pytest.approx(7.25), "a", False)]
        kernels.set("a", busy=True)
        kernels.remove("a")
        await asyncio.sleep(1)
        assert (kernels.get("a"), len(notified)) == (None, 2)

    run_fast(main)


@pytest.mark.server
def test_a_kernel_that_runs_a_cell(server: Host) -> None:
    kernel = server.start_kernel("lab/tree/x.ipynb")

    def busy() -> bool:
        rows = described(server.http.get("nbsession/api/sessions"))["sessions"]
        return next(bool(row["busy"]) for row in rows if row["kernel_id"] == kernel)

    def is_idle() -> bool:
        return server.http.get(f"api/kernels/{kernel}").json()["execution_state"] == "idle"

    with server.client(kernel) as client:
        # What a kernel says before its server listens is lost to the server.
        eventually(
            lambda: client.kernel_info() and is_idle(),
            what="the server receives the kernel's messages",
        )
        assert not busy()
        client.execute(WAIT)
        try:
            eventually(busy, what="the session is marked as busy")
        finally:
            (server.root / "go-on").touch()
        eventually(lambda: not busy(), what="the mark goes")
    server.http.delete(f"api/kernels/{kernel}").raise_for_status()
