"""To look at a kernel is no activity of its user: cullers and lists go by that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hosts import eventually

if TYPE_CHECKING:
    from hosts import Host

pytestmark = pytest.mark.server


def test_a_kernel_that_is_looked_at_stays_as_busy_as_it_is(server: Host) -> None:
    kernel = server.start_kernel("notebooks/x.ipynb")
    server.run(kernel, "import time, pathlib\nfrom nbsession import state\nprint(state.request)")

    def state() -> str:
        return str(server.http.get(f"api/kernels/{kernel}").json()["execution_state"])

    flag = server.root / "go-on"
    with server.client(kernel) as client:
        client.execute(f"while not pathlib.Path({str(flag)!r}).exists(): time.sleep(0.02)")
        eventually(lambda: state() == "busy")
        for _ in range(3):
            shown = server.http.get(f"nbsession/api/sessions/{kernel}").json()
            assert shown["linked"] is True
        assert state() == "busy"
        flag.touch()
        eventually(lambda: state() == "idle")
    before = server.http.get(f"api/kernels/{kernel}").json()["last_activity"]
    server.http.get(f"nbsession/api/sessions/{kernel}").raise_for_status()
    assert server.http.get(f"api/kernels/{kernel}").json()["last_activity"] == before
