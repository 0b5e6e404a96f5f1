"""The kind of this process, found out without importing what is not there yet."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_FOREIGN = {"xeus_python_shell": "xeus-python", "xpython": "xeus-python"}

_WEB_HOSTS = {
    **dict.fromkeys(("jupyverse", "fps", "fps-jupyterlab", "fps-notebook"), "jupyverse"),
    **dict.fromkeys(("jupyter-lab", "jupyterlab", "jupyter-labhub"), "JupyterLab"),
    **dict.fromkeys(("jupyter-notebook", "notebook", "jupyter-nbclassic"), "Jupyter Notebook"),
    **dict.fromkeys(("jupyter-server", "jupyter_server"), "Jupyter Server"),
    **dict.fromkeys(("jupyterhub-singleuser", "jupyterhub.singleuser"), "JupyterHub"),
    "jupyter-kernelgateway": "Jupyter Kernel Gateway",
    "jupyter-enterprisegateway": "Jupyter Enterprise Gateway",
    "voila": "Voilà",
}
"""Programs, and modules that Python runs, that serve notebooks to browsers, by their own names."""

_LEAVE = "_atexit_once"
"""IPython's method for the end of a terminal and of the process, whichever comes first."""


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
    """Return whether this process is an IPython kernel, and no child that was forked off one."""
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
        return None  # another kernel does not reveal it
    name = os.path.basename(app.connection_file)  # noqa: PTH119 - no pathlib for one name
    kernel_id = name.removeprefix("kernel-").removesuffix(".json")
    return kernel_id if name == f"kernel-{kernel_id}.json" and kernel_id else None


def running_shell() -> Any | None:
    """Return the IPython shell of this process, None if there is none."""
    module = sys.modules.get("IPython.core.getipython")
    return module.get_ipython() if module is not None else None


def is_terminal() -> bool:
    """Return whether this process is an IPython without a kernel around it."""
    shell = running_shell()
    return shell is not None and getattr(shell, "kernel", None) is None


def put_hook(entries: dict[str, Any], name: str, hook: Any) -> Callable[[], None]:
    """Put a hook among handlers, or an object's `vars`, past traitlets; return what takes it out.

    One that somebody else has wrapped meanwhile stays, and has to pass everything on.
    """
    had, before = name in entries, entries.get(name)
    entries[name] = hook

    def take_out() -> None:
        if entries.get(name) is not hook:
            return
        if had:
            entries[name] = before
        else:
            del entries[name]

    return take_out


def call_at_exit(callback: Callable[[], object]) -> Callable[[], None]:
    """Call when this process ends, while the user's names are there; returns what takes it back.

    A terminal empties the user's namespace when it is left, long before `atexit` has its turn.
    """
    shell = running_shell() if is_terminal() else None
    leave = getattr(shell, _LEAVE, None)
    if leave is None:
        atexit.register(callback)
        return lambda: atexit.unregister(callback)
    calls = [callback]

    def atexit_once() -> None:
        for call in calls:
            call()
        leave()

    take_out = put_hook(vars(shell), _LEAVE, atexit_once)

    def take_back() -> None:
        calls.clear()
        take_out()

    return take_back


def kernel_log() -> logging.Logger:
    """Return the log of the kernel itself, which goes to the console of its server."""
    app = _kernel_app()
    log: logging.Logger = logging.getLogger("nbsession") if app is None else app.log
    return log


def under_voila() -> bool:
    """Return whether this is a kernel that Voilà started; it sets variables of its own."""
    return "VOILA_PREHEAT" in os.environ and _kernel_app() is not None


def voila_version() -> str | None:
    """Return the version of the Voilà that started this kernel."""
    software = os.environ.get("SERVER_SOFTWARE", "") if under_voila() else ""
    found = re.match(r"voila/(\d+(?:\.\d+)*)", software)
    return found[1] if found else None


def web_host() -> str | None:
    """Return the name of the program that started this kernel for a browser.

    None for one that does not: a console, nbclient, another kernel.
    """
    if _kernel_app() is None or sys.platform == "emscripten":
        return None
    arguments = _command_line(os.getppid())[:4]
    # The program is the first one, or one that Python runs, with or without -m.
    paths = [each.removesuffix(".exe").replace("\\", "/") for each in arguments]
    programs = [path.rpartition("/")[2] for path in paths]
    return next((_WEB_HOSTS[each] for each in programs if each in _WEB_HOSTS), None)


def _command_line(pid: int) -> list[str]:
    with suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123 - no pathlib for one name
        return file.read().decode(errors="replace").split("\0")
    import psutil  # which costs 15 ms

    try:
        return list(psutil.Process(pid).cmdline())
    except psutil.Error:
        return []


def foreign_kernel() -> str | None:
    """Return the name of the kernel that this process is, if it is none of ipykernel's."""
    if _kernel_app() is not None or sys.platform == "emscripten":
        return None
    kernel = getattr(running_shell(), "kernel", None)
    return None if kernel is None else _FOREIGN.get(type(kernel).__module__.partition(".")[0], "")
