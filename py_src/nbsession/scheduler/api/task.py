"""A task as its users hold it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import ItemsView, Mapping, ValuesView
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, Any

from nbsession.core.errors import NoSuchTaskError, TaskReplacedError
from nbsession.core.process import HAS_THREADS
from nbsession.core.references import PartOfState, part_of_state
from nbsession.core.tasks.run import OPEN_STATES, Run
from nbsession.core.threads import AwaitableFuture

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nbsession.core.tasks.schema import TaskJSON

    from .service import TaskService

_HOLD_SECONDS = 20.0
"""The length of one request for the end of a run, after which another one follows."""


class RunFuture(AwaitableFuture[Run]):
    """A run once it is final; its failure is in its `Run.error`, not raised.

    ``await future`` on any loop, ``future.result()`` in a thread, and anywhere once it is done.
    Nothing cancels it: to end a run, cancel its task.
    """

    def __init__(self, service: TaskService, row: Mapping[str, Any]) -> None:
        super().__init__()
        self.set_running_or_notify_cancel()
        if row["state"] not in OPEN_STATES:
            self.set_result(Run.from_json(row))
            return
        if not HAS_THREADS:  # then the service is of this very loop
            self._task = asyncio.ensure_future(self._wait_here(service, row["id"]))
            return
        work = threading.Thread(
            target=self._wait, args=(service, row["id"]), name="nbsession-run", daemon=True
        )
        work.start()

    async def _wait_here(self, service: Any, run_id: int) -> None:
        try:
            self._finish(await service.until_final(run_id, None), run_id)
        except Exception as error:  # noqa: BLE001 - for whoever waits
            self.set_exception(error)

    def _wait(self, service: TaskService, run_id: int) -> None:
        try:
            row = service.wait_for_run(run_id, _HOLD_SECONDS)
            while row is not None and row["state"] in OPEN_STATES:
                row = service.wait_for_run(run_id, _HOLD_SECONDS)
            self._finish(row, run_id)
        except BaseException as error:  # noqa: BLE001 - for whoever waits
            self.set_exception(error)

    def _finish(self, row: Mapping[str, Any] | None, run_id: int) -> None:
        if row is None:
            raise LookupError(f"run {run_id} is not in the history any more")
        self.set_result(Run.from_json(row))

    def _check_can_wait(self) -> None:
        if self.done():
            return
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        raise RuntimeError(
            "this run is not finished, and waiting for it here would block the loop that it may "
            "need; use `await future` instead"
        )


def schedule_text(schedule: Mapping[str, Any]) -> str:
    """Return a schedule as a line for people."""
    parts = []
    if "period" in schedule:
        parts.append(f"every {schedule['period']}")
    if "cron" in schedule:
        parts.append(f"cron {schedule['cron']}")
    if "at" in schedule:
        parts.append(f"{'from' if parts else 'at'} {schedule['at']}")
    if "tz" in schedule:
        parts.append(f"({schedule['tz']})")
    return " ".join(parts) or "once"


def state_text(state: str, count: int | None) -> str:
    """Return the state of one occurrence or several in a row, as ``missed 99 times``."""
    if count == 1:
        return state
    return f"{state} many times" if count is None else f"{state} {count} times"


CANCELLED = "cancelled"


class Task(PartOfState):
    """A scheduled task; made by ``state.schedule_task``, found in ``state.tasks``.

    Each attribute is read anew. Once the task is cancelled every action raises a KeyError, also
    if another task has its name. With ``wait=True`` it is still seen to run once more; then, as
    else at once, `state` is ``"cancelled"``, and the counts stay as they were.
    """

    def __init__(self, service: TaskService, known: TaskJSON) -> None:
        self._service = service
        self._known = known

    def __reduce__(self) -> tuple[Any, ...]:
        return _task_of_state, (self.name,)

    def __eq__(self, other: object) -> bool:
        """Return whether both are the same task, which a new one of its name is not."""
        if not isinstance(other, Task):
            return NotImplemented
        return (self._service, self._known["id"]) == (other._service, other._known["id"])

    def __hash__(self) -> int:
        return hash(self._known["id"])

    @property
    def name(self) -> str:
        """The task's name."""
        return self._known["name"]

    @property
    def next_run(self) -> datetime | None:
        """When it is due next, aware UTC; None while it is paused, and when it is finished."""
        return _moment(self._look()["next_run"])

    @property
    def last_run(self) -> datetime | None:
        """When its last run started, aware UTC; None before the first."""
        return _moment(self._look()["last_run"])

    @property
    def state(self) -> str:
        """``"scheduled"``, ``"running"``, ``"paused"``, ``"finished"`` or ``"cancelled"``."""
        return self._look()["state"]

    @property
    def run_count(self) -> int:
        """How many runs have ended; the tries of one run count as one."""
        return self._look()["run_count"]

    @property
    def error_count(self) -> int:
        """How many of them have failed or were lost."""
        return self._look()["error_count"]

    @property
    def last_error(self) -> str | None:
        """The last error as text, of a run or of the code that says when; None without one."""
        return self._look()["last_error"]

    def history(self, n: int = 20) -> list[Run]:
        """Return the last occurrences, the newest first.

        Parameters
        ----------
        n
            How many at most; of a cancelled task those that are still stored.

        Raises
        ------
        ValueError
            If `n` is not a whole number of at least 0.
        """
        if isinstance(n, bool) or not isinstance(n, int) or n < 0:  # type: ignore[redundant-expr]
            raise ValueError(
                f"history takes how many runs, a whole number of at least 0; got {n!r}"
            )
        try:
            rows = self._service.history(self.name, n, self._id) if n else []
        except NoSuchTaskError:
            rows = []
        return [Run.from_json(row) for row in rows]

    def pause(self) -> None:
        """Let nothing be due until `resume`; a run that is going on may finish."""
        self._check_exists()
        self._known = self._service.pause(self.name)

    def resume(self) -> None:
        """Go on with the first occurrence after now; does nothing unless paused."""
        self._check_exists()
        self._known = self._service.resume(self.name)

    def run_now(self) -> RunFuture:
        """Run once more, at once, by the task's overlap policy.

        Returns
        -------
        RunFuture
            A `concurrent.futures.Future` that can also be awaited, of the finished `Run`.
        """
        self._check_exists()
        return RunFuture(self._service, self._service.run_now(self.name))

    def cancel(self, wait: bool = False) -> None:
        """Cancel the task; its name is free at once.

        Parameters
        ----------
        wait
            Whether the next occurrence still runs; otherwise an async run in progress is cancelled.

        Raises
        ------
        KeyError
            If it is cancelled already.
        """
        self._check_exists()
        self._service.cancel(self.name, wait=wait)

    def __repr__(self) -> str:
        known = self._look()
        parts = [schedule_text(known["schedule"]), known["state"]]
        if known["next_run"] is not None:
            parts.append(f"next run {known['next_run']}")
        parts += [f"runs: {known['run_count']}", f"errors: {known['error_count']}"]
        return f"<Task {self.name!r}: {', '.join(parts)}>"

    @property
    def _id(self) -> int | None:
        return self._known["id"] or None

    def _check_exists(self) -> None:
        """Raise NoSuchTaskError unless the task has its name."""
        shown = self._service.show(self.name)
        if self._id not in (None, shown["id"]):
            raise TaskReplacedError(self.name)
        self._known = shown

    def _look(self) -> TaskJSON:
        try:
            self._known = self._service.show(self.name, self._id)
        except NoSuchTaskError:
            self._known = {**self._known, "state": CANCELLED, "next_run": None}
        return self._known


def _task_of_state(name: str) -> Task:
    task: Task = part_of_state("tasks")[name]
    return task


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


_COLUMNS = ("Task", "Schedule", "State", "Next run", "Last run", "Runs", "Errors")


class Tasks(PartOfState, Mapping[str, Task]):
    """A read-only mapping of names to `Task`; a table where a notebook shows it."""

    _path = "tasks"

    def __init__(self, services: Sequence[TaskService]) -> None:
        self._services = services

    def __getitem__(self, name: str) -> Task:
        if isinstance(name, str):
            for service in self._services:
                try:
                    return Task(service, service.show(name))
                except NoSuchTaskError:
                    continue
        raise NoSuchTaskError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    # Those of Mapping would ask once for each task, and fail for one that is removed meanwhile.

    def values(self) -> ValuesView[Task]:
        """Return the tasks, in the order of names."""
        return self._snapshot().values()

    def items(self) -> ItemsView[str, Task]:
        """Return names and tasks, in the order of names."""
        return self._snapshot().items()

    def __repr__(self) -> str:
        tasks = [task for _, task in self._read().values()]
        if not tasks:
            return "<Tasks: none>"
        rows = [_COLUMNS, *map(_cells, tasks)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        tasks = [task for _, task in self._read().values()]
        if not tasks:
            return "<p>No tasks.</p>"
        head = "".join(f'<th scope="col">{column}</th>' for column in _COLUMNS)
        body = "".join(map(_html_row, tasks))
        caption = "Tasks; times are local"
        return (
            f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>"
        )

    def _snapshot(self) -> dict[str, Task]:
        return {name: Task(*found) for name, found in self._read().items()}

    def _read(self) -> dict[str, tuple[TaskService, TaskJSON]]:
        found: dict[str, tuple[TaskService, TaskJSON]] = {}
        for service in self._services:
            for task in service.list():
                found.setdefault(task["name"], (service, task))
        return dict(sorted(found.items()))


def _cells(task: TaskJSON) -> tuple[str, ...]:
    return (
        task["name"],
        schedule_text(task["schedule"]),
        task["state"],
        _local(task["next_run"]),
        _last(task),
        str(task["run_count"]),
        str(task["error_count"]),
    )


def _html_row(task: TaskJSON) -> str:
    name, *cells = map(escape, _cells(task))
    values: list[Any] = [f"<td>{cell}</td>" for cell in cells]
    if task["last_error"]:
        values[-1] = f'<td title="{escape(task["last_error"])}">{cells[-1]}</td>'
    return f'<tr><th scope="row">{name}</th>{"".join(values)}</tr>'


def _last(task: TaskJSON) -> str:
    """Return the start of the last run, and the occurrences missed or skipped since."""
    last_run, gap = _local(task["last_run"]), task.get("gap")
    if gap is None:
        return last_run
    since = state_text(gap["state"], gap["count"])
    return f"{last_run}, then {since}" if last_run else since


def _local(text: str | None) -> str:
    """Return an instant as local time, to the second."""
    if text is None:
        return ""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
