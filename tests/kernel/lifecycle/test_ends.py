"""The end of a process while callbacks still run: it prints and logs no error."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import pytest
from jupyter_client import KernelManager

from kernels import run_cell, wait_for_kernel

HOOKS = {
    "nothing": "from nbsession import state",
    "sync": "import time\nfrom nbsession import state\n"
    "end = state.on_session_destroyed(lambda: time.sleep(0.2))",
    "async": "import asyncio\nfrom nbsession import state\n"
    "end = state.on_session_destroyed(lambda: asyncio.sleep(0.2))\n"
    "name = 'kept'\nperiodic = state.add_periodic_callback(lambda: name, 1)",
    "late": "import time\nfrom nbsession import state\n"
    "end = state.on_session_destroyed(lambda: time.sleep(2.2))",
}


@pytest.mark.parametrize("hook", HOOKS)
def test_several_shutdown_requests_leave_no_traceback(hook: str) -> None:
    with tempfile.TemporaryDirectory(prefix="nbs-") as directory:
        log = Path(directory) / "log"
        file = Path(directory) / f"kernel-{uuid.uuid4().hex}.json"
        manager = KernelManager(transport="ipc", connection_file=str(file))
        with log.open("w") as stream:
            manager.start_kernel(stdout=stream, stderr=stream)
        client = manager.client()
        client.start_channels(hb=False)
        try:
            wait_for_kernel(client)
            run_cell(client, HOOKS[hook])
            for _ in range(3):
                request = client.session.msg("shutdown_request", {"restart": False})
                client.control_channel.send(request)
            assert manager.provisioner.process.wait(60) == 0
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
        logged = log.read_text()  # ipykernel itself may complain of the request that it never read
        assert "Traceback" not in logged
        complaints = [line for line in logged.splitlines() if "nbsession" in line]
        assert all("was cut off" in line for line in complaints)


TERMINAL = """
import asyncio, time
from nbsession import state
class Slow:
    def __del__(self, sleep=time.sleep):
        sleep(0.5)

slow = Slow()
name = "kept"
async def wait_on():
    while True:
        await asyncio.sleep(0.001)
        name

periodic = state.add_periodic_callback(lambda: name, 1)
later = state.execute(wait_on)
unregister = state.on_session_destroyed(lambda: print("ended with", name))
task = state.schedule_task("often", lambda: name, period="20ms")
time.sleep(0.2)
print("counted", periodic.counter > 0)
exit
"""


def test_callbacks_end_before_the_namespace_of_a_terminal() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--simple-prompt", "--no-banner", "--colors=nocolor"],
        input=TERMINAL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "counted True" in done.stdout
    assert done.stdout.count("ended with kept") == 1
    assert "Error" not in done.stdout + done.stderr, done
    assert done.returncode == 0


def test_a_script_ends_while_callbacks_run() -> None:
    code = (
        "import time\nfrom nbsession import state\nname = 'kept'\n"
        "periodic = state.add_periodic_callback(lambda: name, 1)\ntime.sleep(0.2)\n"
        "end = state.on_session_destroyed(lambda: print('end'))\nassert periodic.counter\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("end\n", "", 0)
