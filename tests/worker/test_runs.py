"""The callables of tasks in a worker; each test uses the same real worker."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from workers import is_alive, wait_for

if TYPE_CHECKING:
    from workers import Workers

JOBS = """
import asyncio
import ctypes
import os
import resource
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

from nbsession import state

released = threading.Event()


def greet(name, mark="!"):
    print("hello", name + mark)


async def nap():
    print("before")
    await asyncio.sleep(0)
    print("after", file=sys.stderr)


def give_coroutine():
    return nap()


class Job:
    @staticmethod
    async def nested():
        here()

    @staticmethod
    def given():
        return Job.nested()


def here():
    print(threading.current_thread() is threading.main_thread())


def where():
    print(threading.current_thread() is threading.main_thread(), os.getcwd(), sys.stdin.read())


def block():
    assert released.wait(30)


def release():
    released.set()


def boom():
    inner()


def inner():
    raise ValueError("no such thing")


async def async_boom():
    inner()


def leave():
    sys.exit("enough")


async def async_leave():
    sys.exit(3)


class Odd(Exception):
    def __str__(self):
        raise RuntimeError


def odd():
    raise Odd


class Leaving(Exception):
    def __str__(self):
        sys.exit(3)


def leaving():
    raise Leaving


async def async_leaving():
    raise Leaving


def flood(megabytes):
    line = "x" * 1023
    for _ in range(megabytes * 1024):
        print(line)
    print("the end")


def one_line(megabytes):
    print("a" * (megabytes << 20) + "z")


def half_a_character():
    sys.stdout.write("bad \\ud800 text")
    sys.stdout.buffer.write(b"\\xff bytes")
    sys.stdout.flush()


def low_level():
    os.write(1, b"past Python\\n" * 100_000)
    subprocess.run([sys.executable, "-c", "print('child')"], check=True, stdout=sys.stdout)
    warnings.warn("look out")


def say():
    state.run.progress(0.25, "a quarter")
    for number in range(1000):
        state.run.progress(number / 1000, str(number))
    state.run.progress(1)
    print(state.run.task, state.run.attempt, state.run.due_us > 0)


async def sleep_on():
    print("asleep")
    try:
        await asyncio.sleep(60)
    finally:
        print("woken")


async def deaf():
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        print("no")


def hang(path):
    grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    Path(path).write_text(f"{os.getpid()} {grandchild.pid}")
    time.sleep(60)


def segfault():
    print("so far")
    ctypes.string_at(0)


def exit_now():
    os._exit(7)


def eat():
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    bytearray(4 << 30)


def look():
    print(state.request, dict(state.headers), state.session_args, dict(state.cookies), state.user)
    print(state.kernel_id, state.app_url, state.base_url, state.run.attempt)
    for ask in (lambda: state.busy, lambda: state.on_session_created(print)):
        try:
            ask()
        except (AttributeError, RuntimeError) as error:
            print(type(error).__name__, error)


def fork():
    pid = os.fork()
    if not pid:
        print("nobody hears this")
        os._exit(0)
    os.waitpid(pid, 0)
    print("parent")


async def mark():
    print(state.run.task)
    await asyncio.sleep(0.01)
    print(state.run.task)


def plan():
    first = state.schedule_task("planned", greet, args=("you",), at=None)
    print(first.name, "planned" in state.tasks, state.tasks["planned"].state)
    try:
        state.schedule_task("closure", lambda: None)
    except ValueError as error:
        print(error)
    try:
        state.tasks["nobody"]
    except KeyError as error:
        print(error)


async def ask_for_run():
    run = await state.schedule_task("by-hand", greet, args=("me",), cron="@yearly").run_now()
    print(run.state, run.output)


def cancel_nobody():
    state.cancel_task("nobody")


def cancel_myself(path):
    state.cancel_task(state.run.task)
    Path(path).write_text("still here")


def not_json():
    state.schedule_task("bad", greet, args=(object(),))
"""


@pytest.fixture(scope="module", autouse=True)
def _jobs(workers: Workers) -> None:
    workers.write("jobs.py", JOBS)


def test_sync_and_async_callables(workers):
    assert workers.run("jobs:greet", "you")["output"] == "hello you!\n"
    row = workers.run("jobs:nap")
    assert (row["state"], row["output"]) == ("succeeded", "before\nafter\n")
    assert row["due"] <= row["started_at"] <= row["ended_at"]
    assert workers.run("jobs:give_coroutine")["output"] == "before\nafter\n"


def test_async_runs_on_the_main_thread_and_sync_on_others(workers):
    assert workers.run("jobs:Job.nested")["output"] == "True\n"
    assert workers.run("jobs:where")["output"] == f"False {workers.folder} \n"


@pytest.mark.parametrize("process", [False, True])
@pytest.mark.parametrize("target", ["Job.nested", "Job.given", "here"])
def test_threaded_is_never_on_the_main_thread(workers, target, process):
    for _ in range(2):
        row = workers.run(f"jobs:{target}", threaded=True, process=process)
        assert row["output"] == "False\n", row


def test_a_threaded_async_run_is_cancelled(workers):
    row = workers.run("jobs:sleep_on", threaded=True, timeout_us=200_000)
    assert (row["state"], row["reason"], row["output"]) == ("failed", "timeout", "asleep\nwoken\n")
    assert workers.run("jobs:async_leave", threaded=True)["error"] == "SystemExit: 3"
    assert workers.run("jobs:leave", threaded=True, process=True)["error"] == "SystemExit: enough"


def test_a_callable_that_blocks_costs_others_nothing(workers):
    blocked = [workers.begin("jobs:block") for _ in range(20)]
    assert workers.run("jobs:greet", "you")["state"] == "succeeded"
    assert workers.run("jobs:nap")["state"] == "succeeded"
    assert workers.run("jobs:release")["state"] == "succeeded"
    assert {workers.end(name)["state"] for name in blocked} == {"succeeded"}


@pytest.mark.parametrize("target", ["boom", "async_boom"])
@pytest.mark.parametrize("process", [False, True])
def test_a_traceback_begins_in_the_users_code(workers, target, process):
    row = workers.run(f"jobs:{target}", process=process)
    assert (row["state"], row["error"]) == ("failed", "ValueError: no such thing")
    first, where = row["traceback"].splitlines()[:2]
    assert first == "Traceback (most recent call last):"
    assert "jobs.py" in where
    assert where.endswith(f"in {target}")


def test_a_run_that_ends_the_process_ends_only_itself(workers):
    assert workers.run("jobs:leave")["error"] == "SystemExit: enough"
    assert workers.run("jobs:async_leave")["error"] == "SystemExit: 3"
    assert workers.run("jobs:odd")["error"].startswith("Odd: ")
    for target in ("leaving", "async_leaving"):
        assert workers.run(f"jobs:{target}")["error"] == "Leaving: <its text cannot be shown>"
    assert workers.run("jobs:nap")["state"] == "succeeded"


def test_what_cannot_be_found_says_so(workers):
    assert "No module named 'nowhere'" in workers.run("nowhere:f")["error"]
    assert "has no attribute 'gone'" in workers.run("jobs:gone")["error"]
    assert "no callable" in workers.run("jobs:released")["error"]
    assert "takes" in workers.run("jobs:nap", 1)["error"]


def test_a_module_that_was_fixed_is_found(workers):
    assert workers.run("late:run")["state"] == "failed"
    workers.write("late.py", "def run(:")
    assert "SyntaxError" in workers.run("late:run")["error"]
    workers.write("late.py", "def run(): print('now')")
    assert workers.run("late:run")["output"] == "now\n"


@pytest.mark.parametrize("process", [False, True])
def test_output_keeps_its_beginning_and_its_end(workers, process):
    output = workers.run("jobs:flood", 100, process=process)["output"]
    assert len(output) < 70_000
    assert output.startswith("xxx")
    assert output.endswith("the end\n")
    assert "characters left out" in output
    assert len(workers.run("jobs:one_line", 50, process=process)["output"]) < 70_000


def test_any_text_can_be_stored(workers):
    row = workers.run("jobs:half_a_character")
    assert row["output"] == "bad \\ud800 text\\xff bytes"


def test_what_is_written_past_python_holds_nobody_up(workers):
    row = workers.run("jobs:low_level")
    assert row["state"] == "succeeded", row
    assert "look out" in row["output"]
    wait_for(lambda: "past Python" in workers.logged())


@pytest.mark.parametrize("process", [False, True])
def test_progress(workers, process):
    name = workers.begin("jobs:say", process=process)
    row = workers.end(name)
    assert row["progress"] == 1
    assert row["output"] == f"{name} 1 True\n"


def test_concurrent_runs_do_not_mix_their_output(workers):
    names = [workers.begin("jobs:mark") for _ in range(20)]
    assert [workers.end(name)["output"] for name in names] == [f"{n}\n{n}\n" for n in names]


def test_an_async_run_that_takes_too_long_is_cancelled(workers):
    row = workers.run("jobs:sleep_on", timeout_us=200_000)
    assert (row["state"], row["reason"], row["output"]) == ("failed", "timeout", "asleep\nwoken\n")
    assert workers.run("jobs:deaf", timeout_us=200_000)["reason"] == "timeout"


def test_a_cancelled_task_ends_its_async_run(workers):
    name = workers.begin("jobs:sleep_on")
    row = workers.row(name)
    workers.service.cancel(name, wait=False)
    done = wait_for(
        lambda: (r := workers.service.wait_for_run(row["id"], 1)) and r["state"] == "failed" and r
    )
    assert done["reason"] == "cancelled"


def test_a_process_is_killed_with_its_children(workers, tmp_path):
    path = tmp_path / "pids"
    name = workers.begin("jobs:hang", str(path), process=True)
    pids = wait_for(lambda: path.exists() and path.read_text().split())
    run_id = workers.row(name)["id"]
    workers.service.cancel(name, wait=False)
    wait_for(lambda: not any(is_alive(int(pid)) for pid in pids))
    row = wait_for(
        lambda: (r := workers.service.wait_for_run(run_id, 1)) and r["state"] != "running" and r
    )
    assert (row["state"], row["reason"]) == ("failed", "cancelled")


def test_a_process_that_takes_too_long_is_killed(workers, tmp_path):
    row = workers.run("jobs:hang", str(tmp_path / "x"), process=True, timeout_us=100_000)
    assert (row["state"], row["reason"]) == ("failed", "timeout")


def test_a_crash_of_a_process_costs_nobody_else(workers):
    (pid,) = workers.pids()
    row = workers.run("jobs:segfault", process=True)
    assert (row["state"], row["error"]) == ("failed", "the run's process was ended by SIGSEGV")
    assert row["output"].startswith("so far\n")
    assert "exit code 7" in workers.run("jobs:exit_now", process=True)["error"]
    assert workers.run("jobs:eat", process=True)["error"] == "MemoryError"
    assert workers.pids() == [pid]


def test_the_state_of_a_worker_knows_of_no_visitor(workers):
    lines = workers.run("jobs:look")["output"].splitlines()
    assert lines[:2] == ["None {} {} {} None", "None None None 1"]
    assert "AttributeError state.busy belongs to a page's kernel" in lines[2]
    assert "RuntimeError state.on_session_created works in a setup script" in lines[3]


def test_a_forked_child_speaks_for_nobody(workers):
    assert workers.run("jobs:fork")["output"] == "parent\n"
    assert workers.run("jobs:nap")["state"] == "succeeded"


@pytest.mark.parametrize("process", [False, True])
def test_a_task_schedules_others(workers, process):
    row = workers.run("jobs:plan", process=process)
    lines = row["output"].splitlines()
    assert lines[0].startswith("planned True"), row
    assert "can schedule only what can be imported" in lines[1]
    assert "no task named 'nobody'" in lines[2]
    assert workers.end("planned")["output"] == "hello you!\n"
    workers.service.cancel("planned", wait=False)


@pytest.mark.parametrize("process", [False, True])
def test_a_name_that_nobody_has(workers, process):
    error = workers.run("jobs:cancel_nobody", process=process)["error"]
    assert error.startswith("NoSuchTaskError: ")
    assert "'nobody'" in error


@pytest.mark.parametrize("process", [False, True])
def test_a_task_awaits_another_ones_run(workers, process):
    row = workers.run("jobs:ask_for_run", process=process)
    assert row["output"] == "succeeded hello me!\n\n", row
    workers.service.cancel("by-hand", wait=False)


def test_a_task_may_cancel_itself(workers, tmp_path):
    path = tmp_path / "after"
    name = workers.begin("jobs:cancel_myself", str(path))
    wait_for(path.exists)
    wait_for(lambda: name not in [task["name"] for task in workers.service.list()])


def test_arguments_of_a_global_task_are_json(workers):
    assert "TypeError: args[0]" in workers.run("jobs:not_json")["error"]


def test_a_worker_leaves_it_to_the_server_when_to_end(workers):
    (pid,) = workers.pids()
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGINT)
    assert workers.run("jobs:nap")["state"] == "succeeded"
    assert workers.pids() == [pid]
