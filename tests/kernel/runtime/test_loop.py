"""The main loop of a terminal, whose own loop stands still between cells."""

from __future__ import annotations

import subprocess
import sys

TERMINAL = """
from IPython.core.interactiveshell import InteractiveShell

cells = [
    '''
import asyncio, threading, time
from nbsession import state
await asyncio.sleep(0)
ticking = state.add_periodic_callback(lambda: None, 5, count=3)
seen = await state.execute(threading.get_ident, schedule=True)
''',
    '''
deadline = time.monotonic() + 20
while ticking.running and time.monotonic() < deadline:
    time.sleep(0.005)
again = await state.execute(threading.get_ident, schedule=True)
print(ticking.counter, ticking.running, seen == again != threading.get_ident())
''',
]
shell = InteractiveShell.instance()
for cell in cells:
    shell.run_cell(cell).raise_error()
"""


def test_callbacks_live_on_after_a_cell_that_awaits() -> None:
    command = [sys.executable, "-c", TERMINAL]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout == "3 False True\n"
