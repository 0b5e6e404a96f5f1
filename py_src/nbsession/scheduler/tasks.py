"""The tasks that can be seen from here, by name."""

from __future__ import annotations

from collections.abc import ItemsView, Mapping, ValuesView
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, Any

from nbsession.core.errors import NoSuchTaskError
from nbsession.core.references import PartOfState

from .schedule_text import schedule_text, state_text
from .task import Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .board import TaskBoard
    from .wire import TaskJSON

_COLUMNS = ("Task", "Schedule", "State", "Next run", "Last run", "Runs", "Errors")


class Tasks(PartOfState, Mapping[str, Task]):
    """A read-only mapping of names to `Task`; a table where a notebook shows it.

    Parameters
    ----------
    boards
        Where there are tasks; of one name on two of them the first counts.
    """

    _path = "tasks"

    def __init__(self, boards: Sequence[TaskBoard]) -> None:
        self._boards = boards

    def __getitem__(self, name: str) -> Task:
        if isinstance(name, str):
            for board in self._boards:
                try:
                    return Task(board, board.show(name))
                except NoSuchTaskError:
                    continue
        raise NoSuchTaskError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._known())

    def __len__(self) -> int:
        return len(self._known())

    # Those of Mapping would ask once for each task, and fail for one that goes meanwhile.

    def values(self) -> ValuesView[Task]:
        """Return the tasks, in the order of names."""
        return self._snapshot().values()

    def items(self) -> ItemsView[str, Task]:
        """Return names and tasks, in the order of names."""
        return self._snapshot().items()

    def __repr__(self) -> str:
        known = self._known()
        if not known:
            return "<Tasks: none>"
        rows = [_COLUMNS, *(_cells(task) for task in known.values())]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        known = self._known()
        if not known:
            return "<p>No tasks.</p>"
        head = "".join(f'<th scope="col">{column}</th>' for column in _COLUMNS)
        body = "".join(_html_row(task) for task in known.values())
        caption = "Tasks; times are local"
        return (
            f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>"
        )

    def _known(self) -> dict[str, TaskJSON]:
        return {name: task for name, (_, task) in self._seen().items()}

    def _snapshot(self) -> dict[str, Task]:
        return {name: Task(board, task) for name, (board, task) in self._seen().items()}

    def _seen(self) -> dict[str, tuple[TaskBoard, TaskJSON]]:
        seen: dict[str, tuple[TaskBoard, TaskJSON]] = {}
        for board in self._boards:
            for task in board.list():
                seen.setdefault(task["name"], (board, task))
        return dict(sorted(seen.items()))


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
    """Return when the last run began, and what was missed or skipped since."""
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
