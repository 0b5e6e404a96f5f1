"""The engines on one SQLite database: who lives, and whose runs are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from nbsession.core.process import Process, is_gone, own_process

from .runs import SqliteRuns

if TYPE_CHECKING:
    from nbsession.core.tasks.run import Run

SILENT_SECONDS = 15.0
"""After so long without a sign of life an engine is taken for dead."""

CLOSED = "ended with its server"
GONE = "its server's process is gone"
SILENT = "its server has been silent for 15 s"

_BEAT = """
    INSERT INTO engines (id, machine, boot, pids, pid, process_start, beats, beat_seconds)
    VALUES (?, ?, ?, ?, ?, ?, 1, ?)
    ON CONFLICT (id) DO UPDATE SET beats = beats + 1, beat_seconds = excluded.beat_seconds
"""
_OTHERS = """
    SELECT id, machine, boot, pids, pid, process_start, beats, beat_seconds
    FROM engines WHERE id != ?
"""


class _Other(NamedTuple):
    id: int
    process: Process
    beats: int
    beat_seconds: float


class SqliteEngines(SqliteRuns):
    """The part of a SQLite store that tells living engines from dead ones; see `Store`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._process = own_process()
        self._heard: dict[int, tuple[int, float]] = {}  # beats of others, and when they were new

    def beat(self) -> list[Run]:
        """Note that this engine lives; return the runs of others that it has marked lost."""
        lost: list[Run] = []
        with self._writing() as writing:
            engine_id, own = self._engine_id or writing.next_id(), self._process
            where = own.machine, own.boot, own.pids, own.pid, own.start
            writing.execute(_BEAT, (engine_id, *where, self._clock.monotonic()))
            others = [
                _Other(row[0], Process(*row[1:6]), *row[6:])
                for row in writing.execute(_OTHERS, (engine_id,)).fetchall()
            ]
            for other in others:
                if reason := self._death(other):
                    lost += self._mark_lost(writing, other.id, reason)
                    writing.execute("DELETE FROM engines WHERE id = ?", (other.id,))
        self._engine_id = engine_id
        self._heard = {other.id: self._heard[other.id] for other in others}
        return lost

    def _leave(self) -> bool:
        """Mark what this engine still runs as lost; return whether it was the last engine."""
        with self._writing() as writing:
            self._mark_lost(writing, self._engine_id, CLOSED)
            writing.execute("DELETE FROM engines WHERE id = ?", (self._engine_id,))
            return writing.row("SELECT 1 FROM engines") is None

    def _death(self, other: _Other) -> str | None:
        """Return why an engine is taken for dead; None if it lives.

        Nobody's wall clock says so: it jumps when a machine wakes up, and machines differ.
        """
        now = self._clock.monotonic()
        beats, since = self._heard.get(other.id, (None, now))
        if beats != other.beats:
            since = now
        self._heard[other.id] = other.beats, since
        own = self._process
        if own.sees(other.process) and is_gone(other.process):
            return GONE
        if own.machine == other.process.machine and own.boot != other.process.boot:
            return GONE  # the machine was started again
        if own.shares_boot(other.process):
            since = other.beat_seconds
        return SILENT if now - since > SILENT_SECONDS else None
