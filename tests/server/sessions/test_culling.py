"""Kernels whose Voilà page is gone end; others do not."""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx
import pytest

from nbsession.server.sessions.culling import PageReaper
from visitors import SHOW, visit, write_notebook
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hosts import Host

GRACE, LOAD = 120.0, 600.0


@dataclass
class Kernels:
    """As much of a multi-kernel manager, and of its sockets, as the reaper needs."""

    connections: dict[str, int] = field(default_factory=lambda: {"k": 0})
    blocked: set[str] = field(default_factory=set)
    problem: str | None = None
    on_open: Callable[[str], object] = lambda _kernel_id: None
    shutdowns: list[str] = field(default_factory=list)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)

    def __contains__(self, kernel_id: str) -> bool:
        return kernel_id in self.connections

    def count(self, kernel_id: str) -> int:
        return self.connections[kernel_id]

    async def shutdown_kernel(self, kernel_id: str) -> None:
        self.shutdowns.append(kernel_id)
        await self.may_end.wait()
        del self.connections[kernel_id]


@dataclass
class Sending:
    """A page on its way."""

    loading: bool = True
    left: bool = False


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def _watch(reaper: PageReaper, sending: Sending) -> None:
    reaper.watch("k", sending)


@pytest.fixture
def parts() -> tuple[PageReaper, Kernels, Sending, Clock]:
    kernels, sending, clock = Kernels(), Sending(), Clock()
    reaper = PageReaper(
        kernels,  # type: ignore[arg-type]
        kernels,
        GRACE,
        LOAD,
        logging.getLogger(),
        is_blocked=kernels.blocked.__contains__,
        clock=clock,
        wall_clock=clock,
    )
    asyncio.run(_watch(reaper, sending))  # the loop ends with it: only the tests look
    return reaper, kernels, sending, clock


Parts = tuple[PageReaper, Kernels, Sending, Clock]


def _later(parts: Parts, seconds: float) -> list[str]:
    parts[0].is_expired("k")
    parts[3].now += seconds
    return ["k"] if parts[0].is_expired("k") else []


def test_a_page_that_is_being_sent_is_never_given_up(parts: Parts) -> None:
    assert _later(parts, 100 * LOAD) == []


def test_a_page_that_was_left_while_it_was_sent(parts: Parts) -> None:
    parts[2].loading, parts[2].left = False, True
    assert _later(parts, GRACE - 1) == []
    assert _later(parts, 1) == ["k"]


def test_a_slow_page_has_long_to_connect(parts: Parts) -> None:
    parts[2].loading = False
    assert _later(parts, LOAD - 1) == []
    assert _later(parts, 1) == ["k"]


def test_the_grace_begins_with_the_last_socket(parts: Parts) -> None:
    _, kernels, sending, _ = parts
    sending.loading, kernels.connections["k"] = False, 2
    assert _later(parts, 100 * LOAD) == []
    kernels.connections["k"] = 1
    assert _later(parts, 100 * LOAD) == []
    kernels.connections["k"] = 0
    assert _later(parts, GRACE - 1) == []
    assert _later(parts, 1) == ["k"]


def test_a_network_that_was_lost_for_a_minute(parts: Parts) -> None:
    _, kernels, sending, _ = parts
    sending.loading, kernels.connections["k"] = False, 1
    for _ in range(5):
        assert _later(parts, 10) == []
        kernels.connections["k"] = 0
        assert _later(parts, 60) == []
        kernels.connections["k"] = 1
    assert _later(parts, GRACE) == []


def test_a_socket_between_two_looks_counts(parts: Parts) -> None:
    _, kernels, sending, _ = parts
    sending.loading = False
    kernels.on_open("k")
    assert _later(parts, GRACE - 1) == []
    assert _later(parts, 1) == ["k"]


def test_a_kernel_that_still_starts_is_waited_for(parts: Parts) -> None:
    _, kernels, sending, _ = parts
    del kernels.connections["k"]
    assert _later(parts, LOAD) == []
    kernels.connections["k"], sending.loading = 0, False
    assert _later(parts, LOAD) == ["k"]


def test_a_kernel_that_blocks_its_expiration(parts: Parts) -> None:
    parts[2].loading = False
    parts[1].blocked.add("k")
    assert _later(parts, 100 * LOAD) == []
    parts[1].blocked.clear()
    assert _later(parts, LOAD - 1) == []
    assert _later(parts, 1) == ["k"]


def test_a_kernel_that_is_gone_is_left_alone(parts: Parts) -> None:
    parts[2].loading = False
    assert _later(parts, 1) == []
    del parts[1].connections["k"]
    assert _later(parts, LOAD) == []


def test_sockets_that_are_not_counted(parts: Parts, caplog: pytest.LogCaptureFixture) -> None:
    reaper, kernels, sending, _ = parts
    sending.loading, kernels.problem = False, "the sockets are not counted"
    for _ in range(2):
        reaper.report_problem()
        assert _later(parts, 100 * LOAD) == []
    assert caplog.text.count("the sockets are not counted; no kernel ends because") == 1
    kernels.problem = None
    assert _later(parts, LOAD - 1) == []
    assert _later(parts, 1) == ["k"]


@pytest.mark.parametrize("late", [(60.0, 60.0), (0.0, 60.0)], ids=["paused", "asleep"])
def test_a_server_that_did_not_run(parts: Parts, late: tuple[float, float]) -> None:
    reaper, kernels, sending, clock = parts
    sending.loading = False
    kernels.on_open("k")
    assert _later(parts, GRACE - 10) == []
    clock.now += late[0]
    reaper.extend_grace(*late)
    assert _later(parts, GRACE - 1) == [], "the page gets its whole time once more"
    assert _later(parts, 1) == ["k"]


def test_a_server_that_is_slow_again_and_again(parts: Parts) -> None:
    reaper, kernels, sending, clock = parts
    sending.loading = False
    kernels.on_open("k")
    reaper.is_expired("k")
    for _ in range(int(GRACE)):  # that time is not counted, but the page's end comes
        assert not reaper.is_expired("k")
        clock.now += 5
        reaper.extend_grace(4, 4)
    assert reaper.is_expired("k")


def test_a_page_that_is_there_gets_no_more_time(parts: Parts) -> None:
    reaper, kernels, sending, _ = parts
    sending.loading, kernels.connections["k"] = False, 1
    assert _later(parts, 1) == []
    reaper.extend_grace(1000, 1000)
    kernels.connections["k"] = 0
    assert _later(parts, GRACE - 1) == []
    assert _later(parts, 1) == ["k"]


def test_kernels_end_several_at_a_time() -> None:
    ids = [str(number) for number in range(12)]

    async def main() -> None:
        kernels = Kernels(dict.fromkeys(ids, 0))
        reaper = PageReaper(
            kernels,  # type: ignore[arg-type]
            kernels,
            0,
            0,
            logging.getLogger(),
            is_blocked=kernels.blocked.__contains__,
        )
        for kernel_id in ids:
            reaper.watch(kernel_id, Sending(loading=False))
        await _until(lambda: len(kernels.shutdowns) == 10)
        back, other = set(ids) - set(kernels.shutdowns)
        kernels.connections[back] = 1  # its page comes back while it waits for its turn
        kernels.may_end.set()
        await _until(lambda: kernels.connections == {back: 1})
        assert sorted(kernels.shutdowns) == sorted(set(ids) - {back})
        assert other in kernels.shutdowns
        kernels.connections[back] = 0
        await _until(lambda: not kernels.connections)

    asyncio.run(main())


async def _until(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not look():  # noqa: ASYNC110 - a condition sets no event
            await asyncio.sleep(0.01)


REAP = ("--NBSession.page_grace_seconds=1", "--NBSession.page_load_seconds=30")


@pytest.mark.server
def test_a_page_closed_while_it_renders(tmp_path: Path, start_host: Callable[..., Host]) -> None:
    notebook = write_notebook(
        tmp_path / "v" / "root" / "x.ipynb",
        "from pathlib import Path\nimport time\nPath('rendering').touch()\ntime.sleep(60)",
    )
    host = start_host("voila", str(notebook), *REAP, home=tmp_path / "v")
    with socket.create_connection(("127.0.0.1", host.port)) as browser:
        browser.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        eventually((host.root / "rendering").exists, 60, "the cell runs")
        kernel = host.kernels()[0]
    eventually(lambda: not kernel.is_running(), 60, "the kernel has ended")
    assert "is gone; shutting it down" in host.log


@pytest.mark.server
def test_busy_kernels_end_at_the_same_time(tmp_path: Path, start_host: Callable[..., Host]) -> None:
    """Each takes the 2.5 s after which jupyter_client gives up."""
    stubborn = (
        "from pathlib import Path\nimport os, time\nPath(f'rendering-{os.getpid()}').touch()\n"
        "while True:\n    try:\n        time.sleep(60)\n"
        "    except KeyboardInterrupt:\n        pass"
    )
    notebook = write_notebook(tmp_path / "v" / "root" / "x.ipynb", stubborn)
    host = start_host("voila", str(notebook), *REAP, home=tmp_path / "v")
    browsers = [socket.create_connection(("127.0.0.1", host.port)) for _ in range(4)]
    for browser in browsers:
        browser.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    eventually(lambda: len([*host.root.glob("rendering-*")]) == 4, 60, "the cells run")
    for browser in browsers:
        browser.close()
    eventually(lambda: host.log.count("is gone; shutting it down") == 4, 60)
    assert len(host.kernels()) == 4, "the first has not ended when the last one begins to"
    eventually(lambda: not host.kernels(), 60)


@pytest.mark.server
def test_a_page_that_renders_longer_than_the_grace(
    tmp_path: Path, start_host: Callable[..., Host]
) -> None:
    notebook = write_notebook(
        tmp_path / "v" / "root" / "x.ipynb", "import time\ntime.sleep(4)", SHOW
    )
    options = ("--NBSession.page_grace_seconds=0.5", "--NBSession.page_load_seconds=0.5")
    host = start_host("voila", str(notebook), *options, home=tmp_path / "v")
    assert visit(host.url, "slow").is_right


@pytest.mark.server
def test_parked_kernels_stay(tmp_path: Path, start_host: Callable[..., Host]) -> None:
    notebook = write_notebook(tmp_path / "v" / "root" / "x.ipynb", SHOW)
    options = ("--NBSession.page_grace_seconds=0", "--NBSession.page_load_seconds=0")
    host = start_host(
        "voila",
        str(notebook),
        "--preheat_kernel=True",
        "--pool_size=2",
        *options,
        home=tmp_path / "v",
    )
    host.wait_for_pool(2)
    parked = _running(host)
    assert len(parked) == 2
    assert visit(host.url, "a").is_right
    eventually(lambda: host.log.count("is gone; shutting it down") == 1, 20)
    eventually(lambda: len(_running(host)) == 2 and len(parked & _running(host)) == 1, 30)
    host.wait_for_pool(2)


def _running(host: Host) -> set[int]:
    return {kernel.pid for kernel in host.kernels()}


@pytest.mark.server
def test_the_farewell_of_a_page_is_heard(tmp_path: Path, start_host: Callable[..., Host]) -> None:
    """Voilà's own page sends a beacon, which needs a cookie that Voilà forgets to set."""
    notebook = write_notebook(tmp_path / "v" / "root" / "x.ipynb", SHOW)
    host = start_host("voila", str(notebook), home=tmp_path / "v")
    browser = httpx.Client(base_url=host.url, timeout=60)
    browser.get("").raise_for_status()
    kernel = host.kernels()[0]
    kernel_id = visit_id(host)
    answer = browser.post(
        f"voila/api/shutdown/{kernel_id}", data={"_xsrf": browser.cookies["_xsrf"]}
    )
    assert answer.status_code == 204
    eventually(lambda: not kernel.is_running(), 10, "the kernel has ended")


def visit_id(host: Host) -> str:
    """Return the id of the only kernel."""
    name = next(host.tmp.glob("*/kernel-*.json")).stem
    return name.removeprefix("kernel-")
