"""What others have written steers no terminal, and files of others harm nothing."""

from __future__ import annotations

import json
import os
import socket
from argparse import Namespace
from typing import TYPE_CHECKING, Any

import pytest

from nbsession.command import doctor, tasks
from nbsession.command import servers as running_server
from nbsession.command.app import main
from nbsession.command.doctor import Check
from nbsession.command.servers import CommandError, choose_server, running_servers

if TYPE_CHECKING:
    from pathlib import Path

ESCAPE = "\x1b[31m"
FACTS: dict[str, Any] = {
    "app": "jupyter_server",
    "root": f"/srv/{ESCAPE}",
    "url": "http://h/",
    "link": "unix:/none",
    "token": "secret",
    "pid": os.getpid(),
    "host": socket.gethostname(),
}


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def _write(runtime: Path, name: str, data: object) -> None:
    (runtime / f"nbsession-{name}.json").write_text(json.dumps(data))


@pytest.mark.parametrize(
    "data",
    [
        {},
        [],
        5,
        {**FACTS, "pid": "many"},
        {**FACTS, "pid": 10**30},
        {**FACTS, "root": None},
        {name: value for name, value in FACTS.items() if name != "token"},
    ],
    # No process number in a test's name: pytest's workers must find the same names.
    ids=["nothing", "list", "number", "pid as text", "pid too large", "no root", "no token"],
)
def test_foreign_files(runtime: Path, data: object) -> None:
    _write(runtime, "foreign", data)
    (runtime / "nbsession-half.json").write_text('{"pid":')
    _write(runtime, "ours", FACTS)
    assert [server.token for server in running_servers()] == ["secret"]


def test_the_choice_of_servers(runtime: Path) -> None:
    _write(runtime, "a", FACTS)
    _write(runtime, "b", FACTS)
    with pytest.raises(CommandError) as told:
        choose_server(str(os.getpid()))
    assert ESCAPE not in str(told.value)
    assert str(told.value).count("/srv/\\x1b[31m") == 2


@pytest.mark.parametrize(
    "wanted",
    [
        "http://127.0.0.1:8888/lab/?token=secret",
        "http://localhost:8888/lab?token=secret",
        "http://127.0.0.1:8888/lab",
        ":8888/",
    ],
)
def test_a_server_by_the_address_that_it_prints(runtime: Path, wanted: str) -> None:
    _write(runtime, "a", {**FACTS, "url": "http://127.0.0.1:8888/lab/", "token": "this"})
    _write(runtime, "b", {**FACTS, "url": "http://127.0.0.1:9999/lab/", "token": "other"})
    assert choose_server(wanted).token == "this"


@pytest.mark.parametrize(
    "arguments", [["show", "x", "--runs", "0"], ["show", "x", "--runs=-1"], ["--server", ""]]
)
def test_arguments_that_make_no_sense(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["tasks", *arguments])
    assert end.value.code == 2
    assert "give a pid" in (told := capsys.readouterr().err) or "from 1 on" in told


@pytest.mark.parametrize(
    ("arguments", "name", "rest"),
    [
        (["show", "a"], "a", {}),
        (["show", "-v"], "-v", {"json": False}),
        (["show", "-hello", "--json"], "-hello", {"json": True}),
        (["--json", "show", "--runs", "3", "-5"], "-5", {"json": True, "runs": 3}),
        (["show", "--runs=3", "--verbose"], "--verbose", {"runs": 3}),
        (["--server", "x", "run", "--wait", "-v=1"], "-v=1", {"wait": True, "server": "x"}),
        (["cancel", "-", "--wait"], "-", {"wait": True}),
        (["pause", "-x y"], "-x y", {}),
        (["resume", "--", "-v"], "-v", {}),
        (["run", "--json", "--", "--json"], "--json", {"json": True, "wait": False}),
        (["show", "--", "-h"], "-h", {}),
        (["show", "--", "--"], "--", {}),
        (["show", "---"], "---", {}),
        (["show", "list", "--js"], "list", {"json": True}),
    ],
)
def test_names_that_look_like_options(
    arguments: list[str], name: str, rest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[Namespace] = []
    monkeypatch.setattr(tasks, "_call", lambda options: called.append(options) or 0)
    assert main(["tasks", *arguments]) == 0
    [options] = called
    assert (options.name, options.action) == (
        name,
        next(a for a in arguments if a in tasks._ACTIONS),
    )
    assert {key: getattr(options, key) for key in rest} == rest


@pytest.mark.parametrize(
    "arguments",
    [["show"], ["show", "--"], ["run", "a", "-v"], ["pause", "a", "b"], ["-v"], ["list", "-v"]],
)
def test_what_is_no_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["tasks", *arguments])
    assert end.value.code == 2
    assert "usage: jupyter nbsession" in capsys.readouterr().err


@pytest.mark.parametrize("action", ["show", "run", "pause", "resume", "cancel"])
@pytest.mark.parametrize("name", ["", " ", " a", "..", "a\nb", "\udcff", "x" * 1000])
def test_names_that_no_task_has(
    runtime: Path, action: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(runtime, "ours", FACTS)
    assert main(["tasks", action, name]) == 1
    assert "no task has a name such as" in capsys.readouterr().err


def test_what_was_missed_in_a_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = {
        "id": 1,
        "due": "2026-11-22T09:00:01Z",
        "until": "2026-11-22T09:01:39Z",
        "count": 99,
        "state": "missed",
        "started_at": None,
        "ended_at": "2026-11-22T09:02:00Z",
        "error": None,
        "reason": "too late",
        "traceback": None,
    }
    task = {
        "name": "a",
        "callback": "jobs:a",
        "schedule": {"period": "1s"},
        "state": "scheduled",
        "next_run": None,
        "last_run": "2026-11-22T09:00:00Z",
        "last_state": "succeeded",
        "run_count": 1,
        "error_count": 0,
        "home": None,
        "gap": run,
    }
    often = {**run, "id": 2, "state": "skipped", "count": None}
    server = Answers(task=task, runs={"runs": [often, run]})
    monkeypatch.setattr(tasks, "choose_server", lambda _: server)
    options = Namespace(action="show", name="a", runs=10, json=False, server=None)
    assert tasks._call(options) == 0
    *_, second, first = capsys.readouterr().out.splitlines()
    assert " to 20" in first
    assert "missed 99 times" in first
    assert "skipped many times" in second
    server.answers["task"] = {"tasks": [task]}
    assert tasks._call(Namespace(action="list", json=False, server=None)) == 0
    assert "succeeded, then missed 99 times" in capsys.readouterr().out


def test_the_output_of_a_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = {
        "id": 1,
        "state": "failed",
        "output": f"one\n{ESCAPE}two",
        "error": f"ValueError: {ESCAPE}",
        "reason": None,
        "traceback": f"Traceback\n{ESCAPE}\n",
    }
    monkeypatch.setattr(tasks, "choose_server", lambda _: Answers(run=run))
    options = Namespace(action="run", name="a", wait=False, json=False, server=None)
    assert tasks._call(options) == 1
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err
    assert shown.out.startswith("one\n\\x1b[31mtwo\na: run 1 failed")


class Answers:
    """Stands for a running server that answers the same again."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def get(self, path: str) -> Any:
        return self.answers["runs" if "runs" in path else "task"]

    def post(self, path: str, data: object) -> Any:
        return self.answers["run"]


def test_a_task_and_its_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = {
        "id": 1,
        "due": None,
        "state": "failed",
        "started_at": None,
        "ended_at": None,
        "error": f"ValueError: {ESCAPE}",
        "reason": None,
        "traceback": f"Traceback\n  line\nValueError: {ESCAPE}\n",
    }
    task = {
        "name": "a",
        "callback": f"jobs:{ESCAPE}",
        "schedule": {"period": f"1h{ESCAPE}"},
        "state": "scheduled",
        "next_run": None,
        "run_count": 1,
        "error_count": 1,
        "home": {
            "python": f"/bin/{ESCAPE}",
            "folder": f"/{ESCAPE}",
            "setup": None,
            "directory": "/",
        },
    }
    server = Answers(task=task, runs={"runs": [run]})
    monkeypatch.setattr(tasks, "choose_server", lambda _: server)
    options = Namespace(action="show", name="a", runs=10, json=False, server=None)
    assert tasks._call(options) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\nTraceback\n  line\nValueError: \\x1b[31m\n" in shown


def test_doctor(
    runtime: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(runtime, "a", FACTS)
    bad = Check("part", "bad", f"found {ESCAPE}", f"mend {ESCAPE}")
    monkeypatch.setattr(doctor, "_check_server", lambda _: [bad])
    doctor._call(Namespace(json=False))
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "to fix: mend \\x1b[31m" in shown


def test_what_a_server_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    class Response:
        status = 400

        def read(self) -> bytes:
            return json.dumps({"message": f"no {ESCAPE}\nsecond line"}).encode()

        def getheader(self, _name: str, _default: str = "") -> str:
            return str(running_server.PROTOCOL)

    class Connection:
        def request(self, *_args: Any, **_options: Any) -> None: ...

        def getresponse(self) -> Response:
            return Response()

        def close(self) -> None: ...

    monkeypatch.setattr("nbsession.core.link_http.open_connection", lambda *_: Connection())
    server = running_server.RunningServer(1, "app", "/", "http://h/", "unix:/x", "secret")
    with pytest.raises(CommandError, match=r"^no \\x1b\[31m\nsecond line$"):
        server.get("tasks")
