"""Where the tasks that are scheduled in a worker are handed in."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace as copy_with
from typing import TYPE_CHECKING, Any, cast

from nbsession.core.callables import directory_for, find_reference, name_of
from nbsession.core.errors import NoSuchTaskError
from nbsession.core.tasks.run import Run

from .user_code import setup_name

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from nbsession.core.tasks.schema import ScheduledJSON, TaskJSON
    from nbsession.core.tasks.spec import Target, TaskSpec
    from nbsession.scheduler.api.declare import Place
    from nbsession.scheduler.api.service import TaskBoard
    from nbsession.scheduler.api.task import Task

    from .callables import Targets
    from .channel import Channel

_TEACHING = (
    "put it into a module in the folder of the setup script or notebook, and schedule it from "
    "there; or let the setup script itself schedule it, while it runs"
)


class WorkerDesk:
    """A `TaskDesk`.

    While the setup script runs, any callable will do: it stays here, under the task's name. Later,
    from a task, only what can be imported: the worker may be another one by the time it is due.
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
        """Say where a task runs."""
        from nbsession.core.tasks.spec import Home
        from nbsession.scheduler.api.declare import Place

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
        """Hand a declaration in; return the task and the outcome."""
        from nbsession.scheduler.api.task import Task

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
        from nbsession.core.tasks.spec import Target

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
    from nbsession.core.tasks.spec import Target

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


class ChannelBoard:
    """A `TaskBoard` at the other end of the channel. Blocks for a server's turn, on any thread."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def list(self) -> list[TaskJSON]:
        """Return every task that holds its name, in the order of names."""
        return cast("list[TaskJSON]", self._channel.ask("list"))

    def show(self, name: str, task_id: int | None = None) -> TaskJSON:
        """Return one task."""
        return cast("TaskJSON", self._channel.ask("show", name, task_id))

    def history(
        self, name: str, limit: int, task_id: int | None = None
    ) -> builtins.list[dict[str, Any]]:
        """Return runs as `Run.to_json` gives them, the newest first."""
        return cast("list[dict[str, Any]]", self._channel.ask("history", name, limit, task_id))

    def run(self, run_id: int) -> dict[str, Any] | None:
        """Return a run by its id."""
        return cast("dict[str, Any] | None", self._channel.ask("run", run_id))

    def schedule(self, spec: Mapping[str, Any], *, replace: bool) -> ScheduledJSON:
        """Declare a task by its `TaskSpec.to_json`; idempotent by name."""
        return cast("ScheduledJSON", self._channel.ask("schedule", dict(spec), replace=replace))

    def cancel(self, name: str, *, wait: bool) -> None:
        """Take a task off; with `wait` after one more run."""
        self._channel.ask("cancel", name, wait=wait)

    def pause(self, name: str) -> TaskJSON:
        """Let nothing be due until it is resumed."""
        return cast("TaskJSON", self._channel.ask("pause", name))

    def resume(self, name: str) -> TaskJSON:
        """Go on: the next occurrence is the first one after now."""
        return cast("TaskJSON", self._channel.ask("resume", name))

    def run_now(self, name: str) -> dict[str, Any]:
        """Run at once, by the task's overlap policy; return the run's row as it is now."""
        return cast("dict[str, Any]", self._channel.ask("run_now", name))

    def wait_for_run(self, run_id: int, seconds: float) -> dict[str, Any] | None:
        """Return a run once it is final, or as it is after so long; None if it is unknown."""
        answer = self._channel.ask("wait_for_run", run_id, seconds)
        return cast("dict[str, Any] | None", answer)


_REASON = "the script is only being loaded, for a run in a process of its own"


class LoadingBoard(ChannelBoard):
    """A `TaskBoard` that takes no orders while the script runs, which has given them once."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel)
        self._is_loading = False
        self._declared: dict[str, TaskJSON] = {}
        self._cancelled: set[str] = set()

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Take no orders meanwhile."""
        self._is_loading = True
        try:
            yield
        finally:
            self._is_loading = False
            self._declared.clear()
            self._cancelled.clear()

    def show(self, name: str, task_id: int | None = None) -> TaskJSON:
        """Return one task; if it has gone since it was declared, as it was then."""
        if name in self._cancelled:
            raise NoSuchTaskError(name)
        try:
            return super().show(name, task_id)
        except NoSuchTaskError:
            if name not in self._declared:
                raise
            return self._declared[name]

    def history(
        self, name: str, limit: int, task_id: int | None = None
    ) -> builtins.list[dict[str, Any]]:
        """Return runs as `Run.to_json` gives them, the newest first."""
        try:
            return super().history(name, limit, task_id)
        except NoSuchTaskError:
            if name not in self._declared:
                raise
            return []

    def schedule(self, spec: Mapping[str, Any], *, replace: bool) -> ScheduledJSON:
        """Declare a task by its `TaskSpec.to_json`; idempotent by name."""
        if not self._is_loading:
            return super().schedule(spec, replace=replace)
        self._cancelled.discard(spec["name"])
        task = self._declared[spec["name"]] = _as_declared(spec)
        return {"outcome": "same", "task": task}

    def cancel(self, name: str, *, wait: bool) -> None:
        """Take a task off; with `wait` after one more run."""
        if self._is_loading:
            self._declared.pop(name, None)
            self._cancelled.add(name)
        else:
            super().cancel(name, wait=wait)

    def pause(self, name: str) -> TaskJSON:
        """Let nothing be due until it is resumed."""
        return self.show(name) if self._is_loading else super().pause(name)

    def resume(self, name: str) -> TaskJSON:
        """Go on: the next occurrence is the first one after now."""
        return self.show(name) if self._is_loading else super().resume(name)

    def run_now(self, name: str) -> dict[str, Any]:
        """Run at once, by the task's overlap policy; return the run's row as it is now."""
        if self._is_loading:
            return Run(id=0, task=name, state="skipped", reason=_REASON).to_json()
        return super().run_now(name)


def _as_declared(spec: Mapping[str, Any]) -> TaskJSON:
    return {
        "id": 0,
        "name": spec["name"],
        "kernel_id": None,
        "state": "scheduled",
        "schedule": spec["schedule"],
        "callback": f"{spec['target']['module']}:{spec['target']['qualname']}",
        "home": spec["home"],
        "owner": spec["home"]["setup"],
        "policies": spec["policies"],
        "next_run": None,
        "last_run": None,
        "last_state": None,
        "last_error": None,
        "ended_by": None,
        "run_count": 0,
        "error_count": 0,
        "editable": True,
        "run": None,
    }
