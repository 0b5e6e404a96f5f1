"""Threads for sync callables: as many as are needed at once, kept for a while."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_THREADS = 128
_IDLE_SECONDS = 60.0


class ThreadPool:
    """Runs jobs on threads, at once while there are fewer than `MAX_THREADS` at work.

    `concurrent.futures` has one too, which costs three times as much per job, keeps its threads for
    ever, and has the interpreter wait for them at its end.
    """

    def __init__(self) -> None:
        self._jobs: deque[Callable[[], object]] = deque()
        self._news = threading.Condition(threading.Lock())
        self._idle = 0
        self._threads = 0

    def submit(self, job: Callable[[], object]) -> None:
        """Run a job, which raises nothing.

        Raises
        ------
        RuntimeError
            If no thread can be started, and there is none that would come to it.
        """
        starts = False
        with self._news:
            self._jobs.append(job)
            if len(self._jobs) <= self._idle:
                self._news.notify()
            elif self._threads < MAX_THREADS:
                self._threads += 1
                starts = True
        if starts:
            try:
                threading.Thread(target=self._work, name="nbsession-task", daemon=True).start()
            except RuntimeError:
                with self._news:
                    self._threads -= 1
                    if self._threads or job not in self._jobs:
                        return
                    self._jobs.remove(job)
                raise

    def _work(self) -> None:
        try:
            while (job := self._next()) is not None:
                job()
                del job  # not to keep what a run has used until the next one comes
        finally:
            with self._news:
                self._threads -= 1

    def _next(self) -> Callable[[], object] | None:
        with self._news:
            while not self._jobs:
                self._idle += 1
                notified = self._news.wait(_IDLE_SECONDS)
                self._idle -= 1
                if not notified and not self._jobs:
                    return None
            return self._jobs.popleft()
