"""However a server ends: every session's hooks run before the worker does, and nothing is left."""

from __future__ import annotations

import os
import pty
import re
import signal
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from nbsession.scheduler.workers.messages import STOPPED
from setup_scripts import SEES_SESSIONS, SetupScript, workers
from visitors import write_notebook
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hosts import Host

pytestmark = pytest.mark.server


@pytest.fixture
def script(tmp_path: Path) -> SetupScript:
    return SetupScript(tmp_path / "project" / "tasks.py").write(
        SEES_SESSIONS + "state.schedule_task('idle', note, period='1h', args=['tick'])\nnote('ran')"
    )


@pytest.fixture
def terminal() -> Iterator[int]:
    """A terminal for a server's standard input."""
    ours, theirs = pty.openpty()
    yield theirs
    os.close(ours)
    os.close(theirs)


def _end(host: Host, *signals: signal.Signals) -> None:
    """Send signals, and see the server and all of its processes end."""
    tree = psutil.Process(host.process.pid).children(recursive=True)
    for number in signals:
        host.process.send_signal(number)
        eventually(lambda number=number: _is_noted(host, number), what="the signal has come")
    host.process.wait(40)
    _, alive = psutil.wait_procs(tree, timeout=15)
    assert not alive


def _is_noted(host: Host, number: signal.Signals) -> bool:
    if host.process.poll() is not None:
        return True
    said = ("interrupted", "Shut down this Jupyter server", "stopping", "Stopping", "Handle signal")
    return number == signal.SIGKILL or any(text in host.log for text in said)


def _started(host: Host, script: SetupScript) -> list[str]:
    kernels = [host.start_kernel(f"lab/tree/{n}.ipynb", path=f"{n}.ipynb") for n in range(3)]
    eventually(lambda: len(script.of("created")) == 3, 60)
    return kernels


def _assert_all_destroyed(script: SetupScript, kernels: list[str]) -> None:
    assert sorted(script.of("destroyed")) == sorted([kernel, True] for kernel in kernels)


@pytest.mark.parametrize(
    "signals",
    [(signal.SIGTERM,), (signal.SIGINT,), (signal.SIGTERM, signal.SIGTERM)],
    ids=["SIGTERM", "SIGINT", "twice"],
)
def test_server(
    script: SetupScript, start_host: Callable[..., Host], signals: tuple[signal.Signals, ...]
) -> None:
    host = start_host("server", script.option)
    kernels = _started(host, script)
    [worker] = workers(host)
    _end(host, *signals)
    _assert_all_destroyed(script, kernels)
    assert not worker.is_running()
    assert "nbsession: " not in host.log
    assert not list(host.runtime.glob("nbsession-*"))


def test_server_at_a_terminal(
    script: SetupScript, start_host: Callable[..., Host], terminal: int
) -> None:
    host = start_host("server", script.option, stdin=terminal)
    kernels = _started(host, script)
    _end(host, signal.SIGINT, signal.SIGINT)
    _assert_all_destroyed(script, kernels)


@pytest.mark.parametrize(
    ("number", "options"),
    [(signal.SIGTERM, ("--preheat_kernel=True", "--pool_size=1")), (signal.SIGINT, ())],
    ids=["preheated, SIGTERM", "SIGINT"],
)
def test_voila(
    script: SetupScript,
    tmp_path: Path,
    start_host: Callable[..., Host],
    number: int,
    options: tuple[str, ...],
) -> None:
    notebook = write_notebook(tmp_path / "v" / "root" / "x.ipynb", "print('hello')")
    host = start_host("voila", str(notebook), script.option, *options, home=tmp_path / "v")
    for _ in range(2):
        httpx.get(host.url, timeout=60).raise_for_status()
    eventually(lambda: len(script.of("created")) == 2, 60)
    _end(host, signal.Signals(number))
    _assert_all_destroyed(script, [kernel for kernel, _ in script.of("created")])


def test_a_server_that_is_killed_leaves_nothing(
    script: SetupScript, start_host: Callable[..., Host]
) -> None:
    host = start_host("server", script.option)
    _started(host, script)
    assert workers(host)
    _end(host, signal.SIGKILL)


def test_hooks_that_hang_do_not_hold_the_server(
    script: SetupScript, start_host: Callable[..., Host]
) -> None:
    script.write(
        SEES_SESSIONS
        + "@state.on_session_destroyed\n"
        + "def hang():\n    note('hangs')\n    import time; time.sleep(1000)\n"
    )
    host = start_host("server", script.option)
    host.start_kernel("lab/tree/x.ipynb")
    eventually(lambda: script.of("created"), 60)
    _end(host, signal.SIGTERM)
    assert ["hangs"] in script.notes
    assert re.search(r"nbsession: .*session.*the server has stopped", host.log)


HOOKS = """
from pathlib import Path
from nbsession import state
import time

@state.on_session_destroyed
def end(session):
    {first}
    Path("ended-{name}").write_text(str(session.ended_at))
"""


def test_interrupted_without_a_terminal_kernels_end_their_sessions(
    start_host: Callable[..., Host],
) -> None:
    """As JupyterHub's local spawner and other managers of processes stop a server."""
    host = start_host("server")
    for name in ("a", "b", "c"):
        kernel = host.start_kernel(f"notebooks/{name}.ipynb", path=f"{name}.ipynb")
        host.run(kernel, HOOKS.format(name=name, first="time.sleep(0.5)"))
    busy = host.start_kernel("notebooks/busy.ipynb", path="busy.ipynb")
    host.run(busy, HOOKS.format(name="busy", first="pass"))
    other = host.start_kernel("notebooks/other.ipynb", path="other.ipynb")
    host.run(other, "1")
    with host.client(busy) as client:
        client.execute("Path('began').touch()\ntime.sleep(100)")
        eventually((host.root / "began").exists, what="the cell runs")
        _end(host, signal.SIGINT)
    assert sorted(path.name for path in host.root.glob("ended-*")) == [
        *("ended-a", "ended-b", "ended-busy", "ended-c")
    ]
    assert "Traceback" not in host.log


def test_a_hook_that_hangs_is_not_waited_for_when_interrupted(
    start_host: Callable[..., Host],
) -> None:
    host = start_host("server")
    kernel = host.start_kernel("notebooks/x.ipynb")
    host.run(kernel, HOOKS.format(name="x", first="time.sleep(1000)"))
    began = time.monotonic()
    _end(host, signal.SIGINT)
    assert time.monotonic() - began < 30
    assert not list(host.root.glob("ended-*"))


# -- the end of a server whose tasks are kept in a database --------------------------------------

RUNS_ON = (
    SEES_SESSIONS
    + """
async def endless():
    note("endless")
    await asyncio.sleep(1000)

def blocking():
    import time
    note("blocking")
    time.sleep(1000)

def alone():
    import time
    note("alone")
    time.sleep(1000)

async def quick():
    note("quick")
    return 1

state.schedule_task("endless", endless, period="1h")
state.schedule_task("blocking", blocking, period="1h", threaded=True)
state.schedule_task("alone", alone, period="1h", process=True)
state.schedule_task("quick", quick, period="1h")
"""
)

FAULTS = ("Traceback", "was never awaited", "Task was destroyed", "never retrieved", "nbsession: ")


RAN = "import os\nfrom pathlib import Path\nPath(f'ran-{os.getpid()}').touch()"
"""A cell: Voilà itself logs a traceback for a kernel that ends while its notebook is executed."""


def _rows_in(database: Path) -> dict[str, tuple[str, bool, str | None]]:
    """Return the state of each task's only run, whether it has ended, and why."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT task, state, ended_us, reason FROM runs").fetchall()
    assert len({task for task, *_ in rows}) == len(rows), rows
    return {task: (state, ended_us is not None, reason) for task, state, ended_us, reason in rows}


def _wait_for_fills(host: Host, count: int) -> None:
    eventually(lambda: host.log.count("is filled with") == count, 60, f"the pool's fill {count}")


def _wait_for_kernels(host: Host, count: int) -> None:
    """Wait until all kernels have started: one that is interrupted before that says so itself."""
    eventually(lambda: len(host.kernels()) == count, 60, f"{count} kernels")
    for process in host.kernels():
        found = re.search(r"kernel-([-0-9a-f]{36})\.json", " ".join(process.cmdline()))
        assert found
        with host.client(found[1]):
            pass


@pytest.mark.parametrize(
    "signals",
    [(signal.SIGTERM,), (signal.SIGINT,), (signal.SIGTERM, signal.SIGTERM)],
    ids=["SIGTERM", "SIGINT", "twice"],
)
@pytest.mark.parametrize("app", ["voila", "preheated voila", "lab"])
def test_with_runs_in_flight(
    script: SetupScript,
    tmp_path: Path,
    start_host: Callable[..., Host],
    app: str,
    signals: tuple[signal.Signals, ...],
) -> None:
    script.write(RUNS_ON)
    write_notebook(tmp_path / "h" / "root" / "x.ipynb", RAN)
    database = tmp_path / "tasks.db"
    options = (script.option, f"--NBSession.database={database}")
    if app == "lab":
        host = start_host(app, *options, home=tmp_path / "h")
        for number in range(2):
            host.start_kernel(f"lab/tree/{number}.ipynb", path=f"{number}.ipynb")
    else:
        heat = ("--preheat_kernel=True", "--pool_size=1") if app != "voila" else ()
        host = start_host("voila", *heat, *options, home=tmp_path / "h")
        for visits in range(2):
            if heat:
                _wait_for_fills(host, visits + 1)
            httpx.get(host.url + "voila/render/x.ipynb", timeout=60).raise_for_status()
        if heat:
            _wait_for_fills(host, 3)
        eventually(lambda: len([*host.root.glob("ran-*")]) == (3 if heat else 2), 60)
    _wait_for_kernels(host, 3 if app == "preheated voila" else 2)
    eventually(lambda: len(script.of("created")) == 2, 60)
    eventually(
        lambda: all(script.of(name) for name in ("endless", "blocking", "alone", "quick")), 60
    )
    eventually(lambda: _rows_in(database).get("quick", ("",))[0] == "succeeded", 60)
    _end(host, *signals)
    faults = [line for line in host.log.splitlines() if any(fault in line for fault in FAULTS)]
    assert not faults, host.log[-8000:]
    _assert_all_destroyed(script, [kernel for kernel, _ in script.of("created")])
    lost = ("lost", True, STOPPED)
    assert _rows_in(database) == {
        "quick": ("succeeded", True, None),
        "endless": lost,
        "blocking": lost,
        "alone": lost,
    }
