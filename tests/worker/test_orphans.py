"""Processes that tasks have started, when the server or their worker is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from workers import Workers, is_alive, wait_for

JOBS = """
import ctypes
import multiprocessing
import os
import subprocess
import time
from pathlib import Path


def note(folder, name, pid):
    part = Path(folder, f"{name}.part")
    part.write_text(str(pid))
    part.replace(part.with_suffix(".pid"))


def shell(folder, name):
    with subprocess.Popen(["sleep", "60"]) as process:
        note(folder, name, process.pid)


def fork(folder, name):
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    process.start()
    note(folder, name, process.pid)
    process.join()


def hold(folder, name):
    note(folder, name, os.getpid())
    ctypes.PyDLL(None).sleep(60)  # with the GIL, so no thread of the worker can do anything
"""

SERVER = """
import sys, time
from pathlib import Path
sys.path.insert(0, {path!r})
from workers import Workers
folder = {folder!r}
workers = Workers(Path(folder))
for job in ("shell", "fork"):  # one by one: a fork may take the pipes of a shell's start along
    for process in (False, True):
        name = job + str(process)
        workers.begin("jobs:" + job, folder, name, process=process)
        while not Path(folder, name + ".pid").exists():
            time.sleep(0.01)
if {holds!r}:
    workers.begin("jobs:hold", folder, "hold")
time.sleep(60)
"""


def pids_in(folder: Path, count: int) -> list[int]:
    files = wait_for(lambda: len(found := list(folder.glob("*.pid"))) == count and found)
    return [int(file.read_text()) for file in files]


def begin_all(workers: Workers) -> list[int]:
    """Begin jobs that start processes; return their ids and those of the worker and its guard."""
    workers.write("jobs.py", JOBS)
    for job in ("shell", "fork"):
        for process in (False, True):
            name = f"{job}{process}"
            workers.begin(f"jobs:{job}", str(workers.folder), name, process=process)
            wait_for((workers.folder / f"{name}.pid").exists)
    pids = pids_in(workers.folder, 4)
    (worker,) = workers.pids()
    return [*pids, worker, guard_of(worker)]


def guard_of(worker: int) -> int:
    (guard,) = (
        child.pid
        for child in psutil.Process(worker).children()
        if "nbsession-guard" in child.cmdline()
    )
    return guard


def kill_server(folder: Path, *, holds: bool) -> list[int]:
    """Kill a server whose tasks have started processes; return the ids of all that it had."""
    (folder / "jobs.py").write_text(JOBS)
    path = str(Path(__file__).parent.parent)
    source = SERVER.format(path=path, folder=str(folder), holds=holds)
    with subprocess.Popen([sys.executable, "-c", source]) as server:
        pids = pids_in(folder, 5 if holds else 4)
        pids += [child.pid for child in psutil.Process(server.pid).children(recursive=True)]
        server.send_signal(signal.SIGKILL)
    return pids


def test_a_killed_server_leaves_nothing(tmp_path):
    for pid in kill_server(tmp_path, holds=False):
        wait_for(lambda pid=pid: not is_alive(pid))


def test_a_killed_server_leaves_nothing_though_the_worker_holds_the_gil(tmp_path):
    for pid in kill_server(tmp_path, holds=True):
        wait_for(lambda pid=pid: not is_alive(pid))


def test_a_killed_worker_leaves_nothing(own_workers):
    pids = begin_all(own_workers)
    own_workers.kill_worker()
    for pid in pids:
        wait_for(lambda pid=pid: not is_alive(pid))


def test_the_end_of_a_worker_leaves_nothing(tmp_path):
    workers = Workers(tmp_path)
    pids = begin_all(workers)
    workers.close()
    for pid in pids:
        wait_for(lambda pid=pid: not is_alive(pid))


def test_a_guard_outlives_signals_and_ends_with_its_worker(own_workers):
    own_workers.write("jobs.py", "def nothing(): pass")
    own_workers.run("jobs:nothing")
    (worker,) = own_workers.pids()
    guard = guard_of(worker)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(guard, number)
    os.killpg(worker, signal.SIGINT)
    assert own_workers.run("jobs:nothing")["state"] == "succeeded"
    assert is_alive(guard)
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: not is_alive(guard))
