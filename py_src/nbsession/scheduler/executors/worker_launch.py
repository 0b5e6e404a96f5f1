"""Starting the process of a worker, and saying why it could not start or has ended."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from nbsession.core.version import __version__

if TYPE_CHECKING:
    from nbsession.core.target import Home


async def launch_worker(
    python: str, home: Home, descriptors: list[int], output: int
) -> asyncio.subprocess.Process:
    """Start a worker.

    Parameters
    ----------
    python
        The interpreter.
    home
        Where it is.
    descriptors
        Its end of the socket pair, and others that it is to have.
    output
        Descriptor of what it writes past Python to.

    Raises
    ------
    OSError
        If it cannot be started.
    """
    return await asyncio.create_subprocess_exec(
        python,
        "-P",
        "-m",
        "nbsession.worker",
        str(descriptors[0]),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=descriptors,
        cwd=home.directory,
        start_new_session=True,  # Ctrl-C at the server is not for it
    )


def start_problem(python: str, home: Home, error: Exception) -> str:
    """Say why a worker could not be started."""
    for folder in (home.folder, home.directory):
        if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises for what cannot be reached
            return f"the folder {folder} is not there (any more)"
    return (
        f"no worker can be started with {python}: {error}; it is the interpreter of the "
        "kernel that has scheduled the task, unless NBSession.worker_python sets another one"
    )


def end_problem(python: str, code: int, output: str, *, was_ready: bool) -> str:
    """Say how a worker has ended.

    Parameters
    ----------
    python
        Its interpreter.
    code
        Of its exit, the negative number of a signal.
    output
        What it has written last.
    was_ready
        Whether it had started well.
    """
    if not was_ready and "No module named" in output and "nbsession" in output:
        return (
            f"{python} has no nbsession that could run tasks; install this server's version there: "
            f"{python} -m pip install nbsession=={__version__}"
        )
    how = f"the worker ended with exit code {code}"
    if code < 0:
        with suppress(ValueError):
            how = f"the worker was ended by {signal.Signals(-code).name}"
    return how if was_ready else f"{how} at its start: {output}"
