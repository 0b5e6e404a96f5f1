"""Running a setup script, and importing the modules of its folder."""

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
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from nbsession.scheduler.workers.sources import stamp_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from _typeshed.importlib import PathEntryFinderProtocol

    from nbsession.scheduler.workers.sources import Stamp

    OnRead = Callable[[str, Stamp | None], object]


def setup_name(path: str) -> str:
    """Return the module name under which a setup script's functions are shown."""
    return PurePath(path).stem


def _ignore(_path: str, _stamp: Stamp | None) -> None:
    pass


def run_setup(path: str, on_read: OnRead = _ignore) -> None:
    """Run a script as Python runs one: as ``__main__``. Its functions outlive the call."""
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
            message = f"the script has ended itself by sys.exit({error.code!r})"
            raise RuntimeError(message) from error


def make_importable(home: Mapping[str, Any], on_read: OnRead = _ignore) -> None:
    """Let modules of a folder be imported before any others, always from their source.

    The entries that a notebook has added to `sys.path` are where they are in the notebook: before
    those of the environment or after them.

    Python takes bytecode for fresh if the source has the same size and second of change: an edit
    right after a run would be missed.
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
        if not any(_is_user_folder(path, folder) for folder in folders):
            raise ImportError(path)
        return hook(path)

    first, last = [home["folder"], *home["first_paths"]], home["last_paths"]
    sys.path[:] = dict.fromkeys([*first, *sys.path, *last])
    sys.path_hooks.insert(0, user_hook)
    sys.path_importer_cache.clear()


def _no_bytecode(path: str) -> NoReturn:
    raise OSError(path)  # as `SourceLoader.path_stats` does where there is no information


def _is_user_folder(path: str, folder: str) -> bool:
    """Return whether a path is in the folder, but not of an environment that is there too."""
    absolute = os.path.abspath(path)  # noqa: PTH100 - for every entry of sys.path
    if absolute != folder and not absolute.startswith(os.path.join(folder, "")):  # noqa: PTH118
        return False
    places = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return "site-packages" not in PurePath(absolute).parts and not any(
        absolute == place or absolute.startswith(os.path.join(place, ""))  # noqa: PTH118
        for place in places
    )
