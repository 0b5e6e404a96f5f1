"""Scheduling in a worker: which tasks a setup script and a running task may declare."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace as copy_with
from typing import TYPE_CHECKING, Any

from nbsession.core.callables import directory_for, find_reference, name_of
from nbsession.core.errors import NoSuchTaskError
from nbsession.core.tasks.run import Run

from .user_code import setup_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from nbsession.core.tasks.schema import TaskJSON
    from nbsession.core.tasks.spec import Target, TaskSpec
    from nbsession.scheduler.api.declare import Place
    from nbsession.scheduler.api.service import TaskService
    from nbsession.scheduler.api.task import Task

    from .callables import Targets

_REMEDY = (
    "put it into a module in the folder of the setup script or notebook, and schedule it from "
    "there; or let the setup script itself schedule it, while it runs"
)


class WorkerTaskRouter:
    """A `TaskRouter`.

    While the setup script runs, any callable will do: it stays here, under the task's name. Later,
    from a task, only what can be imported: the worker may be another one by the time it is due.
    """

    def __init__(self, service: TaskService, targets: Targets, home: Mapping[str, Any]) -> None:
        self._service = service
        self._targets = targets
        self._home = home
        self._is_setting_up = False
        self._declared: dict[str, TaskSpec] = {}

    @contextmanager
    def setting_up(self) -> Iterator[None]:
        """Treat tasks that are scheduled meanwhile as the setup script's."""
        self._is_setting_up = True
        try:
            yield
        finally:
            self._is_setting_up = False
            self._declared.clear()

    def place(self, function: Callable[..., Any], at: Any) -> Place:
        from nbsession.core.tasks.spec import Home
        from nbsession.scheduler.api.declare import Place

        home = Home.from_json(self._home)
        if self._is_setting_up:
            return Place(self._local(function), None if at is None else self._local(at), home)
        target, folder = _imported("callback", function)
        at_target = None if at is None else _imported("at", at)[0]
        directory = directory_for(folder, self._home["root_dir"], home.directory)
        return Place(
            target, at_target, copy_with(home, folder=folder, setup=None, directory=directory)
        )

    def schedule(self, spec: TaskSpec, *, replace: bool) -> tuple[Task, str]:
        from nbsession.scheduler.api.task import Task

        is_own = spec.target.kind == "setup"
        if is_own:
            self._check(spec)
            other = None if replace else self._declared_otherwise(spec)
            if other is not None:
                return Task(self._service, other), "exists"
        scheduled = self._service.schedule(spec.to_json(), replace=replace)
        if is_own and scheduled["outcome"] != "exists":
            self._declared[spec.name] = spec
            self._targets.declare(spec, scheduled["task"]["id"])
        return Task(self._service, scheduled["task"]), scheduled["outcome"]

    def _declared_otherwise(self, spec: TaskSpec) -> TaskJSON | None:
        """Return the task that this very script has made something else of before, if it is there.

        The server cannot tell that from what an earlier run of the script has declared.
        """
        before = self._declared.get(spec.name)
        # A function is the one that has its name.
        if before is None or _by_names(before).is_same(_by_names(spec)):
            return None
        try:
            task = self._service.show(spec.name)
        except NoSuchTaskError:
            return None
        return None if task["state"] == "finished" else task

    def cancel(self, name: str, *, wait: bool) -> None:
        self._service.cancel(name, wait=wait)

    def services(self) -> Sequence[TaskService]:
        return (self._service,)

    def _local(self, function: Any) -> Target:
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
            raise ValueError(
                f"process=True needs a function that another process can find: {target.label} is a "
                "lambda, a closure or a method; define it at the top level of the setup script or "
                "of a module"
            )


def _imported(what: str, function: Any) -> tuple[Target, str]:
    from nbsession.core.tasks.spec import Target

    reference = find_reference(function)
    if reference is None:
        module, qualname = name_of(function)
        raise ValueError(
            f"a running task can schedule only what can be imported, which the {what} "
            f"{module}:{qualname} cannot: {_REMEDY}"
        )
    return Target("import", reference.module, reference.qualname), reference.folder


def _by_names(spec: TaskSpec) -> TaskSpec:
    at = spec.at_target and copy_with(spec.at_target, callable=None)
    return copy_with(spec, target=copy_with(spec.target, callable=None), at_target=at)


_REASON = "the script is only being loaded, for a run in a process of its own"


class LoadingCall:
    """Calls of a `RemoteTaskService` that change nothing while the setup script is loaded again.

    The script has declared its tasks in the worker; in a run's own process it only defines them.
    """

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call
        self._is_loading = False
        self._declared: dict[str, TaskJSON] = {}
        self._cancelled: set[str] = set()

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Change nothing meanwhile."""
        self._is_loading = True
        try:
            yield
        finally:
            self._is_loading = False
            self._declared.clear()
            self._cancelled.clear()

    def __call__(self, verb: str, *args: Any, **options: Any) -> Any:
        """Return the answer to a request."""
        if not self._is_loading or verb in {"list", "run", "wait_for_run"}:
            return self._call(verb, *args, **options)
        match verb:
            case "schedule":
                return {"outcome": "same", "task": self._declare(*args)}
            case "cancel":
                self._declared.pop(args[0], None)
                self._cancelled.add(args[0])
                return None
            case "run_now":
                return Run(id=0, task=args[0], state="skipped", reason=_REASON).to_json()
            case "history":
                return self._read("history", *args)
        return self._read("show", *args)  # also for `pause` and `resume`

    def _declare(self, spec: Mapping[str, Any]) -> TaskJSON:
        from nbsession.core.tasks.schema import task_json
        from nbsession.core.tasks.spec import TaskSpec

        declared = TaskSpec.from_json(spec)
        self._cancelled.discard(declared.name)
        task = self._declared[declared.name] = task_json(declared)
        return task

    def _read(self, verb: str, name: str, *args: Any) -> Any:
        """Return what the server has; of a task that was removed since, what was declared."""
        if verb == "show" and name in self._cancelled:
            raise NoSuchTaskError(name)
        try:
            return self._call(verb, name, *args)
        except NoSuchTaskError:
            if name not in self._declared:
                raise
            return self._declared[name] if verb == "show" else []
