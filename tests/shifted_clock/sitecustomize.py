"""Shifts the date in every Python process that has this folder on its `PYTHONPATH`.

`TEST_CLOCK_SHIFT` says by how many seconds. Timers are as ever, and so are the times of files. Not
libfaketime: with it either locks wait for ever, for it shifts `CLOCK_MONOTONIC` in some calls only,
or `time.sleep` fails.
"""

from __future__ import annotations

import os
import sys
import time

if shift := float(os.environ.get("TEST_CLOCK_SHIFT", "0")):
    # It would import them if it could, which takes 0.1 s in every process.
    optional = {"pytest", "dateutil"} - set(sys.modules)
    sys.modules.update(dict.fromkeys(optional))  # type: ignore[arg-type] # None: not found
    import time_machine

    for name in optional:
        del sys.modules[name]
    time_machine.travel(time.time() + shift).start()
