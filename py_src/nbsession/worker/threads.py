"""A pool of threads for sync callables, with a preferred thread for each task."""

from __future__ import annotations

import threading
from collections import deque
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    Job = Callable[[], object]
    OnEnd = Callable[[Any], object]

MAX_THREADS = 128
OWN_THREADS = 64
"""The number of owners with a thread of their own; further ones share those."""

_IDLE_SECONDS = 60.0


class ThreadPool:
    """Runs jobs on threads, at once while there are fewer than `MAX_THREADS` at work.

    The jobs of one owner run on the same thread while that is free: an object that may be used on
    one thread only, as a connection of sqlite3, works in all of them. The thread of an owner with
    further jobs stays until the owner is forgotten; others end after a minute without a job.

    `concurrent.futures` has a pool too, which costs three times as much per job, keeps its threads
    for ever, and has the interpreter wait for them at its end.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: set[_Thread] = set()
        self._idle: dict[_Thread, None] = {}  # with owners; the longest idle first
        self._free: dict[_Thread, None] = {}  # idle and without owners
        self._backlog: deque[tuple[Job, OnEnd | None]] = deque()
        self._own: dict[Hashable, _Thread] = {}

    def submit(
        self,
        job: Job,
        owner: Hashable = None,
        *,
        stays: bool = False,
        ended: OnEnd | None = None,
    ) -> None:
        """Run a job, which raises nothing; `ended` gets its result when the thread is free."""
        with self._lock:
            thread = self._find_idle(owner)
            if thread is None and len(self._threads) < MAX_THREADS:
                thread = self._start_thread()
            if thread is None:
                thread = next(iter(self._idle), None)
            if thread is None:
                if not self._threads:
                    raise RuntimeError("can't start new thread")
                self._backlog.append((job, ended))
                return
            self._idle.pop(thread, None)
            self._free.pop(thread, None)
            self._set_owner(thread, owner, stays=stays)
            thread.jobs.put((job, ended))

    def forget(self, owner: Hashable) -> None:
        """Let the thread of an owner end that has no more jobs."""
        with self._lock:
            thread = self._own.pop(owner, None)
            if thread is not None:
                thread.owners.discard(owner)
                if thread in self._idle and not thread.owners:
                    del self._idle[thread]
                    self._free[thread] = None

    def _set_owner(self, thread: _Thread, owner: Hashable, *, stays: bool) -> None:
        if thread.guest is not None and thread.guest != owner:
            self._own.pop(thread.guest, None)
            thread.guest = None
        if owner is None or self._own.setdefault(owner, thread) is not thread:
            return
        if stays:
            thread.owners.add(owner)
            thread.guest = None
        elif owner not in thread.owners:
            thread.guest = owner

    def _find_idle(self, owner: Hashable) -> _Thread | None:
        """Return the best idle thread for an owner; None if a new one would be better."""
        own = self._own.get(owner) if owner is not None else None
        if own is not None and (own in self._idle or own in self._free):
            return own
        free = next(reversed(self._free), None)
        if free is not None or own is not None or len(self._threads) < OWN_THREADS:
            return free
        return next(iter(self._idle), None)

    def _start_thread(self) -> _Thread | None:
        thread = _Thread()
        work = threading.Thread(
            target=self._work, args=(thread,), name="nbsession-task", daemon=True
        )
        self._threads.add(thread)
        try:
            work.start()
        except RuntimeError:
            self._threads.discard(thread)
            return None
        return thread

    def _work(self, thread: _Thread) -> None:
        try:
            while (following := self._next(thread)) is not None:
                job, ended = following
                result = job()
                self._is_free(thread)
                if ended is not None:
                    ended(result)
                # Else they would keep objects of the run alive until the next job.
                del following, job, ended, result
        finally:
            with self._lock:
                self._remove(thread)

    def _next(self, thread: _Thread) -> tuple[Job, OnEnd | None] | None:
        while True:
            try:
                return thread.jobs.get(timeout=_IDLE_SECONDS)
            except Empty:
                with self._lock:
                    if thread in self._free:
                        self._remove(thread)
                        return None

    def _is_free(self, thread: _Thread) -> None:
        with self._lock:
            if self._backlog:
                thread.jobs.put(self._backlog.popleft())
            elif thread.owners:
                self._idle[thread] = None
            else:
                self._free[thread] = None

    def _remove(self, thread: _Thread) -> None:
        self._threads.discard(thread)
        self._idle.pop(thread, None)
        self._free.pop(thread, None)
        for owner in (*thread.owners, thread.guest):
            self._own.pop(owner, None)


class _Thread:
    """A thread's jobs, and the owners that prefer it: those that stay, and the last other one."""

    __slots__ = ("guest", "jobs", "owners")

    def __init__(self) -> None:
        self.jobs: SimpleQueue[tuple[Job, OnEnd | None]] = SimpleQueue()
        self.owners: set[Hashable] = set()
        self.guest: Hashable = None
