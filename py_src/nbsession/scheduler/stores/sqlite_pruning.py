"""What a SQLite database forgets, a little at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .sqlite_rows import IS_OPEN
from .sqlite_runs import SqliteRuns
from .sqlite_tasks import SqliteTasks

if TYPE_CHECKING:
    from .sqlite_rows import KeptTask
    from .sqlite_writing import Writing

_AT_ONCE = 1_000  # of each kind: up to some 20 ms of a server's event loop
_TELL_US = 86_400 * 1_000_000  # for so long a server may sleep, and still hears what has gone

_TRIM = f"""
    DELETE FROM runs WHERE id IN (
        SELECT id FROM runs WHERE task_id = ? AND NOT {IS_OPEN} AND id <= (
            SELECT id FROM runs WHERE task_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?
        ) LIMIT ?
    )
"""  # noqa: S608 - constants
# Ids grow with time: who is too old is among the first.
_DROP_OLD = f"""
    DELETE FROM runs WHERE id IN (SELECT id FROM runs ORDER BY id LIMIT ?)
        AND NOT {IS_OPEN} AND ended_us < ?
"""  # noqa: S608 - constants
_SWEEP = f"""
    DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE task_id = ? LIMIT ?) AND NOT {IS_OPEN}
"""  # noqa: S608 - constants
_SWEPT = "UPDATE removed SET swept = 1 WHERE task_id = ? AND swept = 0"
_FORGET = "DELETE FROM removed WHERE removed_us < ? AND swept = 1"
_IDLE = """
    SELECT id, ending, idle_since_us, EXISTS (SELECT 1 FROM runs WHERE task_id = tasks.id)
    FROM tasks WHERE due_us IS NULL AND asks = 0 AND paused = 0 AND open_runs = 0
"""
_IDLE_SINCE = "UPDATE tasks SET idle_since_us = ? WHERE id = ?"


class SqlitePruning(SqliteTasks, SqliteRuns):
    """The part of a SQLite store that keeps it small; see `Store`."""

    def prune(self) -> tuple[list[int], bool]:
        """Forget rows and finished tasks beyond the history's limits.

        And tasks that are `ending`, without a next occurrence, and without an open run. Return the
        ids of those tasks, and whether there may be more to forget than is quick.
        """
        now_us = self._clock.now_us()
        oldest_us = None
        if self.limits.seconds is not None:
            oldest_us = now_us - round(self.limits.seconds * 1_000_000)
        with self._writing() as writing:
            is_more = self._trim_grown(writing)
            if oldest_us is not None:
                dropped = writing.execute(_DROP_OLD, (_AT_ONCE, oldest_us)).rowcount
                is_more |= dropped > _AT_ONCE // 2  # not all: some of the oldest may be open
            is_more |= self._sweep(writing)
            writing.execute(_FORGET, (now_us - _TELL_US,))
            removed, are_more = self._remove_finished(writing, now_us, oldest_us)
        return removed, is_more or are_more

    def _trim(self, writing: Writing, kept: KeptTask, at_most: int = _AT_ONCE) -> int:
        """Drop the rows of a task that are too many; return how many."""
        values = (kept.id, kept.id, self.limits.runs, at_most)
        dropped = writing.execute(_TRIM, values).rowcount
        if dropped < at_most:
            kept.grown = 0
        return dropped

    def _trim_grown(self, writing: Writing) -> bool:
        """Drop the rows of tasks that have too many; return whether there may be more."""
        left = _AT_ONCE
        for kept in self._records.values():
            if kept.grown:
                if left <= 0:
                    return True
                left -= 1 + self._trim(writing, kept, left)
        return left <= 0

    def _sweep(self, writing: Writing) -> bool:
        """Drop the rows of tasks that have gone; return whether there may be more."""
        left = _AT_ONCE
        gone = writing.execute("SELECT task_id FROM removed WHERE swept = 0").fetchmany(_AT_ONCE)
        for (task_id,) in gone:
            left -= 1 + writing.execute(_SWEEP, (task_id, left)).rowcount
            if writing.row("SELECT 1 FROM runs WHERE task_id = ?", (task_id,)) is None:
                writing.execute(_SWEPT, (task_id,))
            if left <= 0:
                return True
        return False

    def _remove_finished(
        self, writing: Writing, now_us: int, oldest_us: int | None
    ) -> tuple[list[int], bool]:
        removed: list[int] = []
        left = _AT_ONCE
        for task_id, ending, idle_since_us, has_rows in writing.execute(_IDLE).fetchall():
            is_old = oldest_us is not None and (idle_since_us or now_us) < oldest_us
            if ending or (is_old and not has_rows):
                self._remove(writing, task_id)
                removed.append(task_id)
            elif idle_since_us is None:
                writing.execute(_IDLE_SINCE, (now_us, task_id))
            else:
                continue
            left -= 1
            if not left:
                return removed, True
        return removed, False
