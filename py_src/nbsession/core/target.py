"""What a task calls, and where it can be called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Home:
    """Where a global task can run: the worker of one environment and source folder.

    Attributes
    ----------
    python
        Path of the interpreter.
    folder
        Path of the folder that the callable's top module lies in; importable in the worker.
    setup
        Path of the setup script whose worker it is; None for the worker of notebooks' tasks.
    directory
        Path of the working directory; `folder` unless given.
    first_paths, last_paths
        What a notebook has added to `sys.path`, before the environment's own entries and after
        them.
    """

    python: str
    folder: str
    setup: str | None = None
    directory: str = ""
    first_paths: tuple[str, ...] = ()
    last_paths: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.directory:
            object.__setattr__(self, "directory", self.folder)

    def is_same(self, other: Home) -> bool:
        """Return whether a task in the other is the same as one here, wherever it runs."""
        return (self.python, self.folder, self.setup) == (other.python, other.folder, other.setup)

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return {
            "python": self.python,
            "folder": self.folder,
            "setup": self.setup,
            "directory": self.directory,
            "first_paths": list(self.first_paths),
            "last_paths": list(self.last_paths),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Home:
        """Read what `to_json` has written, also before there were directories."""
        return cls(
            data["python"],
            data["folder"],
            data["setup"],
            data.get("directory", ""),
            tuple(data.get("first_paths", ())),
            tuple(data.get("last_paths", ())),
        )


@dataclass(frozen=True, slots=True)
class Target:
    """A callable, by reference or itself.

    Attributes
    ----------
    kind
        ``"import"``: `module` and `qualname` find it. ``"setup"``: the setup script's worker holds
        it, under the task's name. ``"local"``: `callable` is it.
    module, qualname
        Where it was defined; shown as ``module:qualname``.
    callable
        Only with ``"local"``, and never part of the JSON.
    """

    kind: Literal["import", "setup", "local"]
    module: str
    qualname: str
    callable: Callable[..., Any] | None = None

    @property
    def label(self) -> str:
        """``module:qualname``, for people."""
        return f"{self.module}:{self.qualname}"

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads; without the callable itself."""
        return {"kind": self.kind, "module": self.module, "qualname": self.qualname}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Target:
        """Read what `to_json` has written."""
        return cls(data["kind"], data["module"], data["qualname"])
