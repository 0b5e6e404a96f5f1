"""Where the database of a server lies, and whose it is."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from pathlib import Path

from nbsession.core.errors import StoreError

_READABLE_CHARACTERS = 40


def database_path(data_dir: Path, root_dir: Path) -> Path:
    """Return where the tasks of a root directory are kept.

    Parameters
    ----------
    data_dir
        Jupyter's data directory, as its `jupyter_data_dir` says.
    root_dir
        The folder that the server serves. Two names of one folder give one path.
    """
    root = os.path.realpath(root_dir)
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:12]
    readable = re.sub(r"[^A-Za-z0-9_.]+", "-", Path(root).name)[:_READABLE_CHARACTERS].strip("-.")
    return data_dir / "nbsession" / "tasks" / f"{readable or 'root'}-{digest}.sqlite"


def make_place(path: Path) -> None:
    """Make the database's folder and, empty, its file, for nobody but their owner.

    What is there already keeps its permissions: a file may be shared on purpose.

    Raises
    ------
    StoreError
        If that cannot be done.
    """
    try:
        folders = (path.parent, *path.parent.parents)
        for folder in reversed([folder for folder in folders if not folder.exists()]):
            folder.mkdir(mode=0o700, exist_ok=True)  # with `parents` only the last gets the mode
        # Never opened when it is there: to close it would drop this process's locks on it.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise StoreError(
            f"the tasks cannot be kept in {path}: {error.strerror or error}; let its folder be "
            "written to, or name another file with NBSession.database"
        ) from error
    if not path.is_file():
        raise StoreError(
            f"the tasks cannot be kept in {path}, which is no file; name one with "
            "NBSession.database"
        )
