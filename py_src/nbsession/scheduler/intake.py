"""Taking in what is declared: idempotent by name."""

from __future__ import annotations

from dataclasses import replace as copy_with
from typing import TYPE_CHECKING

from nbsession.core.errors import NoSuchTaskError, TaskExistsError
from nbsession.core.triggers import OnceTrigger

from .occurrences import first_due

if TYPE_CHECKING:
    from nbsession.core.clock import Clock
    from nbsession.core.task_spec import TaskSpec

    from .abc import Store
    from .engine_room import EngineRoom
    from .task_record import TaskRecord
    from .wire import Declared


class Intake:
    """Makes a task of a declaration, or finds that it is there already.

    Parameters
    ----------
    store, clock
        The engine's.
    room
        Which takes the tasks up.
    """

    def __init__(self, store: Store, clock: Clock, room: EngineRoom) -> None:
        self._store = store
        self._clock = clock
        self._room = room

    def take(self, spec: TaskSpec, replace: bool) -> tuple[TaskRecord, Declared]:
        """Declare a task; see `Engine.schedule`."""
        self._room.upkeep.hear_others()
        known = self._room.book.find(spec.name)
        if known is None:
            return self._add(spec, replace)
        is_own = spec.owner is not None and spec.owner == known.spec.owner
        is_finished = known.state == "finished"
        if known.spec.is_same(spec) and (not is_finished or (is_own and _is_past(spec))):
            return known, "same"
        if not (replace or is_own or is_finished):
            return known, "exists"
        goes_on = is_own and known.spec.schedule == spec.schedule
        if self._declare_anew(known, spec, goes_on=goes_on):
            return known, "replaced"
        self._room.gone(known)  # another engine has removed it just now
        return self._add(spec, replace)

    def remove_unread(self, name: str) -> None:
        """Remove a task that the store keeps, but cannot read here.

        Raises
        ------
        NoSuchTaskError
            If there is none.
        """
        if not self._store.remove_named(name):
            raise NoSuchTaskError(name)

    def _add(self, spec: TaskSpec, replace: bool) -> tuple[TaskRecord, Declared]:
        due_us, asks = first_due(spec, self._clock.now_us())
        outcome: Declared = "made"
        try:
            task = self._store.add(spec, due_us, asks=asks)
        except TaskExistsError:
            self._room.upkeep.hear_others()
            if self._room.book.find(spec.name) is not None:  # another engine was quicker
                return self.take(spec, replace)
            if not replace:
                raise TaskExistsError(
                    f"a task named {spec.name!r} is there, but cannot be read here (see the "
                    "server's log); replace=True replaces it"
                ) from None
            self._store.remove_named(spec.name)
            task, outcome = self._store.add(spec, due_us, asks=asks), "replaced"
        self._room.take_up(task)
        return task, outcome

    def _declare_anew(self, task: TaskRecord, spec: TaskSpec, *, goes_on: bool) -> bool:
        due_us, asks = first_due(spec, self._clock.now_us())
        if goes_on and task.state != "finished":  # on the grid of the first declaration
            spec = copy_with(spec, trigger=task.spec.trigger)
            due_us, asks = task.due_us, task.asks
        if task.paused:
            due_us, asks = None, False
        if not self._store.replace(task, spec, due_us, asks=asks):
            return False
        self._room.parked.pop(task.id, None)
        self._room.dispatch.alarm.unset()
        self._room.dispatch.plan(task)
        self._room.news.task(spec.name)
        return True


def _is_past(spec: TaskSpec) -> bool:
    """Return whether a task of this kind that has finished has nothing to do any more."""
    return isinstance(spec.trigger, OnceTrigger) and not spec.trigger.is_now
