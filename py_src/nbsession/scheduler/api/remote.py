"""The task service of another process, and the requests to it over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from nbsession.core.errors import LinkAnswerError, NoSuchTaskError, error_from

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbsession.core.tasks.schema import RunsJSON, ScheduledJSON, TaskJSON

# The answers are JSON of another process.
# mypy: disable-error-code="no-any-return"


class RemoteTaskService:
    """The `TaskService` of another process; every method blocks until that has answered."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __eq__(self, other: object) -> bool:
        """Return whether both are the tasks of one process."""
        return isinstance(other, RemoteTaskService) and self._call == other._call

    def __hash__(self) -> int:
        return hash(self._call)

    def list(self) -> list[TaskJSON]:
        return self._call("list")

    def show(self, name: str, task_id: int | None = None) -> TaskJSON:
        return self._call("show", name, task_id)

    def history(self, name: str, limit: int, task_id: int | None = None) -> RunsJSON:
        return self._call("history", name, limit, task_id)

    def run(self, run_id: int) -> dict[str, Any] | None:
        return self._call("run", run_id)

    def schedule(self, spec: Mapping[str, Any], *, replace: bool) -> ScheduledJSON:
        return self._call("schedule", dict(spec), replace=replace)

    def cancel(self, name: str, *, wait: bool) -> None:
        self._call("cancel", name, wait=wait)

    def pause(self, name: str) -> TaskJSON:
        return self._call("pause", name)

    def resume(self, name: str) -> TaskJSON:
        return self._call("resume", name)

    def run_now(self, name: str) -> dict[str, Any]:
        return self._call("run_now", name)

    def wait_for_run(self, run_id: int, seconds: float) -> dict[str, Any] | None:
        return self._call("wait_for_run", run_id, seconds)


_NOT_FOUND = 404


class HTTPClient(Protocol):
    """JSON over a server's link."""

    def get(self, path: str, wait_seconds: float = 0) -> Any:
        """Return the answer to a GET."""

    def post(self, path: str, data: dict[str, Any]) -> Any:
        """Return the answer to a POST."""


class HTTPCall:
    """Calls of a `RemoteTaskService` as HTTP requests."""

    def __init__(self, client: HTTPClient) -> None:
        self._client = client

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HTTPCall) and self._client is other._client

    def __hash__(self) -> int:
        return hash(self._client)

    def __call__(self, verb: str, *args: Any, **options: Any) -> Any:
        """Return the answer to a request; raise the error that the server has raised."""
        try:
            return self._send(verb, args, options)
        except LinkAnswerError as error:
            raised = error_from(error.kind, str(error), args[0] if args else "")
            if raised is None:
                raise
            raise raised from None

    def _send(self, verb: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        match verb, args:
            case "list", ():
                return self._client.get("tasks")["tasks"]
            case "schedule", (spec,):
                return self._client.post("tasks", {"spec": spec, **options})
            case "show", (name, task_id):
                query = "" if task_id is None else f"?id={task_id}"
                return self._client.get(f"{_path(name)}{query}")
            case "history", (name, limit, task_id):
                query = f"limit={limit}" + ("" if task_id is None else f"&id={task_id}")
                return self._client.get(f"{_path(name)}/runs?{query}")["runs"]
            case "run" | "wait_for_run", (run_id, *seconds):
                return self._run(run_id, *seconds)
            case _, (name,):
                action = "run" if verb == "run_now" else verb
                return self._client.post(f"{_path(name)}/{action}", options)
        raise TypeError(f"no request {verb!r} with {len(args)} arguments")

    def _run(self, run_id: int, seconds: float = 0) -> Any:
        try:
            return self._client.get(f"runs/{run_id}?seconds={seconds}", seconds)
        except LinkAnswerError as error:
            if error.status == _NOT_FOUND:
                return None
            raise


def _path(name: str) -> str:
    from urllib.parse import quote  # late, as the worker of a run has no use for them

    from .declare import is_name

    if not is_name(name):  # '' would be the path of all tasks
        raise NoSuchTaskError(name)
    return f"tasks/{quote(name, safe='')}"
