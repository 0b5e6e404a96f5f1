"""`jupyter nbsession tasks`: lists, shows and changes the tasks of a running server."""

from __future__ import annotations

import argparse
import json
import sys
import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nbsession.core.tasks.run import OPEN_STATES
from nbsession.core.text import printable, printable_lines
from nbsession.scheduler.api.declare import is_name
from nbsession.scheduler.api.remote import HTTPCall, RemoteTaskService
from nbsession.scheduler.api.task import schedule_text, state_text

from .servers import CommandError, choose_server

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbsession.core.tasks.schema import TaskJSON


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return lines with aligned columns; what cannot be printed is escaped."""
    cells = [[printable(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in cells
    )


def _width(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(bool(unicodedata.combining(c)) for c in text)


_HOLD_SECONDS = 25.0
_WITH_VALUE = ("--server", "--runs")
_OPTIONS = ("--help", "--json", "--wait", *_WITH_VALUE)
_STAND_IN = "NAME"
_NAME_HELP = (
    "of the task, also one that begins with a hyphen; if an option is called so: last, after --"
)
_ACTIONS = {
    "list": "list the tasks",
    "show": "show a task and its runs",
    "run": "run a task now",
    "pause": "pause a task",
    "resume": "resume a paused task",
    "cancel": "cancel a task",
}


def add_parser(commands: Any) -> None:
    """Add the command to those of `jupyter nbsession`."""
    parser = commands.add_parser(
        "tasks", help="list, show, run, pause, resume and cancel the tasks of a running server"
    )
    actions = parser.add_subparsers(dest="action", metavar="COMMAND")
    for action, text in _ACTIONS.items():
        sub = actions.add_parser(action, help=text, description=text)
        if action != "list":
            sub.add_argument("name", metavar="NAME", help=_NAME_HELP)
        if action == "show":
            what = "how many runs (default: 10)"
            sub.add_argument("--runs", type=_at_least_one, default=10, metavar="N", help=what)
        if action in ("run", "cancel"):
            what = "until the run has ended" if action == "run" else "for one more run first"
            sub.add_argument("--wait", action="store_true", help=f"wait {what}")
        _add_options(sub)
    _add_options(parser)
    parser.set_defaults(call=_call, action="list", json=False, server=None)


def take_name(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """Return the arguments with a stand-in for a task's name, and the name.

    It may begin with a hyphen, which argparse takes for an option. None if there is no name.
    """
    words = list(arguments)
    if words[:1] != ["tasks"]:
        return words, None
    place, action = 1, None
    while place < len(words):
        word = words[place]
        if word == "--" and action is not None and len(words) == place + 2:
            return [*words[:place], _STAND_IN], words[-1]
        if _is_option(word):
            place += 1 + (_takes_value(word) and "=" not in word)
        elif action is None:
            action = word
            place += 1
            if action not in _ACTIONS or action == "list":
                break
        else:
            return [*words[:place], _STAND_IN, *words[place + 1 :]], word
    return words, None


def _is_option(word: str) -> bool:
    name = word.partition("=")[0]
    return word in ("-h", "--") or (
        name.startswith("--") and any(option.startswith(name) for option in _OPTIONS)
    )


def _takes_value(word: str) -> bool:
    name = word.partition("=")[0]
    return name != "--" and any(option.startswith(name) for option in _WITH_VALUE)


def _add_options(parser: argparse.ArgumentParser) -> None:
    # Suppressed, or a subcommand's default would win over what was said before it.
    unset = argparse.SUPPRESS
    parser.add_argument("--json", action="store_true", default=unset, help="print JSON")
    text = "a pid, folder or URL, if several are running"
    parser.add_argument("--server", type=_some_text, metavar="WHICH", default=unset, help=text)


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def _some_text(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("give a pid, a folder or a URL")
    return text


def _call(options: argparse.Namespace) -> int:
    action = options.action or "list"  # `jupyter nbsession tasks` alone
    if action != "list" and not is_name(options.name):
        raise CommandError(
            f"no task has a name such as {options.name!r}; `jupyter nbsession tasks` lists them"
        )
    service = RemoteTaskService(HTTPCall(choose_server(options.server)))
    match action:
        case "list":
            return _list(service, options)
        case "show":
            return _show(service, options)
        case "run":
            return _run(service, options)
        case "cancel":
            service.cancel(options.name, wait=options.wait)
            later = " after one more run" if options.wait else ""
            return _report({"name": options.name}, f"cancelled{later}", options)
        case "pause":
            return _report(service.pause(options.name), "paused", options)
    return _report(service.resume(options.name), "resumed", options)


def _report(answer: object, done: str, options: argparse.Namespace) -> int:
    print(json.dumps(answer, indent=2) if options.json else f"{options.name}: {done}")
    return 0


def _list(service: RemoteTaskService, options: argparse.Namespace) -> int:
    tasks = service.list()
    if options.json:
        print(json.dumps(tasks, indent=2))
    elif not tasks:
        print("no tasks; `state.schedule_task` in a notebook or a setup script makes one")
    else:
        head = ["NAME", "SCHEDULE", "STATE", "NEXT", "LAST", "RUNS", "ERRORS"]
        print(table(head, [_task_row(task) for task in tasks]))
    return 0


def _task_row(task: TaskJSON) -> list[str]:
    return [
        task["name"],
        schedule_text(task["schedule"]),
        task["state"],
        _when(task["next_run"]),
        _last(task),
        str(task["run_count"]),
        str(task["error_count"]),
    ]


def _show(service: RemoteTaskService, options: argparse.Namespace) -> int:
    task = service.show(options.name)
    runs = service.history(options.name, options.runs)
    if options.json:
        print(json.dumps({**task, "runs": runs}, indent=2))
        return 0
    home = task["home"] or {}
    facts = [
        ["name", task["name"]],
        ["callback", task["callback"]],
        ["schedule", schedule_text(task["schedule"])],
        ["state", task["state"]],
        ["next run", _when(task["next_run"])],
        ["runs", f"{task['run_count']}, {task['error_count']} with an error"],
        ["runs with", home.get("python") or "-"],
        ["in", home.get("setup") or home.get("folder") or "-"],
        ["directory", home.get("directory") or "-"],
    ]
    width = max(len(name) for name, _ in facts)
    print("\n".join(f"{name:<{width}}  {printable(value)}" for name, value in facts))
    if runs:
        head = ["RUN", "DUE", "STATE", "SECONDS", "WHY"]
        print("\n" + table(head, [_run_row(run) for run in runs]))
        last = next((run for run in runs if run.get("traceback")), None)
        if last is not None:
            print(f"\nrun {last['id']}:\n{printable_lines(last['traceback'])}")
    return 0


def _run(service: RemoteTaskService, options: argparse.Namespace) -> int:
    run = service.run_now(options.name)
    while options.wait and run["state"] in OPEN_STATES:
        found = service.wait_for_run(run["id"], _HOLD_SECONDS)
        if found is None:
            raise CommandError(f"run {run['id']} of {options.name} is not stored any more")
        run = found
    if options.json:
        print(json.dumps(run, indent=2))
    else:
        if run.get("output"):
            print(printable_lines(run["output"]))
        if run.get("traceback"):
            print(printable_lines(run["traceback"]), file=sys.stderr)
        why = f": {run['error'] or run['reason']}" if run["error"] or run["reason"] else ""
        print(f"{options.name}: run {run['id']} {run['state']}{printable_lines(why)}")
    return 0 if run["state"] in (*OPEN_STATES, "succeeded") else 1


def _run_row(run: dict[str, Any]) -> list[str]:
    took = "-"
    if run["started_at"] and run["ended_at"]:
        took = f"{(_parsed(run['ended_at']) - _parsed(run['started_at'])).total_seconds():.3f}"
    due = _clock(run["due"]) if run["due"] else "by hand"
    if (until := run.get("until", run["due"])) != run["due"]:
        due = f"{due} to {_clock(until)}"
    state = state_text(run["state"], run.get("count", 1))
    return [str(run["id"]), due, state, took, run["error"] or run["reason"] or ""]


def _last(task: TaskJSON) -> str:
    gap = task.get("gap")
    since = "" if gap is None else state_text(gap["state"], gap["count"])
    if task["last_run"] is None:
        return since or "-"
    last = f"{_clock(task['last_run'])} {task['last_state'] or ''}".rstrip()
    return f"{last}, then {since}" if since else last


def _parsed(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _clock(text: str) -> str:
    return _parsed(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _when(text: str | None) -> str:
    if text is None:
        return "-"
    seconds = round((_parsed(text) - datetime.now(UTC)).total_seconds())
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"in {max(seconds, 0)} s"
    if seconds < 3600:  # noqa: PLR2004 - an hour
        return f"in {seconds // 60} min"
    return _clock(text)
