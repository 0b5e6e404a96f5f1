"""Global tasks: asked of the server over the link."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote

from nbsession.core.errors import (
    LinkAnswerError,
    NoSuchTaskError,
    NotRunnableError,
    StoreError,
    TaskExistsError,
)
from nbsession.scheduler.api.declare import is_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nbsession.core.tasks.schema import RunsJSON, ScheduledJSON, TaskJSON
    from nbsession.kernel.link.client import Link

_NOT_FOUND = 404


class LinkBoard:
    """The server's tasks. Every method blocks until the server has answered."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def __eq__(self, other: object) -> bool:
        """Return whether both are the tasks of one server."""
        return isinstance(other, LinkBoard) and self._link is other._link

    def __hash__(self) -> int:
        return hash(self._link)

    def list(self) -> list[TaskJSON]:
        """Return every global task, in the order of names."""
        with _errors_of(""):
            tasks: list[TaskJSON] = self._link.get("tasks")["tasks"]
            return tasks

    def show(self, name: str, task_id: int | None = None) -> TaskJSON:
        """Return one task."""
        with _errors_of(name):
            path = _path(name) if task_id is None else f"{_path(name)}?id={task_id}"
            task: TaskJSON = self._link.get(path)
            return task

    def history(self, name: str, limit: int, task_id: int | None = None) -> RunsJSON:
        """Return runs as `Run.to_json` gives them, the newest first."""
        with _errors_of(name):
            path = f"{_path(name)}/runs?limit={limit}"
            path += "" if task_id is None else f"&id={task_id}"
            runs: RunsJSON = self._link.get(path)["runs"]
            return runs

    def run(self, run_id: int) -> dict[str, Any] | None:
        """Return a run by its id."""
        return self.wait_for_run(run_id, 0)

    def schedule(self, spec: Mapping[str, Any], *, replace: bool) -> ScheduledJSON:
        """Declare a task by its `TaskSpec.to_json`; idempotent by name."""
        with _errors_of(spec["name"]):
            scheduled: ScheduledJSON = self._link.post(
                "tasks", {"spec": dict(spec), "replace": replace}
            )
            return scheduled

    def cancel(self, name: str, *, wait: bool) -> None:
        """Take a task off; with `wait` after one more run."""
        self._order(name, "cancel", {"wait": wait})

    def pause(self, name: str) -> TaskJSON:
        """Let nothing be due until it is resumed."""
        task: TaskJSON = self._order(name, "pause", {})
        return task

    def resume(self, name: str) -> TaskJSON:
        """Go on: the next occurrence is the first one after now."""
        task: TaskJSON = self._order(name, "resume", {})
        return task

    def run_now(self, name: str) -> dict[str, Any]:
        """Run at once, by the task's overlap policy; return the run's row as it is now."""
        run: dict[str, Any] = self._order(name, "run", {})
        return run

    def wait_for_run(self, run_id: int, seconds: float) -> dict[str, Any] | None:
        """Return a run once it is final, or as it is after so long; None if it is unknown."""
        try:
            path = f"runs/{run_id}?seconds={seconds}"
            run: dict[str, Any] | None = self._link.get(path, seconds)
        except LinkAnswerError as error:
            if error.status == _NOT_FOUND:
                return None
            _raise(error, "")
        return run

    def _order(self, name: str, order: str, data: Mapping[str, Any]) -> Any:
        with _errors_of(name):
            return self._link.post(f"{_path(name)}/{order}", data)


def _path(name: str) -> str:
    if not is_name(name):  # '' would be the path of all tasks
        raise NoSuchTaskError(name)
    return f"tasks/{quote(name, safe='')}"


@contextmanager
def _errors_of(name: str) -> Iterator[None]:
    try:
        yield
    except LinkAnswerError as error:
        _raise(error, name)


def _raise(error: LinkAnswerError, name: str) -> NoReturn:
    """Raise what the server's board has raised."""
    match error.kind:
        case "no_such_task":
            raise NoSuchTaskError(name) from None
        case "task_exists":
            raise TaskExistsError(str(error)) from None
        case "not_runnable":
            raise NotRunnableError(name) from None
        case "store":
            raise StoreError(str(error)) from None
        case "bad_request":
            raise ValueError(str(error)) from None
    raise error
