"""Where the tasks that are scheduled in a worker are handed in."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nbsession.core.callable_reference import find_reference, name_of

from .board import ChannelBoard
from .setup_script import setup_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from nbsession.core.target import Target
    from nbsession.core.task_spec import TaskSpec
    from nbsession.scheduler.board import TaskBoard
    from nbsession.scheduler.declaration import Place
    from nbsession.scheduler.task import Task

    from .channel import Channel
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
    channel
        To the server.
    targets
        Keeps what the setup script declares.
    home
        Where the worker is, as the server said.
    """

    def __init__(self, channel: Channel, targets: Targets, home: Mapping[str, Any]) -> None:
        self._board = ChannelBoard(channel)
        self._targets = targets
        self._home = home
        self._is_setting_up = False
        self._declares = True

    @contextmanager
    def setting_up(self, *, declares: bool) -> Iterator[None]:
        """Take what is scheduled for the setup script's.

        Parameters
        ----------
        declares
            Whether the server is told. A process of a run's own needs only the callables.
        """
        self._is_setting_up, self._declares = True, declares
        try:
            yield
        finally:
            self._is_setting_up, self._declares = False, True

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
            home = Home.from_json(dict(self._home))
            return Place(self._kept(function), None if at is None else self._kept(at), home)
        target, folder = _imported("callback", function)
        at_target = None if at is None else _imported("at", at)[0]
        return Place(target, at_target, Home(self._home["python"], folder))

    def schedule(self, spec: TaskSpec, *, replace: bool) -> tuple[Task, str]:
        """Hand a declaration in; return the task and the outcome.

        Raises
        ------
        TypeError, ValueError
            If it cannot have processes of its own, as it asks for.
        TaskExistsError
            If the name is taken by a task that may not be replaced from here.
        """
        from nbsession.scheduler.task import Task

        data = spec.to_json()
        if spec.target.kind == "setup":
            self._check(spec)
            if not self._declares:
                self._targets.declare(spec)
                return Task(self._board, _undeclared(spec)), "same"
            data |= {"args": [], "kwargs": {}} if not spec.policies.process else {}
        scheduled = self._board.schedule(data, replace=replace)
        if spec.target.kind == "setup" and scheduled["outcome"] != "exists":
            self._targets.declare(spec)
        return Task(self._board, scheduled["task"]), scheduled["outcome"]

    def cancel(self, name: str, *, wait: bool) -> None:
        """Take a task off."""
        if self._declares:
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
        from nbsession.scheduler.json_arguments import json_args, json_kwargs

        json_args(spec.args)
        json_kwargs(spec.kwargs)
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


def _undeclared(spec: TaskSpec) -> Any:
    """Return a task of the setup script as one sees it that only looks for its callables."""
    return {
        "name": spec.name,
        "kernel_id": None,
        "state": "scheduled",
        "schedule": dict(spec.schedule),
        "callback": spec.target.label,
        "home": None,
        "owner": spec.owner,
        "policies": spec.policies.to_json(),
        "next_run": None,
        "last_run": None,
        "last_state": None,
        "last_error": None,
        "run_count": 0,
        "error_count": 0,
        "editable": True,
    }
