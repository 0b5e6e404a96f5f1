"""The journeys of CONTRIBUTING: five things that happen, and the files that run for them."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fake_page import FakePage
from hosts import Host
from kernels import plain_kernel, run_cell
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_client import BlockingKernelClient

pytestmark = pytest.mark.server

ROOT = Path(__file__).parent.parent
_JOURNEYS = re.search(
    r"^## Journeys$(.*?)^## ", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL | re.MULTILINE
)


def listed(journey: str) -> list[str]:
    """Return the files of a journey, as CONTRIBUTING lists them, relative to the root."""
    assert _JOURNEYS
    found = re.search(
        rf"^### {re.escape(journey)}$(.*?)(?=^### |\Z)", _JOURNEYS[1], re.DOTALL | re.MULTILINE
    )
    assert found, f"CONTRIBUTING has no journey {journey}"
    files = []
    for line in re.findall(r"^- (.*)$", found[1], re.MULTILINE):
        folder, *names = re.findall(r"`([^`]+)`", line)
        files += [f"{folder}/{name}" for name in names]
    return files


class Tracer:
    """Which files run, told by `traced_files/sitecustomize.py` in each process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folders = (str(Path(__file__).parent / "traced_files"), os.environ.get("PYTHONPATH"))
        self.environment = {
            "PYTHONPATH": os.pathsep.join(filter(None, folders)),
            "TRACED_INTO": str(folder),
        }

    @contextmanager
    def journey(self, name: str) -> Iterator[None]:
        link = self._folder / "journey"
        link.symlink_to(name)
        try:
            yield
        finally:
            link.unlink()

    def files(self, journey: str) -> set[str]:
        """Return the files that ran in a journey, relative to the package."""
        lines = [
            line for file in self._folder.glob("*.txt") for line in file.read_text().split("\n")
        ]
        return {
            line.removeprefix(f"{journey} ") for line in lines if line.startswith(f"{journey} ")
        }

    def check(self, journey: str, heading: str, at_most: int) -> None:
        """Fail unless the files that ran are the ones that are listed."""
        files = listed(heading)
        python = {each for each in files if each.endswith(".py")}
        ran = {f"py_src/nbsession/{each}" for each in self.files(journey)}
        assert ran == python, "it ran\n" + "\n".join(sorted(ran))
        assert not [each for each in files if not (ROOT / each).is_file()]
        assert len(files) <= at_most


@pytest.fixture
def tracer(tmp_path: Path) -> Tracer:
    folder = tmp_path / "traced"
    folder.mkdir()
    return Tracer(folder)


@pytest.fixture
def kernel(tracer: Tracer, monkeypatch: pytest.MonkeyPatch) -> Iterator[BlockingKernelClient]:
    for name, value in tracer.environment.items():
        monkeypatch.setenv(name, value)
    with plain_kernel() as (_, client):
        run_cell(client, "%load_ext nbsession")
        yield client


def test_tick(kernel: BlockingKernelClient, tracer: Tracer) -> None:
    run_cell(
        kernel, "ticks = []\nticking = state.add_periodic_callback(lambda: ticks.append(1), 20)"
    )
    eventually(lambda: int(run_cell(kernel, "print(len(ticks))")) > 2)
    wait_for_ticks = """
import asyncio, os
async def more():
    count = len(ticks)
    while len(ticks) < count + 3:
        await asyncio.sleep(0.01)
"""
    run_cell(kernel, wait_for_ticks)
    folder = tracer.environment["TRACED_INTO"]
    # The cell itself is no part of it: the journey begins and ends between two ticks of one cell.
    run_cell(
        kernel,
        f"await more()\nos.symlink('tick', {folder!r} + '/journey')\nawait more()\n"
        f"os.unlink({folder!r} + '/journey')",
    )
    tracer.check("tick", "A tick of a periodic callback", 8)


def test_busy(kernel: BlockingKernelClient, tracer: Tracer) -> None:
    run_cell(kernel, "state._session.pages.open()")
    page = FakePage(kernel)
    page.hello()
    run_cell(kernel, "pass")
    eventually(lambda: page.trait_values("busy"))
    with tracer.journey("busy"):
        run_cell(kernel, "import time; time.sleep(0.2)")
        eventually(lambda: page.trait_values("busy"))
    tracer.check("busy", "Busy, from a cell to the page", 8)


def test_slider(kernel: BlockingKernelClient, tracer: Tracer) -> None:
    run_cell(
        kernel,
        "import ipywidgets\nslider = ipywidgets.IntSlider(description='n')\n"
        "state.location.sync(slider)",
    )
    page = FakePage(kernel)
    page.hello(origin="http://h", pathname="/a", search="", hash="")
    slider = run_cell(kernel, "print(slider.model_id)").strip()

    def move(value: int) -> None:
        data = {"method": "update", "state": {"value": value}, "buffer_paths": []}
        message = kernel.session.msg("comm_msg", {"comm_id": slider, "data": data})
        kernel.shell_channel.send(message)
        eventually(lambda: [m for m in page.collect() if m["kind"] == "navigate"])

    move(1)
    with tracer.journey("slider"):
        move(2)
    tracer.check("slider", "A slider, from the page to the URL", 20)


@pytest.fixture
def host(tmp_path: Path, tracer: Tracer) -> Iterator[Host]:
    host = Host("server", tmp_path / "server", env=tracer.environment)
    try:
        yield host.wait_ready()
    finally:
        host.stop()


def test_header(host: Host, tracer: Tracer) -> None:
    kernel_id = host.start_kernel("notebooks/x.ipynb?n=1", {"X-Visit": "mine"})
    with host.client(kernel_id) as client:
        run_cell(client, "%load_ext nbsession")
        with tracer.journey("header"):
            assert run_cell(client, "print(state.headers['X-Visit'])") == "mine\n"
    tracer.check("header", "A header, from the server to the notebook", 18)


def test_task(host: Host, tracer: Tracer) -> None:
    (host.root / "chores.py").write_text("def work():\n    print('worked')\n")
    kernel_id = host.start_kernel("notebooks/x.ipynb")
    with host.client(kernel_id) as client:
        run_cell(client, "%load_ext nbsession\nimport chores")
        with tracer.journey("task"):
            run_cell(client, "task = state.schedule_task('work', chores.work, cron='0 0 1 1 *')")
            run_cell(client, "run = await task.run_now()\nassert run.output == 'worked\\n'")
            rows = host.http.get("nbsession/api/tasks").json()["tasks"]
            assert rows[0]["run_count"] == 1
    tracer.check("task", "A task, from a notebook to the row in the sidebar", 88)
