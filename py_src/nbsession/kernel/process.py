"""What kind of process this is, found out without importing what is not there yet."""

from __future__ import annotations

import logging
import os
import re
import sys
from typing import Any

_CONNECTION_FILE = re.compile(r"kernel-(.+)\.json")


def running_kernel_id() -> str | None:
    """Return the id of the IPython kernel that this process is, None if it is none.

    Read from the name of the connection file, which the server chose: the environment may be that
    of another kernel from which this process was started.
    """
    module = sys.modules.get("ipykernel.kernelapp")
    if module is None or not module.IPKernelApp.initialized():
        return None
    app = module.IPKernelApp.instance()
    if not _publishes(app):
        return None
    match = _CONNECTION_FILE.fullmatch(os.path.basename(app.connection_file))  # noqa: PTH119 - no pathlib for one name
    return match[1] if match else None


def _publishes(app: Any) -> bool:
    """Whether the kernel's output thread runs: a forked child has but one thread."""
    thread = getattr(getattr(app, "iopub_thread", None), "thread", None)
    return thread is not None and bool(thread.is_alive())


def running_shell() -> Any | None:
    """Return the IPython shell of this process, None if there is none."""
    module = sys.modules.get("IPython.core.getipython")
    return module.get_ipython() if module is not None else None


def kernel_log() -> logging.Logger:
    """Return the log of the kernel itself, which goes to the console of its server."""
    module = sys.modules.get("ipykernel.kernelapp")
    if module is not None and module.IPKernelApp.initialized():
        log: logging.Logger = module.IPKernelApp.instance().log
        return log
    return logging.getLogger("nbsession")


def under_voila() -> bool:
    """Whether Voilà started this kernel; it says so in variables of its own."""
    return "VOILA_PREHEAT" in os.environ
