"""Setup scripts in real workers: what they declare, the hooks of sessions, edits, errors."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nbsession.core.headers import Headers
from nbsession.core.request import Request
from nbsession.core.session import SessionContext
from workers import wait_for

if TYPE_CHECKING:
    from workers import Workers

HELPER = """
def shared():
    print("shared", __name__)
"""

SETUP = """
import asyncio
import sys
from functools import partial

from nbsession import state

import helper

print("setting up")
counts = {"closure": 0}


def declare(word):
    def closure(extra):
        counts["closure"] += 1
        print(word, extra, counts["closure"])

    state.schedule_task("closure", partial(closure, "extra"), cron="@yearly")


def top(mark):
    print("top", mark, __name__, state.run.task)


async def once():
    print("once")


def dates():
    from datetime import datetime
    yield from (datetime(year, 1, 1) for year in range(2000, 2100))


declare("word")
state.schedule_task("once", once)
state.schedule_task("process", top, args=("!",), cron="@yearly", process=True)
state.schedule_task("shared", helper.shared, cron="@yearly", process=True)
state.schedule_task("dates", once, at=dates())
assert "closure" in state.tasks and state.tasks["process"].next_run
for bad in (lambda: None, declare.__call__):
    try:
        state.schedule_task("bad", bad, process=True)
    except ValueError as error:
        print("refused:", error)
if __name__ != "__main__":
    sys.exit("this is a script")
"""

HOOKS = """
import asyncio
import time
from pathlib import Path

from nbsession import state

heard = Path(__file__).with_name("heard")


def note(*words):
    with heard.open("a") as file:
        print(*words, file=file)


def created(session):
    time.sleep(0.05)
    note("created", session.id, session.request and session.request.headers["X-Who"])


async def created_later(session):
    await asyncio.sleep(0.01)
    note("later", session.id, session.kernel_id, session.ended_at)


def broken():
    raise ValueError("a bad hook")


state.on_session_created(created)
state.on_session_created(broken)
state.on_session_created(created_later)
state.on_session_created(lambda: note("never"))()
state.on_session_destroyed(lambda: note("second"))
state.on_session_destroyed(lambda session: note("first", session.id, session.ended_at is not None))
"""


def names(workers: Workers) -> set[str]:
    return {task["name"] for task in workers.service.list()}


def output(workers: Workers, name: str) -> str:
    row = workers.service.run_now(name)
    done = workers.service.wait_for_run(row["id"], 30)
    assert done is not None
    assert done["state"] == "succeeded", done
    return str(done["output"])


def context(number: int, *, ended: bool = False) -> dict:
    request = Request("GET", "http://x/", "/", "", Headers([("X-Who", f"visitor {number}")]))
    now = datetime.now(UTC)
    session = SessionContext(
        f"s{number}", f"k{number}", now, now if ended else None, lambda: request
    )
    return json.loads(json.dumps(session.to_json()))


def test_what_a_setup_script_declares(own_workers):
    workers = own_workers
    workers.write("helper.py", HELPER)
    workers.write("setup.py", SETUP)
    workers.start_setups()
    assert names(workers) == {"closure", "once", "process", "shared", "dates"}, workers.logged()
    assert workers.end("once")["output"] == "once\n"
    assert output(workers, "closure") == "word extra 1\n"
    assert output(workers, "closure") == "word extra 2\n"
    assert output(workers, "process").splitlines()[-1] == "top ! __main__ process"
    assert output(workers, "shared") == "shared helper\n"
    task = workers.service.show("process")
    assert task["callback"] == "setup:top"
    assert task["owner"] == str(workers.folder / "setup.py")
    assert workers.service.show("dates")["last_error"] is None
    assert wait_for(lambda: workers.service.show("dates")["next_run"]) > "2026"
    assert "setting up" in workers.logged()
    assert workers.logged().count("refused: process=True needs a function") == 2


def test_hooks_see_every_session_in_order(own_workers):
    workers = own_workers
    workers.write("setup.py", HOOKS)
    for number in range(3):  # also what happens before the script has run
        workers.notify("created", context(number))
    workers.start_setups()
    for number in range(3):
        workers.notify("destroyed", context(number, ended=True))
    workers.call(workers.executor.hook_drain())
    lines = (workers.folder / "heard").read_text().splitlines()
    assert "never" not in lines
    for number in range(3):
        mine = [line for line in lines if f" s{number}" in line]
        assert mine == [
            f"created s{number} visitor {number}",
            f"later s{number} k{number} None",
            f"first s{number} True",
        ]
    assert lines.count("second") == 3
    logged = workers.logged()
    assert logged.count("a callback of state.on_session_created has raised") == 3
    assert "ValueError: a bad hook" in logged
    assert "visitor" not in logged


def test_hooks_run_before_the_worker_ends(own_workers):
    workers = own_workers
    workers.write("setup.py", HOOKS)
    workers.start_setups()
    for number in range(5):
        workers.notify("destroyed", context(number, ended=True))
    workers.call(workers.executor.close())
    assert (workers.folder / "heard").read_text().count("second") == 5


def test_an_edit_is_taken_up(own_workers):
    workers = own_workers
    source = """
    from nbsession import state
    from helper import word
    def speak(): print(word)
    state.schedule_task("speak", speak, cron="@yearly")
    state.schedule_task("old", speak, cron="@yearly")
    """
    workers.write("helper.py", "word = 1")
    workers.write("setup.py", source)
    workers.start_setups()
    assert output(workers, "speak") == "1\n"
    first = workers.service.show("speak")
    (pid,) = workers.pids()

    workers.write("helper.py", "word = 2")
    wait_for(lambda: workers.pids() not in ([pid], []))
    assert output(workers, "speak") == "2\n"

    workers.write("setup.py", source.replace('"old"', '"new"').replace("@yearly", "@monthly"))
    wait_for(lambda: names(workers) == {"speak", "new"})
    assert output(workers, "new") == "2\n"
    assert workers.service.show("speak")["schedule"] != first["schedule"]
    assert len(workers.service.history("speak", 9)) == 2


def test_an_edit_that_raises_changes_nothing(own_workers):
    workers = own_workers
    source = """
    from nbsession import state
    def speak(): print("good")
    state.schedule_task("speak", speak, cron="@yearly")
    """
    workers.write("setup.py", source)
    workers.start_setups()
    added = 'state.schedule_task("x", speak); 1 / 0; print("bad")'
    workers.write("setup.py", source.replace("good", "bad").rstrip() + f"\n    {added}\n")
    wait_for(lambda: "ZeroDivisionError" in workers.logged())
    assert 'setup.py", line 5, in <module>' in workers.logged()
    assert names(workers) == {"speak"}
    assert output(workers, "speak") == "good\n"
    workers.write("setup.py", source.replace("good", "better"))
    wait_for(lambda: output(workers, "speak") == "better\n")


def test_a_script_that_raises_at_the_start_is_tried_again_when_edited(own_workers):
    workers = own_workers
    workers.notify("created", context(1))
    workers.start_setups()  # there is none
    assert "FileNotFoundError" in workers.logged()
    workers.write("setup.py", HOOKS + "raise SystemExit(3)")
    wait_for(lambda: "sys.exit(3)" in workers.logged())
    workers.write("setup.py", HOOKS + "raise SystemExit")
    workers.call(workers.executor.hook_drain())
    assert "created s1" in (workers.folder / "heard").read_text()


def test_a_name_that_is_given_up_and_taken_again(own_workers):
    workers = own_workers
    workers.write(
        "setup.py",
        """
        from datetime import UTC, datetime, timedelta
        from pathlib import Path

        from nbsession import state

        def make(word):
            def speak():
                with Path("heard").open("a") as file:
                    print(word, file=file)
            return speak

        soon = datetime.now(UTC) + timedelta(seconds=0.5)
        state.schedule_task("name", make("old"), at=soon)
        state.cancel_task("name", wait=True)
        state.schedule_task("name", make("new"), period="200ms")
        """,
    )
    workers.start_setups()
    wait_for(lambda: workers.service.show("name")["run_count"] >= 2)
    heard = wait_for(lambda: "old" in (text := (workers.folder / "heard").read_text()) and text)
    assert heard.count("old") == 1
    assert heard.count("new") >= 2
    assert workers.service.show("name")["error_count"] == 0, workers.service.history("name", 9)


def test_a_script_that_says_two_things_of_one_name(own_workers):
    workers = own_workers
    source = """
    import warnings

    from nbsession import TaskExistsWarning, state

    def one(): pass
    def two(): pass

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TaskExistsWarning)
        for callback in (one, one):
            state.schedule_task("first", callback, cron="@yearly")
        assert not caught
        state.schedule_task("first", two, cron="@yearly")
        state.schedule_task("first", one, cron="@monthly")
        task = state.schedule_task("first", one, cron="@yearly", args=(1,))
        print("warned", len(caught), task.name)
        for callback, replace in ((one, False), (two, True)):
            state.schedule_task("replaced", callback, cron="@yearly", replace=replace)
        state.schedule_task("anew", one, cron="@yearly")
        state.cancel_task("anew")
        state.schedule_task("anew", two, cron="@yearly")
        print("warned", len(caught))
    """
    workers.write("setup.py", source)
    workers.start_setups()
    logged = wait_for(lambda: (text := workers.logged()).count("warned") == 2 and text)
    assert "warned 3 first" in logged
    assert "warned 3\n" in logged + "\n"
    first = workers.service.show("first")
    assert (first["callback"], first["schedule"]["cron"]) == ("setup:one", "@yearly")
    assert workers.service.show("replaced")["callback"] == "setup:two"
    assert workers.service.show("anew")["callback"] == "setup:two"
    # Another run of the script may say anything else.
    workers.write("setup.py", source.replace("(one, one)", "(two, two)"))
    wait_for(lambda: workers.service.show("first")["callback"] == "setup:two")
    assert workers.service.show("first")["id"] == first["id"]


def test_a_process_loads_the_script_and_schedules_nothing(own_workers):
    workers = own_workers
    workers.write(
        "setup.py",
        """
        from nbsession import state

        def other(): print("other")

        def alone():
            print([run.state for run in later.history()], "gone" in state.tasks)
            later.pause()
            print(state.tasks["other"].run_now().result().output)
            try:
                state.cancel_task("gone")
            except KeyError:
                print("gone")

        state.schedule_task("alone", other, cron="@yearly").cancel()
        state.schedule_task("alone", other, cron="@monthly")
        state.cancel_task("alone")
        state.schedule_task("alone", alone, cron="@yearly", process=True)
        once = state.schedule_task("other", other, cron="@yearly")
        once.run_now()
        later = state.schedule_task("later", other, cron="@yearly")
        later.pause()
        gone = state.schedule_task("gone", other, cron="@yearly")
        gone.pause(), gone.resume(), gone.history(), gone.state
        gone.cancel()
        state.schedule_task("ending", other, cron="@yearly")
        state.cancel_task("ending")
        """,
    )
    workers.start_setups()
    assert workers.end("other")["state"] == "succeeded"
    assert workers.service.show("later")["state"] == "paused"
    workers.service.resume("later")
    lines = output(workers, "alone").splitlines()
    assert lines == ["[] False", "other", "", "gone"]
    assert len(workers.service.history("other", 9)) == 2, "one by the script, one by the task"
    assert workers.service.show("later")["state"] == "paused"
    assert names(workers) == {"alone", "other", "later"}


def test_a_restart_runs_the_script_again(own_workers):
    workers = own_workers
    workers.write(
        "setup.py",
        """
        from nbsession import state
        def speak(): print("here")
        state.schedule_task("speak", speak, cron="@yearly")
        """,
    )
    workers.start_setups()
    pid = workers.kill_worker()
    wait_for(lambda: workers.pids() not in ([pid], []))
    assert output(workers, "speak") == "here\n"


def test_a_task_of_a_setup_script_schedules_only_what_can_be_imported(own_workers):
    workers = own_workers
    workers.write("helper.py", HELPER)
    workers.write(
        "setup.py",
        """
        from nbsession import state
        import helper

        def other(): pass

        def plan():
            state.schedule_task("shared", helper.shared)
            try:
                state.schedule_task("other", other)
            except ValueError as error:
                print(error)

        state.schedule_task("plan", plan)
        """,
    )
    workers.start_setups()
    assert "can schedule only what can be imported" in workers.end("plan")["output"]
    assert workers.end("shared")["output"] == "shared helper\n"
    assert workers.service.show("shared")["owner"] is None


def test_a_script_that_does_not_work_holds_up_no_end(own_workers):
    workers = own_workers
    workers.write("setup.py", "1 / 0")
    workers.start_setups()
    workers.notify("created", context(1))
    workers.call(workers.executor.close(seconds=60))
    assert "callbacks for session s1 (created)" in workers.logged()
