"""The callables of this worker: functions of modules, and those of the setup script."""

from __future__ import annotations

import importlib
import itertools
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from nbsession.core.callables import is_async, load_callable
from nbsession.core.tracebacks import error_text, traceback_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbsession.core.tasks.spec import TaskSpec

    from .channel import Channel


class Call(NamedTuple):
    """A callable and its arguments."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    is_async: bool


class Declared(NamedTuple):
    """A task as the setup script has declared it."""

    task: str
    module: str
    qualname: str
    call: Call
    at: Any


class Targets:
    """Finds callables, on any thread.

    Those of the setup script are stored by the task's id: one that has its last run before it may
    already have lost its name to another one.
    """

    def __init__(self, setup: str | None) -> None:
        self._setup = setup
        self._imported: dict[tuple[str, str], tuple[Callable[..., Any], bool]] = {}
        self._declared: dict[int, Declared] = {}
        self._unknown_ids = itertools.count(-1, -1)
        self._importing = threading.Lock()

    @property
    def declared(self) -> list[str]:
        """The names of the tasks that the setup script has declared."""
        return list({each.task: None for each in list(self._declared.values())})

    def declare(self, spec: TaskSpec, task_id: int) -> None:
        """Store the callables of a task of the setup script."""
        function = spec.target.callable
        if function is None:
            raise TypeError("a declaration of a setup script comes with its callable")
        self._declared[task_id or next(self._unknown_ids)] = Declared(
            spec.name,
            spec.target.module,
            spec.target.qualname,
            Call(function, spec.args, spec.kwargs, is_async(function)),
            None if spec.at_target is None else spec.at_target.callable,
        )

    def known(self, message: Mapping[str, Any]) -> Call | None:
        """Return the call of a run, if that takes no time."""
        target = message["target"]
        if target["kind"] == "setup":
            declared = self._find(message, target)
            return None if declared is None else declared.call
        found = self._imported.get((target["module"], target["qualname"]))
        return (
            None if found is None else Call(found[0], message["args"], message["kwargs"], found[1])
        )

    def load(self, message: Mapping[str, Any]) -> Call:
        """Return the call of a run; imports it if need be, which may take long."""
        call = self.known(message)
        if call is not None:
            return call
        target = message["target"]
        if target["kind"] == "setup":
            raise LookupError(
                f"{self._setup} does not declare the task {message['task']!r} any more"
            )
        function = self._import(target["module"], target["qualname"])
        if not callable(function):
            raise TypeError(f"{target['module']}:{target['qualname']} is no callable any more")
        self._imported[target["module"], target["qualname"]] = function, is_async(function)
        return Call(function, message["args"], message["kwargs"], is_async(function))

    def load_at(self, message: Mapping[str, Any]) -> Any:
        """Return the code of a task's trigger: a callable or an iterator. Raises as `load`."""
        target = message["at"]
        if target["kind"] == "setup":
            declared = self._find(message, message["target"])
            if declared is None or declared.at is None:
                raise LookupError(f"{self._setup} does not declare {message['task']!r} any more")
            return declared.at
        return self._import(target["module"], target["qualname"])

    def _import(self, module: str, qualname: str) -> Any:
        with self._importing:  # or two threads would find each other's half-imported modules
            importlib.invalidate_caches()  # a file may be newer than the last look at its folder
            return load_callable(module, qualname)

    def _find(self, message: Mapping[str, Any], target: Mapping[str, Any]) -> Declared | None:
        """Return the declaration of a task.

        One without its name was declared in an earlier worker, under another id: then it is the
        last one that this script has declared with the same name and a callable of that name.
        """
        declared = self._declared.get(message["of"])
        if declared is not None:
            return declared
        wanted = message["task"], target["module"], target["qualname"]
        alike = (each for each in reversed(list(self._declared.values())) if each[:3] == wanted)
        return next(alike, None)

    def forget(self, task_id: int) -> None:
        """Drop the callables of a task that was removed."""
        self._declared.pop(task_id, None)


class TriggerCode:
    """The callables and iterators that were given as `at`."""

    def __init__(self, channel: Channel, targets: Targets) -> None:
        self._channel = channel
        self._targets = targets
        self._iterated: dict[int, Any] = {}  # held, so that no other takes its id
        self._lock = threading.Lock()

    def answer(self, message: Mapping[str, Any]) -> None:
        """Call the code, and send its answer; in a thread, as it may take long."""
        answer: dict[str, Any] = {"op": "answered", "job": message["job"]}
        try:
            answer["value"] = self._next(message)
        except BaseException as error:  # noqa: BLE001 - the task's last error
            answer |= {"error": error_text(error), "traceback": traceback_text(error)}
        self._channel.send(answer)

    def _next(self, message: Mapping[str, Any]) -> int | None:
        from nbsession.core.schedule.instant import from_instant
        from nbsession.core.schedule.triggers import CodeTrigger, trigger_from_json

        trigger = trigger_from_json(message["trigger"])
        if not isinstance(trigger, CodeTrigger):
            raise TypeError(f"{message['trigger']!r} is no code")
        code = self._targets.load_at(message)
        if trigger.kind == "callable":
            return trigger.read_answer(code(from_instant(message["now"])))
        with self._lock:
            is_new = id(code) not in self._iterated
            self._iterated[id(code)] = code
        instant = trigger.read_answer(next(code, None))
        after = message["after"]
        # An iterator begins again in a fresh worker: what has run by then is not to run again.
        while is_new and instant is not None and after is not None and instant <= after:
            instant = trigger.read_answer(next(code, None))
        return instant
