"""Notes which of nbsession's files run functions, in every Python process of a journey.

`TRACED_INTO` is a folder. Its link `journey` names the journey that is under way; each process adds
the files to a file of its own there. What a module does while it is imported does not count.
"""

from __future__ import annotations

import os
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_OPTIMIZED = 1  # inspect.CO_OPTIMIZED: of functions, neither of modules nor of class bodies
_FOLDER = os.environ["TRACED_INTO"]
_PACKAGE = str(Path(find_spec("nbsession").origin).parent) + os.sep  # type: ignore[union-attr, arg-type]

_noted: set[tuple[int, str, str]] = set()


def _note(frame: FrameType, event: str, _argument: object) -> None:
    code = frame.f_code
    if event != "call" or not code.co_flags & _OPTIMIZED:
        return
    if not code.co_filename.startswith(_PACKAGE):
        return
    try:
        journey = os.readlink(os.path.join(_FOLDER, "journey"))  # noqa: PTH115, PTH118 - called often
    except OSError:
        return
    entry = (os.getpid(), journey, code.co_filename)  # a fork writes a file of its own
    if entry in _noted:
        return
    _noted.add(entry)
    with open(os.path.join(_FOLDER, f"{entry[0]}.txt"), "a") as file:  # noqa: PTH118, PTH123 - as above
        file.write(f"{journey} {code.co_filename.removeprefix(_PACKAGE)}\n")


threading.setprofile(_note)
sys.setprofile(_note)
