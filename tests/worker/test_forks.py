"""Processes that tasks fork, as `multiprocessing` does; each test uses the same real worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workers import wait_for

if TYPE_CHECKING:
    from workers import Workers

JOBS = """
import multiprocessing
import os
import signal
import time
from pathlib import Path

FORKS = multiprocessing.get_context("fork")


def use_pool():
    with FORKS.Pool(2) as pool:
        for _ in pool.imap_unordered(time.sleep, [0, 0, 1000, 1000]):
            break
    print("left the pool")


def terminate():
    codes = set()
    for _ in range(20):
        process = FORKS.Process(target=time.sleep, args=(1000,))
        process.start()
        process.terminate()
        process.join()
        codes.add(process.exitcode)
    print(*codes)


def interrupt():
    receiver, sender = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=wait_for_interrupt, args=(sender,))
    process.start()
    assert receiver.recv() == "begun"
    os.kill(process.pid, signal.SIGINT)
    print(receiver.recv())
    process.join()


def wait_for_interrupt(sender):
    try:
        sender.send("begun")
        time.sleep(1000)
    except KeyboardInterrupt:
        sender.send("interrupted")


def fork_and_keep(stop):
    for _ in range(100):
        if not Path(stop).exists():
            FORKS.Process(target=wait_for_file, args=(stop,), daemon=True).start()
            time.sleep(0.001)
    for process in FORKS.active_children():
        process.join()


def wait_for_file(path):
    while not Path(path).exists():
        time.sleep(0.2)


def which():
    print(os.getpid())
"""


@pytest.fixture(scope="module", autouse=True)
def jobs(workers: Workers) -> None:
    workers.write("jobs.py", JOBS)


@pytest.mark.parametrize("process", [False, True])
def test_forked_processes_can_be_ended(workers, process):
    names = [workers.begin(f"jobs:{job}", process=process) for job in ("use_pool", "terminate")]
    interrupt = workers.begin("jobs:interrupt", process=process)
    assert [workers.end(name)["output"] for name in names] == ["left the pool\n", "-15\n"]
    assert workers.end(interrupt)["output"] == "interrupted\n"


def test_forks_keep_no_process_of_a_run(workers, tmp_path):
    stop = tmp_path / "stop"
    forking = workers.begin("jobs:fork_and_keep", str(stop))
    workers.row(forking)
    names = [workers.begin("jobs:which", process=True) for _ in range(4)]
    assert {workers.end(name)["state"] for name in names} == {"succeeded"}
    stop.touch()
    assert workers.end(forking)["state"] == "succeeded"


def test_a_run_that_is_cancelled_while_its_process_starts_ends(workers):
    names = [workers.begin("jobs:use_pool", process=True) for _ in range(4)]
    for name in names:
        workers.service.cancel(name, wait=False)
    wait_for(lambda: workers.run("jobs:which")["state"] == "succeeded")
