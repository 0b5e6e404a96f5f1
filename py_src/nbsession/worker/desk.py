"""Where the tasks that are scheduled in a worker are handed in."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace as copy_with
from typing import TYPE_CHECKING, Any

from nbsession.core.callable_reference import directory_for, find_reference, name_of
from nbsession.core.errors import NoSuchTaskError

from .setup_script import setup_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from nbsession.core.target import Target
    from nbsession.core.task_spec import TaskSpec
    from nbsession.scheduler.board import TaskBoard
    from nbsession.scheduler.declaration import Place
    from nbsession.scheduler.task import Task
    from nbsession.scheduler.wire import TaskJSON

    from .board import ChannelBoard
    from .targets import Targets

_TEACHING = (
    "put it into a module in the folder of the setup script or notebook, and schedule it from "
    "there; or let the setup script itself schedule it, while it runs"
)


class WorkerDesk:
    """A `TaskDesk`.

    While the setup script runs, any callable will do: it stays here, under the task's name. Later,
    from a task, only what can be imported: the worker may be another one by the time it is due.

    Parameters
    ----------
    board
        The server's tasks.
    targets
        Keeps what the setup script declares.
    home
        Where the worker is, as the server said.
    """

    def __init__(self, board: ChannelBoard, targets: Targets, home: Mapping[str, Any]) -> None:
        self._board = board
        self._targets = targets
        self._home = home
        self._is_setting_up = False
        self._declared: dict[str, TaskSpec] = {}

    @contextmanager
    def setting_up(self) -> Iterator[None]:
        """Take what is scheduled for the setup script's."""
        self._is_setting_up = True
        try:
            yield
        finally:
            self._is_setting_up = False
            self._declared.clear()

    def place(self, function: Callable[..., Any], at: Any) -> Place:
        """Say where a task runs.

        Raises
        ------
        ValueError
            If it is scheduled by a task, and cannot be imported.
        """
        from nbsession.core.target import Home
        from nbsession.scheduler.declaration import Place

        if self._is_setting_up:
            home = Home.from_json(self._home)
            return Place(self._kept(function), None if at is None else self._kept(at), home)
        target, folder = _imported("callback", function)
        at_target = None if at is None else _imported("at", at)[0]
        own = Home.from_json(self._home)
        directory = directory_for(folder, self._home["root_dir"], own.directory)
        paths = own.first_paths, own.last_paths
        return Place(target, at_target, Home(own.python, folder, None, directory, *paths))

    def schedule(self, spec: TaskSpec, *, replace: bool) -> tuple[Task, str]:
        """Hand a declaration in; return the task and the outcome.

        Raises
        ------
        ValueError
            If it cannot have processes of its own, as it asks for.
        TaskExistsError
            If the name is taken by a task that may not be replaced from here.
        """
        from nbsession.scheduler.task import Task

        is_own = spec.target.kind == "setup"
        if is_own:
            self._check(spec)
            other = None if replace else self._declared_otherwise(spec)
            if other is not None:
                return Task(self._board, other), "exists"
        scheduled = self._board.schedule(spec.to_json(), replace=replace)
        if is_own and scheduled["outcome"] != "exists":
            self._declared[spec.name] = spec
            self._targets.declare(spec, scheduled["task"]["id"])
        return Task(self._board, scheduled["task"]), scheduled["outcome"]

    def _declared_otherwise(self, spec: TaskSpec) -> TaskJSON | None:
        """Return the task that this very script has made something else of before, if it is there.

        The server cannot tell that from what an earlier run of the script has declared.
        """
        before = self._declared.get(spec.name)
        if before is None or _is_same(before, spec):
            return None
        try:
            task = self._board.show(spec.name)
        except NoSuchTaskError:
            return None
        return None if task["state"] == "finished" else task

    def cancel(self, name: str, *, wait: bool) -> None:
        """Take a task off."""
        self._board.cancel(name, wait=wait)

    def boards(self) -> Sequence[TaskBoard]:
        """Return where there are tasks."""
        return (self._board,)

    def _kept(self, function: Any) -> Target:
        from nbsession.core.target import Target

        module, qualname = name_of(function)
        if module == "__main__":
            module = setup_name(self._home["setup"])
        return Target("setup", module, qualname, function)

    def _check(self, spec: TaskSpec) -> None:
        """Raise unless a process of a run's own, if there are any, can find the callable."""
        if not spec.policies.process:
            return
        target, function = spec.target, spec.target.callable
        is_own = target.module == setup_name(self._home["setup"]) and "<" not in target.qualname
        if not is_own and (function is None or find_reference(function) is None):
            message = (
                f"process=True needs a function that another process can find: {target.label} is a "
                "lambda, a closure or a method; define it at the top level of the setup script or "
                "of a module"
            )
            raise ValueError(message)


def _imported(what: str, function: Any) -> tuple[Target, str]:
    from nbsession.core.target import Target

    reference = find_reference(function)
    if reference is None:
        module, qualname = name_of(function)
        message = (
            f"a running task can schedule only what can be imported, which the {what} "
            f"{module}:{qualname} cannot: {_TEACHING}"
        )
        raise ValueError(message)
    return Target("import", reference.module, reference.qualname), reference.folder


def _is_same(before: TaskSpec, spec: TaskSpec) -> bool:
    """Return whether a script says the same again; a function is the one that has its name."""
    return _by_names(before).is_same(_by_names(spec))


def _by_names(spec: TaskSpec) -> TaskSpec:
    at = spec.at_target and copy_with(spec.at_target, callable=None)
    return copy_with(spec, target=copy_with(spec.target, callable=None), at_target=at)
