"""Engines on one SQLite database: which of them live."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nbsession.core.process import Process, is_gone, own_process

if TYPE_CHECKING:
    from nbsession.core.schedule.clock import Clock
    from nbsession.core.tasks.run import Run

    from .runs import SqliteRuns
    from .tasks import SqliteRecords

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


class SqliteEngines:
    """Tells living engines from dead ones, whose runs it marks lost."""

    def __init__(self, records: SqliteRecords, runs: SqliteRuns, clock: Clock) -> None:
        self._records = records
        self._runs = runs
        self._clock = clock
        self._heard: dict[int, tuple[int, float]] = {}  # beats of others, and when they were new
        self.process = own_process()

    def beat(self) -> list[Run]:
        """Note that this engine lives; return the runs of others that it has marked lost."""
        lost: list[Run] = []
        with self._records.transaction() as transaction:
            engine_id, own = self._records.engine_id or transaction.next_id(), self.process
            where = own.machine, own.boot, own.pids, own.pid, own.start
            transaction.execute(_BEAT, (engine_id, *where, self._clock.monotonic()))
            others = [
                _Other(row[0], Process(*row[1:6]), *row[6:])
                for row in transaction.execute(_OTHERS, (engine_id,)).fetchall()
            ]
            for other in others:
                if reason := self._death(other):
                    lost += self._runs.mark_lost(transaction, other.id, reason)
                    transaction.execute("DELETE FROM engines WHERE id = ?", (other.id,))
        self._records.engine_id = engine_id
        self._heard = {other.id: self._heard[other.id] for other in others}
        return lost

    def leave(self) -> bool:
        """Mark the open runs of this engine lost; return whether it was the last engine."""
        with self._records.transaction() as transaction:
            self._runs.mark_lost(transaction, self._records.engine_id, CLOSED)
            own_id = (self._records.engine_id,)
            transaction.execute("DELETE FROM engines WHERE id = ?", own_id)
            return transaction.row("SELECT 1 FROM engines") is None

    def forget(self) -> None:
        """Begin anew in another database."""
        self._records.engine_id, self._heard = 0, {}

    def _death(self, other: _Other) -> str | None:
        """Return the reason to take an engine for dead; None if it lives.

        Nobody's wall clock says so: it jumps when a machine wakes up, and machines differ.
        """
        now = self._clock.monotonic()
        beats, since = self._heard.get(other.id, (None, now))
        if beats != other.beats:
            since = now
        self._heard[other.id] = other.beats, since
        own = self.process
        if own.sees(other.process) and is_gone(other.process):
            return GONE
        if own.machine == other.process.machine and own.boot != other.process.boot:
            return GONE  # the machine was started again
        if own.shares_boot(other.process):
            since = other.beat_seconds
        return SILENT if now - since > SILENT_SECONDS else None
