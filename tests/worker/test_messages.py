"""Messages of workers are checked before they are trusted."""

from __future__ import annotations

import json
import math
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from nbsession.core.schedule.parse import make_trigger
from nbsession.core.session import SessionContext
from nbsession.scheduler.workers.messages import Lines
from nbsession.scheduler.workers.validation import (
    MAX_OUTPUT_CHARACTERS,
    InvalidMessageError,
    checked_message,
)
from workers import Workers, is_alive, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOBS = """
import gc
import os
import sys
import time

from nbsession.worker.runs import Runs

channel = int(sys.argv[1])


def say(text):
    data = text.replace("JOB", str(job())).encode("utf-8", "surrogatepass")
    while data:
        data = data[os.write(channel, data):]


def job():
    (runs,) = (each for each in gc.get_objects() if type(each) is Runs)
    return max(runs._runs)


def tell(text, seconds=30):
    say(text)
    time.sleep(seconds)


def tell_of_parent(seconds=30):
    tell('{"op":"child","job":JOB,"pid":%d}\\n' % os.getppid(), seconds)


def flood(text, times):
    say(text * times)


def which():
    print(os.getpid())

"""

ENDED = {"op": "ended", "job": 1, "state": "failed", "started": None, "ended": 10**15}
PROGRESS = {"op": "progress", "job": 1, "fraction": 0.5, "text": "half"}
ASK = {"op": "ask", "job": 1, "what": "list", "args": [], "kwargs": {}, "run": None}
LOG = {"op": "log", "level": "info", "text": "hello"}


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        "ended",
        5,
        {},
        {"op": None},
        {"op": ["ended"]},
        {"op": "explode"},
        {"op": "ended"},
        ENDED | {"job": "1"},
        ENDED | {"job": True},
        ENDED | {"job": -1},
        ENDED | {"job": 1.5},
        ENDED | {"job": 10**400},
        ENDED | {"state": "running"},
        ENDED | {"state": "lost"},
        ENDED | {"state": {}},
        ENDED | {"ended": None},
        ENDED | {"ended": "now"},
        ENDED | {"ended": math.nan},
        ENDED | {"ended": 2**70},
        ENDED | {"ended": -(10**18)},
        ENDED | {"started": 1e15},
        ENDED | {"reason": 5},
        ENDED | {"error": ["x"]},
        ENDED | {"traceback": {}},
        ENDED | {"output": None},
        PROGRESS | {"fraction": math.nan},
        PROGRESS | {"fraction": math.inf},
        PROGRESS | {"fraction": -0.1},
        PROGRESS | {"fraction": 10**400},
        PROGRESS | {"fraction": "half"},
        PROGRESS | {"fraction": True},
        PROGRESS | {"text": None},
        {"op": "child", "job": 1, "pid": 0},
        {"op": "child", "job": 1, "pid": 1},
        {"op": "child", "job": 1, "pid": -5},
        {"op": "child", "job": 1, "pid": 2**31},
        {"op": "child", "job": 1, "pid": "7"},
        {"op": "source", "path": "a\0b", "stamp": None},
        {"op": "source", "path": "", "stamp": None},
        {"op": "source", "path": "x" * 5000, "stamp": None},
        {"op": "source", "path": "/a", "stamp": [1, 2]},
        {"op": "source", "path": "/a", "stamp": [1, 2, math.inf]},
        {"op": "ready", "tasks": "all"},
        {"op": "ready", "tasks": [1]},
        {"op": "hello", "protocol": "1", "version": "1"},
        {"op": "hello", "protocol": 1},
        {"op": "answered", "job": 1, "value": 2**70},
        {"op": "answered", "job": 1, "value": 1.0},
        {"op": "broken", "error": 1, "trace": ""},
        ASK | {"args": {}},
        ASK | {"args": [[{"x": math.nan}]]},
        ASK | {"kwargs": {"x": [math.inf]}},
        ASK | {"kwargs": []},
        ASK | {"run": "1"},
        ASK | {"what": 5},
        LOG | {"level": "loud"},
        LOG | {"level": 10},
        LOG | {"text": ["x"]},
        LOG | {"trace": 5},
    ],
    ids=lambda message: ascii(message)[:60],
)
def test_what_no_worker_says(message: Any) -> None:
    with pytest.raises(InvalidMessageError) as raised:
        checked_message(message)
    assert len(str(raised.value)) < 300


def test_long_and_odd_text_of_workers_is_shortened_and_storable() -> None:
    for message in (ENDED, PROGRESS, ASK, LOG):
        assert checked_message(message) == message
    assert checked_message(LOG | {"more": 1}) == LOG
    long = {"reason": "r" * 574_000, "error": "e" * 574_000, "traceback": "t\ud800" * 574_000}
    message = checked_message({**ENDED, **long, "output": "ü" * 574_000})
    for name, most in {"reason": 3e3, "error": 3e3, "traceback": 2e5, "output": 7e4}.items():
        assert len(message[name]) < most
        message[name].encode()
    whole = "ü" * MAX_OUTPUT_CHARACTERS
    assert checked_message({**ENDED, "output": whole})["output"] == whole


@pytest.mark.parametrize(
    "line", [b"{", b"NaN", b"[Infinity]", b"[" * 100_000, b"\xff", b"9" * 5000]
)
def test_lines_that_are_no_json(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|nested|Expecting|decode|digits"):
        list(Lines().feed(line + b"\n"))


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    workers = Workers(tmp_path)
    workers.write("jobs.py", JOBS)
    yield workers
    workers.close()


@pytest.mark.parametrize(
    "text",
    [
        '{"op":"ended","job":JOB,"state":"succeeded","started":null,"ended":1e300}\n',
        '{"op":"ended","job":JOB,"state":"bananas","started":null,"ended":1}\n',
        '{"op":"ended","job":JOB}\n',
        '{"op":"ended","job":JOB,"state":"failed","started":null,"ended":1,"error":[1]}\n',
        '{"op":"answered","job":JOB,"value":null}\n',
        '{"op":"progress","job":JOB,"fraction":"much","text":""}\n',
        '{"op":"progress","job":JOB,"fraction":1e999,"text":""}\n',
        '{"op":"progress","job":JOB,"fraction":0.5}\n',
        '{"op":"child","job":JOB,"pid":1}\n',
    ],
)
def test_an_odd_message_of_a_run_ends_that_run(workers, text):
    workers.run("jobs:which")
    [pid] = workers.pids()
    row = workers.run("jobs:tell", text)
    assert row["state"] == "failed"
    assert "invalid message" in row["error"]
    assert json.dumps(row, allow_nan=False)
    assert workers.run("jobs:which")["output"] == f"{pid}\n"


@pytest.mark.parametrize(
    "text",
    [
        "g\u00e4rbage" * 82_000 + "\n",
        '{"op":"' + "x" * 574_000 + '"}\n',
        '{"' + "k" * 574_000 + '":1}\n',
        '{"op":"progress","job":JOB,"fraction":NaN,"text":""}\n',
        "[" * 100_000 + "\n",
        '{"op":"log","level":"info","text":{}}\n',
        '{"op":"ready","tasks":5}\n',
        '{"op":"source","path":"a\\u0000b","stamp":null}\n',
    ],
    ids=range(8),
)
def test_garbage_ends_the_worker_with_a_short_line_in_the_log(workers, text):
    pid = int(workers.run("jobs:which")["output"])
    row = workers.run("jobs:tell", text)
    assert row["state"] == "lost"
    assert "it sent an invalid message" in row["reason"]
    assert len(json.dumps(row)) < 3_000
    assert 0 < len(workers.logged()) < 3_000
    wait_for(lambda: not is_alive(pid))
    assert int(workers.run("jobs:which")["output"]) != pid


def test_long_texts_are_cut(workers):
    text = '{"op":"log","level":"info","text":"%s"}\n' % ("x" * 574_000)
    workers.run("jobs:tell", text, 0)
    wait_for(lambda: "xxx" in workers.logged())
    assert len(workers.logged()) < 10_000
    row = workers.run(
        "jobs:tell",
        '{"op":"ended","job":JOB,"state":"failed","started":1,"ended":2,"reason":"%s"}\n'
        % ("r" * 574_000),
    )
    assert len(json.dumps(row)) < 3_000


def test_a_flood_of_lines_is_cut_by_the_server_too(workers):
    text = '{"op":"log","level":"info","text":"flood"}\n'
    assert workers.run("jobs:flood", text, 20_000)["state"] == "succeeded"
    assert 0 < workers.logged().count("flood") <= 5_000


def test_a_process_that_is_none_of_the_worker_is_not_killed(workers):
    row = workers.run("jobs:tell_of_parent")
    assert row["state"] == "failed"
    assert "no process that it has started" in row["error"]
    pid = workers.kill_worker()
    wait_for(lambda: not is_alive(pid))
    assert workers.run("jobs:which")["state"] == "succeeded"
    assert is_alive(os.getpid())


@pytest.mark.parametrize(
    ("answer", "why"), [('"value":"soon"', "invalid message"), ('"error":"broken"', "broken")]
)
def test_the_answer_of_a_trigger(workers, answer, why):
    name = f"odd{len(answer)}"
    source = """
        import os, sys, time
        def work(): pass
        def when(now):
            for job in range(1, 200):
                os.write(int(sys.argv[1]), b'{"op":"answered","job":%d,ANSWER}\\n' % job)
            time.sleep(30)
    """
    workers.write(f"{name}.py", source.replace("ANSWER", answer))
    target = {"kind": "import", "module": name, "qualname": "work"}
    spec = {
        "name": name,
        "target": target,
        "trigger": {"kind": "code", "code": "callable", "tz": None},
        "args": [],
        "kwargs": {},
        "policies": {},
        "home": workers.home().to_json(),
        "at_target": {**target, "qualname": "when"},
    }
    workers.service.schedule(spec, replace=False)
    task = wait_for(lambda: (t := workers.service.show(name))["state"] == "finished" and t)
    assert why in task["ended_by"]


def test_odd_requests_are_refused_where_they_are_made(workers):
    workers.write(
        "requests_.py",
        """
        from nbsession.worker import state as active

        def send():
            ask = active.state._router._service._call
            requests = [
                ("schedule", {"name": "x"}), ("schedule", 5), ("schedule",), ("history", "x", -1),
                ("history", "x", "y"), ("show", ["x"]), ("wait_for_run", 1, 1e9),
                ("wait_for_run", "x"), ("explode",), ("show", "x" * 574_000),
            ]
            for what, *args in requests:
                try:
                    ask(what, *args)
                except Exception as error:
                    assert len(str(error)) < 5_000, len(str(error))
                    print(type(error).__name__)
                else:
                    print("taken:", what, args)
        """,
    )
    row = workers.run("requests_:send")
    assert row["state"] == "succeeded", row["traceback"]
    assert "taken" not in row["output"]
    assert len(row["output"].splitlines()) == 10


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "x" * 201},
        {"args": [5, {"x": ["y"] * 300_000}]},
        {"target": {"kind": "setup", "module": "jobs", "qualname": "which"}},
        {"target": {"kind": "local", "module": "jobs", "qualname": "which"}},
        {"home": {"python": "python", "folder": "/", "setup": None}},
        {"home": {"python": "/bin/python", "folder": "/", "setup": "/srv/other.py"}},
        {"policies": {"timeout_us": -1}},
        {"policies": {"overlap": "perhaps"}},
        {"kwargs": [1]},
    ],
    ids=lambda change: ascii(change)[:50],
)
def test_a_worker_declares_only_tasks(workers, change):
    workers.write(
        "declare.py",
        """
        import json
        from nbsession.worker import state as active

        def declare(spec):
            active.state._router._service._call("schedule", spec, replace=False)

        def declare_file(path):
            with open(path) as file:
                declare(json.load(file))
        """,
    )
    spec = {
        "name": "a task",
        "target": {"kind": "import", "module": "jobs", "qualname": "which"},
        "trigger": make_trigger(None, "1h", None, None, 0).to_json(),
        "args": [],
        "kwargs": {},
        "policies": {},
        "home": workers.home().to_json(),
        "at_target": None,
    }
    assert workers.run("declare:declare", spec)["state"] == "succeeded"
    workers.service.cancel("a task", wait=False)
    (workers.folder / "change.json").write_text(json.dumps(spec | change))
    row = workers.run("declare:declare_file", str(workers.folder / "change.json"))
    assert row["state"] == "failed"
    assert "ValueError" in row["error"] or "RuntimeError" in row["error"]
    names = [task["name"] for task in workers.service.list()]
    assert not [name for name in names if not name.startswith("declare")]


def test_a_session_hook_that_answers_oddly(tmp_path):
    workers = Workers(tmp_path, ("setup.py",))
    try:
        workers.write(
            "setup.py",
            """
            import os
            from nbsession import state

            @state.on_session_created
            def created(session):
                for job in range(9):
                    text = b'{"op":"ended","job":%d}\\n' % job
                    os.write(state._log._channel._socket.fileno(), text)
            """,
        )
        workers.start_setups()
        session = SessionContext("s", "k", datetime.now(UTC))
        workers.notify("created", session.to_json())
        workers.call(workers.executor.hook_drain())
        assert "callbacks for session s" in workers.logged(), workers.logged()
    finally:
        workers.close()
