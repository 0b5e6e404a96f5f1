"""What kind of process this is, found out without importing what is not there yet."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
from typing import Any

_CONNECTION_FILE = re.compile(r"kernel-(.+)\.json")


def _kernel_app() -> Any | None:
    module = sys.modules.get("ipykernel.kernelapp")
    if module is None or not module.IPKernelApp.initialized():
        return None
    return module.IPKernelApp.instance()


def _other_kernel() -> Any | None:
    """Return a kernel that is not ipykernel's, as JupyterLite's is: known by its comms.

    None for one whose cells run beside no event loop: comms may not be used on another thread.
    """
    kernel = getattr(running_shell(), "kernel", None)
    base = sys.modules.get("ipykernel.kernelbase")
    if kernel is None or (base is not None and isinstance(kernel, base.Kernel)):
        return None
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return None
    return kernel if getattr(kernel, "comm_manager", None) is not None else None


def is_kernel() -> bool:
    """Whether this process is an IPython kernel, and no child that was forked off one."""
    app = _kernel_app()
    if app is None:
        return _other_kernel() is not None
    # A forked child has but one thread: not the one that publishes output.
    thread = getattr(getattr(app, "iopub_thread", None), "thread", None)
    return thread is not None and bool(thread.is_alive())


def is_like_ipykernel(kernel: object) -> bool:
    """Return True for a kernel that handles messages as ipykernel does."""
    return isinstance(getattr(kernel, "shell_handlers", None), dict)


def running_kernel_id() -> str | None:
    """Return the id of the IPython kernel that this process is, None if it is none.

    Read from the name of the connection file, which the server chose: the environment may be that
    of another kernel from which this process was started.
    """
    app = _kernel_app()
    if app is None or not is_kernel():
        return None  # another kernel does not say
    match = _CONNECTION_FILE.fullmatch(os.path.basename(app.connection_file))  # noqa: PTH119 - no pathlib for one name
    return match[1] if match else None


def running_shell() -> Any | None:
    """Return the IPython shell of this process, None if there is none."""
    module = sys.modules.get("IPython.core.getipython")
    return module.get_ipython() if module is not None else None


def is_terminal() -> bool:
    """Whether this process is an IPython without a kernel around it."""
    shell = running_shell()
    return shell is not None and getattr(shell, "kernel", None) is None


def kernel_log() -> logging.Logger:
    """Return the log of the kernel itself, which goes to the console of its server."""
    app = _kernel_app()
    log: logging.Logger = logging.getLogger("nbsession") if app is None else app.log
    return log


def under_voila() -> bool:
    """Whether this is a kernel that Voilà started; it says so in variables of its own."""
    return "VOILA_PREHEAT" in os.environ and _kernel_app() is not None
