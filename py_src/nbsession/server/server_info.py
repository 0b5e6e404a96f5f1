"""The file with address and token of the server's link, which only its owner can read."""

from __future__ import annotations

import atexit
import json
import os
import secrets
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_core.paths import jupyter_runtime_dir

from nbsession.core.process import ForkGuard, is_alive

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX = "nbsession-"


def write_owner_file(facts: Mapping[str, Any]) -> Path:
    """Write a file that only this user can read, and that goes with this process."""
    folder = Path(jupyter_runtime_dir())
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_stale(folder)
    path = folder / f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}.json"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({**facts, "pid": os.getpid(), "host": socket.gethostname()}, file)
    atexit.register(ForkGuard().call, path.unlink, missing_ok=True)
    return path


def _remove_stale(folder: Path) -> None:
    """Remove the files of killed servers of this machine."""
    for path in folder.glob(f"{_PREFIX}*.json"):
        try:
            facts = json.loads(path.read_text())
            # A home directory may be shared with other machines, whose processes are not seen here.
            stale = facts["host"] == socket.gethostname() and not is_alive(facts["pid"])
        except (OSError, ValueError, LookupError, TypeError):
            continue
        if stale:
            path.unlink(missing_ok=True)
