"""The link under odd conditions: its socket deleted, its queue full, a flood of lines."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from hosts import Host
from linked_tasks import any_link, owner_of
from nbsession.core.text import MAX_LINES_PER_SECOND
from nbsession.server.link import server as link_server
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    host = Host("server", tmp_path_factory.mktemp("limits"))
    try:
        yield host.wait_ready()
    finally:
        host.stop()


def _delete_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def _replace(path: Path) -> None:
    path.unlink()
    path.write_text("no socket")


@pytest.mark.parametrize("remove", [Path.unlink, _delete_folder, _replace])
def test_a_deleted_socket_is_made_anew(host: Host, remove: Callable[[Path], None]) -> None:
    link = any_link(host)
    facts, _ = owner_of(host)
    path = Path(facts["link"].removeprefix("unix:"))
    warnings = host.log.count("made anew")
    remove(path)
    eventually(path.is_socket, 60)
    assert link.get("session")["bound"]  # a kernel that runs already
    assert any_link(host).get("session")["bound"]
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    eventually(lambda: host.log.count("made anew") == warnings + 1, 60)
    jupyter = str(Path(sys.executable).with_name("jupyter"))
    printed = subprocess.run(
        [jupyter, "nbsession", "doctor", "--json"],
        env=host.environment,
        capture_output=True,
        check=False,
    )
    [found] = [each for each in json.loads(printed.stdout) if each["part"].endswith(" link")]
    assert str(path) in found["found"]


def test_a_folder_that_is_not_ours_alone_gets_no_socket(host: Host) -> None:
    facts, _ = owner_of(host)
    path = Path(facts["link"].removeprefix("unix:"))
    shutil.rmtree(path.parent)
    path.parent.mkdir()
    path.parent.chmod(0o777)
    eventually(lambda: "cannot be made anew" in host.log, 60)
    assert list(path.parent.iterdir()) == []
    path.parent.chmod(0o700)
    eventually(path.is_socket, 60)


def test_the_socket_is_checked_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[Path] = []

    def refuse_once(directory: Path) -> None:
        checked.append(directory)
        if len(checked) == 1:
            raise ValueError

    async def main() -> None:
        server = link_server.LinkServer(cast("Any", None), logging.getLogger("link"))
        os.unlink(server.listen().removeprefix("unix:"))  # noqa: PTH108 - one call, in a loop
        async with asyncio.timeout(30):
            while server.notice is None:  # noqa: ASYNC110 - an attribute sets no event
                await asyncio.sleep(0.01)

    monkeypatch.setattr(link_server, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(link_server, "_make_own_directory", refuse_once)
    asyncio.run(main())
    assert len(checked) > 1


def test_many_connections_at_once_wait(host: Host) -> None:
    link = any_link(host)
    os.kill(host.process.pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(1200) as pool:  # more than the queue takes
            answers = [pool.submit(link.get, "session") for _ in range(1200)]
            time.sleep(2)
            failed = [answer.exception() for answer in answers if answer.done()]
            os.kill(host.process.pid, signal.SIGCONT)
            assert failed == []
            assert all(answer.result()["bound"] for answer in answers)
    finally:
        os.kill(host.process.pid, signal.SIGCONT)


def test_a_flood_of_lines_is_cut(host: Host) -> None:
    link = any_link(host)
    other = host.link_of(host.start_kernel("lab/tree/other.ipynb", path="other.ipynb"))
    began = time.monotonic()
    for number in range(10 * MAX_LINES_PER_SECOND):
        link.post("log", {"level": "warning", "message": f"flood {number} of it"})
    seconds = time.monotonic() - began
    other.post("log", {"level": "warning", "message": "a line of another kernel"})
    eventually(lambda: "a line of another kernel" in host.log)

    def counts() -> tuple[int, int]:
        left_out = re.findall(r"\] ([0-9,]+) lines left out", host.log)
        return host.log.count("flood "), sum(int(each.replace(",", "")) for each in left_out)

    eventually(lambda: sum(counts()) == 10 * MAX_LINES_PER_SECOND, 60)
    assert counts()[0] <= (seconds + 2) * MAX_LINES_PER_SECOND

    def is_logged() -> bool:  # one that falls into the second of the last line is left out, too
        link.post("log", {"level": "warning", "message": "after it"})
        return "after it" in host.log

    eventually(is_logged)
