"""What goes on without a page counts as activity of the server, which hubs and Jupyter look at."""

from __future__ import annotations

import logging
import time
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from nbsession.server.activity import LONG_RUN_SECONDS, ServerActivity
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hosts import Host


class Server:
    """A server without a clock of its own."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.running: list[object] = []
        self.blocked = False
        self.noted: list[float] = []
        self.activity = ServerActivity(
            lambda: self.blocked,
            lambda: self.running,
            lambda: self.noted.append(self.now),
            logging.getLogger(),
            clock=lambda: self.now,
        )

    def pass_time(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.now += 1
            self.activity.look()


def test_a_long_run_counts_until_it_ends() -> None:
    server = Server()
    server.activity.look()
    server.running = [1]
    server.pass_time(LONG_RUN_SECONDS)
    assert not server.noted
    server.pass_time(30)
    assert server.noted == [1061.0 + second for second in range(30)]
    server.running = []
    server.pass_time(10)
    assert server.noted[-1] == 1090


def test_short_runs_one_after_the_other_do_not_count() -> None:
    server = Server()
    for number in range(10):
        server.running = [number]
        server.pass_time(LONG_RUN_SECONDS - 1)
    assert not server.noted


def test_block_expiration_counts_at_once() -> None:
    server = Server()
    server.blocked = True
    server.pass_time(1)
    assert server.noted == [1001.0]


# -- a real server ---------------------------------------------------------------------------------


def _last_activity(host: Host) -> datetime:
    status = host.http.get("api/status").raise_for_status().json()  # which is no activity itself
    return datetime.fromisoformat(status["last_activity"])


def _settled_activity(host: Host) -> datetime:
    """Return the last activity once a kernel's last messages are in."""
    since, before = _last_activity(host), None
    while since != before:
        time.sleep(3)
        since, before = _last_activity(host), since
    return since


def _is_active_after(host: Host, since: datetime) -> Callable[[], bool]:
    return lambda: _last_activity(host) > since


@pytest.mark.server
def test_block_expiration(start_host: Callable[..., Host]) -> None:
    host = start_host("server")
    kernel = host.start_kernel("notebooks/x.ipynb")
    odd = host.link_of(host.start_kernel("notebooks/odd.ipynb", path="odd.ipynb"))
    odd.post("news", {"tasks": [{"name": ["odd"], "state": "running", "run_count": {}}]})
    host.run(kernel, "from nbsession import state\nend = state.block_expiration()")
    for _ in range(2):
        since = _last_activity(host)
        eventually(_is_active_after(host, since), 30, "the server is active again")
    host.run(kernel, "end()")
    since = _last_activity(host)
    time.sleep(7)  # more than one look: nothing comes any more, which no condition tells
    assert _last_activity(host) == since


LONG = "import time\n\ndef work():\n    time.sleep(300)\n"


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.parametrize("where", ["worker", "kernel", "switched off"])
def test_a_long_run(start_host: Callable[..., Host], tmp_path: Path, where: str) -> None:
    options = ["--NBSession.tasks_are_activity=False"] if where == "switched off" else []
    host = start_host("server", *options)
    (host.root / "work_module.py").write_text(LONG)
    kernel = host.start_kernel("notebooks/x.ipynb")
    declare = (
        "async def work():\n    import asyncio\n    await asyncio.sleep(300)\n"
        if where == "kernel"
        else "from work_module import work\n"
    )
    host.run(kernel, f"from nbsession import state\n{declare}state.schedule_task('long', work)")
    running = "state.tasks['long'].state"
    eventually(lambda: host.see(kernel, running) == "running", 60, "the run goes on")
    began, since = time.monotonic(), _settled_activity(host)
    if where == "switched off":
        while time.monotonic() - began < LONG_RUN_SECONDS + 15:
            time.sleep(1)
        assert _last_activity(host) == since
    else:
        eventually(_is_active_after(host, since), 120, "the run counts")
        assert time.monotonic() - began > LONG_RUN_SECONDS - 15


ENDLESS = """
import time
from pathlib import Path

def work():
    while True:
        with Path("beats").open("a") as beats:
            beats.write(".")
        time.sleep(0.2)
"""


@pytest.mark.server
@pytest.mark.slow
def test_a_cancelled_run_that_does_not_end(start_host: Callable[..., Host]) -> None:
    """A sync callable in a thread cannot be ended; the server is not kept for it."""
    host = start_host("server")
    (host.root / "work_module.py").write_text(ENDLESS)
    kernel = host.start_kernel("notebooks/x.ipynb")
    host.run(
        kernel,
        "from nbsession import state\nfrom work_module import work\n"
        "state.schedule_task('endless', work)",
    )
    beats = host.root / "beats"
    eventually(beats.exists, 60, "the run has begun")
    began = time.monotonic()
    host.run(kernel, "state.cancel_task('endless')")
    since = _settled_activity(host)
    while time.monotonic() - began < LONG_RUN_SECONDS + 15:
        time.sleep(1)
    assert _last_activity(host) == since
    size = beats.stat().st_size
    eventually(lambda: beats.stat().st_size > size, 60, "the code goes on")
