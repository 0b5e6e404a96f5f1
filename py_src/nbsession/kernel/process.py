"""What kind of process this is, found out without importing what is not there yet."""

from __future__ import annotations

import atexit
import logging
import os
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_CONNECTION_FILE = re.compile(r"kernel-(.+)\.json")

_LEAVE = "_atexit_once"
"""IPython's method for the end of a terminal and of the process, whichever comes first."""


def _kernel_app() -> Any | None:
    module = sys.modules.get("ipykernel.kernelapp")
    if module is None or not module.IPKernelApp.initialized():
        return None
    return module.IPKernelApp.instance()


def is_kernel() -> bool:
    """Whether this process is an IPython kernel, and no child that was forked off one."""
    app = _kernel_app()
    # A forked child has but one thread: not the one that publishes output.
    thread = getattr(getattr(app, "iopub_thread", None), "thread", None)
    return thread is not None and bool(thread.is_alive())


def running_kernel_id() -> str | None:
    """Return the id of the IPython kernel that this process is, None if it is none.

    Read from the name of the connection file, which the server chose: the environment may be that
    of another kernel from which this process was started.
    """
    app = _kernel_app()
    if app is None or not is_kernel():
        return None
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


def call_at_exit(callback: Callable[[], object]) -> Callable[[], None]:
    """Call when this process ends, while the user's names are there; returns what takes it back.

    A terminal empties the user's namespace when it is left, long before `atexit` has its turn.
    """
    shell = running_shell() if is_terminal() else None
    leave = getattr(shell, _LEAVE, None)
    if leave is None:
        atexit.register(callback)
        return lambda: atexit.unregister(callback)
    calls, before = [callback], vars(shell).get(_LEAVE)

    def atexit_once() -> None:
        for call in calls:
            call()
        leave()

    def take_back() -> None:
        calls.clear()
        if vars(shell).get(_LEAVE) is not atexit_once:  # it stays, and passes on
            return
        if before is None:
            object.__delattr__(shell, _LEAVE)
        else:
            object.__setattr__(shell, _LEAVE, before)

    object.__setattr__(shell, _LEAVE, atexit_once)  # past traitlets
    return take_back


def kernel_log() -> logging.Logger:
    """Return the log of the kernel itself, which goes to the console of its server."""
    app = _kernel_app()
    log: logging.Logger = logging.getLogger("nbsession") if app is None else app.log
    return log


def under_voila() -> bool:
    """Whether this is a kernel that Voilà started; it says so in variables of its own."""
    return "VOILA_PREHEAT" in os.environ and _kernel_app() is not None
