"""Forks that tasks make by themselves, as `multiprocessing` does, in a process with threads."""

from __future__ import annotations

import os
import threading

no_forks = threading.Lock()
"""Held while a process is started.

A fork in the middle of that would take the pipes and sockets along that are meant for the other
process: nobody would hear that process start, or end, before the forked one has ended too.
"""

os.register_at_fork(
    before=no_forks.acquire, after_in_parent=no_forks.release, after_in_child=no_forks.release
)
