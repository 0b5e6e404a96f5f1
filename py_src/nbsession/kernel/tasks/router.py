"""Decides where a task of a notebook runs: on the server, or in the kernel itself."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from nbsession.core.callables import directory_for, find_reference, name_of
from nbsession.core.environment import starting_directory
from nbsession.core.errors import LinkError, NoSuchTaskError
from nbsession.core.tasks.spec import Home, Target
from nbsession.kernel.runtime.process import under_voila
from nbsession.scheduler.api.declare import Place, is_name
from nbsession.scheduler.api.remote import HTTPCall, RemoteTaskService
from nbsession.scheduler.api.task import Task

from .executor import TaskCode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nbsession.core.callables import CallableReference
    from nbsession.core.tasks.spec import TaskSpec
    from nbsession.kernel.link.session_info import Session
    from nbsession.scheduler.api.service import TaskService

    from .hosted import KernelTasks

FINISHED = "finished"
_MAX_PATHS = 40


class KernelTaskRouter:
    """The `TaskRouter` of a kernel; keeps the names of its own tasks and the server's apart."""

    def __init__(
        self,
        session: Session,
        find_own: Callable[[], KernelTasks | None],
        own: Callable[[], KernelTasks],
    ) -> None:
        self._session = session
        self._find_own = find_own
        self._own = own

    def place(self, function: Callable[..., Any], at: Any) -> Place:
        if self._session.process.is_forked:
            raise RuntimeError(
                "a process forked off a kernel cannot schedule tasks: its parent's loop does not "
                "run here; schedule in the parent"
            )
        if self._server() is not None:
            code = find_reference(function)
            at_code = None if at is None else find_reference(at)
            folder = _folder_of(code, at_code, has_at=at is not None)
            if code is not None and folder is not None:
                at_target = None if at_code is None else _import_target(at_code)
                return Place(_import_target(code), at_target, self._home(code.folder, folder))
            self._check_kernel_stays(_reason(function, code, at, at_code))
        context = self._own().context()
        at_target = None if at is None else TaskCode.target(at, context)
        return Place(TaskCode.target(function, context), at_target, None)

    def _home(self, own_folder: str, folder: str) -> Home:
        """Return where a task runs whose callback is in one folder, and all of it in another."""
        root = self._session.info("server").root_dir
        directory = directory_for(own_folder, root, _starting_directory())
        return Home(sys.executable, folder, None, directory, *_added_paths())

    def schedule(self, spec: TaskSpec, *, replace: bool) -> tuple[Task, str]:
        server, mine = self._server(), self._own_task(spec.name)
        if spec.home is None or server is None:
            if mine is None or mine.state == FINISHED:  # else it has the name already
                self._check_is_free(spec.name, server)
            own = self._own()
            known, outcome = own.declare(spec, replace=replace)
            return Task(own, known), outcome
        if mine is not None and mine.state != FINISHED and not replace:
            return mine, "exists"
        scheduled = server.schedule(spec.to_json(), replace=replace)
        if mine is not None:
            mine.cancel()
        return Task(server, scheduled["task"]), scheduled["outcome"]

    def cancel(self, name: str, *, wait: bool) -> None:
        if not is_name(name):
            raise NoSuchTaskError(name)
        for service in self.services():
            try:
                service.cancel(name, wait=wait)
            except NoSuchTaskError:
                continue
            return
        raise NoSuchTaskError(name)

    def services(self) -> Sequence[TaskService]:
        found: tuple[TaskService | None, ...] = (self._find_own(), self._server())
        return [service for service in found if service is not None]

    def _server(self) -> RemoteTaskService | None:
        link = self._session.link
        return RemoteTaskService(HTTPCall(link)) if link is not None and link.usable else None

    def _own_task(self, name: str) -> Task | None:
        own = self._find_own()
        try:
            return None if own is None else Task(own, own.show(name))
        except NoSuchTaskError:
            return None

    @staticmethod
    def _check_is_free(name: str, server: RemoteTaskService | None) -> None:
        if server is None:
            return
        try:
            known = server.show(name)
        except (NoSuchTaskError, LinkError):  # a server that has ended holds no names
            return
        if known["state"] == FINISHED:
            return
        raise ValueError(
            f"a global task is named {name!r}, and this one would run in this kernel only: give it "
            "another name, cancel the global one, or put its callback into a module"
        )

    def _check_kernel_stays(self, reason: str) -> None:
        request = self._session.info("server").request
        if under_voila() or (request is not None and request.host_kind == "voila"):
            raise RuntimeError(
                f"{reason}, and on a page of Voilà the kernel, which could host the task, ends "
                "with the visit: put the callback and an `at` that is code into one module, as "
                "functions, and import them, or schedule the task in the server's setup script "
                "(--NBSession.setup=tasks.py); for this visit only there is "
                "state.add_periodic_callback"
            )


def _reason(
    function: Callable[..., Any], code: CallableReference | None, at: Any, at_code: object
) -> str:
    """Say why no worker can import all of a task's code."""
    if code is not None and at_code is not None:
        return f"no one folder has both the callback {_label(function)} and the `at` {_label(at)}"
    what, found = ("callback", function) if code is None else ("`at`", at)
    is_own = name_of(found)[0] == "__main__"
    why = "is defined in the notebook" if is_own else "cannot be imported"
    return f"the {what} {_label(found)} {why}"


def _label(code: object) -> str:
    return ":".join(name_of(code))


def _import_target(code: CallableReference) -> Target:
    return Target("import", code.module, code.qualname)


def _folder_of(
    code: CallableReference | None, at_code: CallableReference | None, *, has_at: bool
) -> str | None:
    """Return the one folder from which a worker can import all of a task's code."""
    if code is None or (has_at and at_code is None):
        return None
    if at_code is None or at_code.folder == code.folder or _is_installed(at_code.folder):
        return code.folder
    return at_code.folder if _is_installed(code.folder) else None


def _is_installed(folder: str) -> bool:
    """Return whether every process of this environment can import from a folder."""
    import sysconfig

    return folder in sysconfig.get_paths().values()


def _starting_directory() -> str:
    """Return the directory that this process has started in: that of the notebook."""
    return str(getattr(_shell(), "starting_dir", starting_directory))


def _added_paths() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the notebook's own entries of `sys.path`, before the environment and after it."""
    first: dict[str, None] = {}
    last: dict[str, None] = {}
    added = first
    for entry in tuple(sys.path):
        if entry == "" or type(entry) is not str:  # "" is the current directory
            continue
        # A relative one is what it was when something was first looked for there.
        finder = sys.path_importer_cache.get(entry)
        path = os.path.abspath(getattr(finder, "path", entry))  # noqa: PTH100 - for every entry of sys.path
        if not os.path.exists(path):  # noqa: PTH110 - as above
            continue
        if _is_own(path):
            added = last
        else:
            added.setdefault(path)
    return tuple(first)[:_MAX_PATHS], tuple(last)[:_MAX_PATHS]


def _is_own(path: str) -> bool:
    """Return whether an interpreter of this environment has a path by itself."""
    import sysconfig

    stdlib = os.path.join(sysconfig.get_path("stdlib"), "")  # noqa: PTH118 - as above
    known = path.startswith(stdlib) or _is_installed(path) or _is_ipython(path)
    return known or path in _interpreter_paths()


def _is_ipython(path: str) -> bool:
    own = str(getattr(_shell(), "ipython_dir", ""))
    return own != "" and (path == own or path.startswith(own + os.sep))


def _shell() -> Any:
    """Return IPython's shell; None in a plain process."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


@functools.cache
def _interpreter_paths() -> frozenset[str]:
    """Return those of a fresh interpreter: this one's before the first cell are not known."""
    command = [sys.executable, "-P", "-c", "import json, sys; print(json.dumps(sys.path))"]
    try:
        result = subprocess.run(  # noqa: S603 - our own interpreter
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=True
        )
        paths = json.loads(result.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        paths = sys.path  # then nothing is taken along
    return frozenset(map(os.path.abspath, paths))
