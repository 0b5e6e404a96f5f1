"""The user's source files: always read anew, and told to the server, which looks for edits."""

from __future__ import annotations

import os
import sys
import sysconfig
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NoReturn

from nbsession.scheduler.executors.worker_sources import stamp_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from _typeshed.importlib import PathEntryFinderProtocol

    from nbsession.scheduler.executors.worker_sources import Stamp

    OnRead = Callable[[str, Stamp | None], object]


def make_importable(home: Mapping[str, Any], on_read: OnRead) -> None:
    """Let modules of a folder be imported before any others, always from their source.

    The entries that a notebook has added to `sys.path` are where they are in the notebook: before
    those of the environment or after them.

    Python takes bytecode for fresh if the source has the same size and second of change: an edit
    right after a run would be missed.

    Parameters
    ----------
    home
        Where the worker is, as the server said.
    on_read
        Takes the path of each file that is read, and its stamp from before.
    """
    folders = [home["folder"], *home["first_paths"], *home["last_paths"]]

    class Loader(SourceFileLoader):
        def path_stats(self, path: str) -> Mapping[str, float]:
            _no_bytecode(path)

        def get_data(self, path: str) -> bytes:
            on_read(path, stamp_of(path))
            return super().get_data(path)

    hook = FileFinder.path_hook(
        (ExtensionFileLoader, EXTENSION_SUFFIXES),
        (Loader, SOURCE_SUFFIXES),
        (SourcelessFileLoader, BYTECODE_SUFFIXES),
    )

    def user_hook(path: str) -> PathEntryFinderProtocol:
        if not any(_is_users(path, folder) for folder in folders):
            raise ImportError(path)
        return hook(path)

    first, last = [home["folder"], *home["first_paths"]], home["last_paths"]
    sys.path[:] = dict.fromkeys([*first, *sys.path, *last])
    sys.path_hooks.insert(0, user_hook)
    sys.path_importer_cache.clear()


def _no_bytecode(path: str) -> NoReturn:
    raise OSError(path)  # as `SourceLoader.path_stats` says of what it cannot tell


def _is_users(path: str, folder: str) -> bool:
    """Return whether a path is in the folder, and not of an environment that may lie there too."""
    absolute = os.path.abspath(path)  # noqa: PTH100 - for every entry of sys.path
    if absolute != folder and not absolute.startswith(os.path.join(folder, "")):  # noqa: PTH118
        return False
    places = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return "site-packages" not in PurePath(absolute).parts and not any(
        absolute == place or absolute.startswith(os.path.join(place, ""))  # noqa: PTH118
        for place in places
    )
