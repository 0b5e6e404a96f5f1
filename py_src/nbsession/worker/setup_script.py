"""Running a setup script."""

from __future__ import annotations

import sys
from pathlib import PurePath
from types import ModuleType
from typing import TYPE_CHECKING

from nbsession.scheduler.executors.worker_sources import stamp_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbsession.scheduler.executors.worker_sources import Stamp


def setup_name(path: str) -> str:
    """Return what the functions of a setup script are shown under: its name without suffix."""
    return PurePath(path).stem


def run_setup(path: str, on_read: Callable[[str, Stamp | None], object]) -> None:
    """Run a script as Python runs one: as ``__main__``. Its functions outlive the call.

    Parameters
    ----------
    path
        Absolute path.
    on_read
        Takes the path, and the file's stamp from before it is read.

    Raises
    ------
    Exception
        If it cannot be read or compiled, and whatever it raises; ``sys.exit()`` is its end.
    """
    from io import open_code

    on_read(path, stamp_of(path))
    with open_code(path) as file:
        source = file.read()
    module = ModuleType("__main__")
    module.__file__ = path
    sys.modules["__main__"] = module
    sys.argv[:] = [path]
    try:
        exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - the user's script
    except SystemExit as error:
        if error.code not in (None, 0):
            raise RuntimeError(
                f"the script has ended itself by sys.exit({error.code!r})"
            ) from error
