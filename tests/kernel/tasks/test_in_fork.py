"""Tasks in a process that was forked off the one that holds the session."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import os
from nbsession import state

state.schedule_task("parent", lambda: None, period="1h")
if os.fork() == 0:
    try:
        state.schedule_task("child", lambda: None, period="1h")
    except RuntimeError as error:
        print(error, flush=True)
    os._exit(0)
os.wait()
print(sorted(state.tasks), flush=True)
"""


def test_a_forked_process_schedules_nothing() -> None:
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    refused, tasks = done.stdout.splitlines()
    assert "forked off a kernel cannot schedule tasks" in refused
    assert tasks == "['parent']"
