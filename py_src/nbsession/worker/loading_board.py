"""The server's tasks, for a process that loads a setup script only to find one function."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nbsession.core.errors import NoSuchTaskError
from nbsession.core.run import Run

from .board import ChannelBoard

if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterator, Mapping

    from nbsession.scheduler.wire import ScheduledJSON, TaskJSON

    from .channel import Channel

_REASON = "the script is only being loaded, for a run in a process of its own"


class LoadingBoard(ChannelBoard):
    """A `TaskBoard` that takes no orders while the script runs, which has given them once.

    Parameters
    ----------
    channel
        To the worker, which passes everything on.
    """

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
