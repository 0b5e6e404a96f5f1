"""`jupyter nbsession tasks`: what a running server's tasks do, and orders to them."""

from __future__ import annotations

import argparse
import json
import sys
import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nbsession.core.text import printable, printable_lines
from nbsession.scheduler.api.declare import is_name
from nbsession.scheduler.api.task import schedule_text, state_text

from .servers import CommandError, RunningServer, choose_server, task_path

if TYPE_CHECKING:
    from collections.abc import Sequence


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
_OPEN = ("queued", "running")


def add_parser(commands: Any) -> None:
    """Add the command to those of `jupyter nbsession`."""
    parser = commands.add_parser(
        "tasks", help="list, show, run, pause, resume and cancel the tasks of a running server"
    )
    orders = parser.add_subparsers(dest="order", metavar="COMMAND")
    for order, text in _ORDERS.items():
        sub = orders.add_parser(order, help=text, description=text)
        if order != "list":
            sub.add_argument("name", metavar="NAME", help=_NAME_HELP)
        if order == "show":
            sub.add_argument(
                "--runs",
                type=_at_least_one,
                default=10,
                metavar="N",
                help="how many runs (default: 10)",
            )
        if order in ("run", "cancel"):
            what = "until the run has ended" if order == "run" else "for one more run first"
            sub.add_argument("--wait", action="store_true", help=f"wait {what}")
        _add_options(sub)
    _add_options(parser)
    parser.set_defaults(call=_call, order="list", json=False, server=None)


def take_name(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """Return the arguments with a stand-in for a task's name, and the name.

    It may begin with a hyphen, which argparse takes for an option. None if there is no name.
    """
    words = list(arguments)
    if words[:1] != ["tasks"]:
        return words, None
    place, order = 1, None
    while place < len(words):
        word = words[place]
        if word == "--" and order is not None and len(words) == place + 2:
            return [*words[:place], _STAND_IN], words[-1]
        if _is_option(word):
            place += 1 + (_takes_value(word) and "=" not in word)
        elif order is None:
            order = word
            place += 1
            if order not in _ORDERS or order == "list":
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
    kept = argparse.SUPPRESS
    parser.add_argument("--json", action="store_true", default=kept, help="print JSON")
    text = "a pid, folder or URL, if several are running"
    parser.add_argument("--server", type=_some_text, metavar="WHICH", default=kept, help=text)


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or not int(text):
        message = f"{text!r} is not a whole number from 1 on"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _some_text(text: str) -> str:
    if not text:
        message = "give a pid, a folder or a URL"
        raise argparse.ArgumentTypeError(message)
    return text


_ORDERS = {
    "list": "list the tasks",
    "show": "show a task and its runs",
    "run": "run a task now",
    "pause": "pause a task",
    "resume": "resume a paused task",
    "cancel": "cancel a task",
}


def _call(options: argparse.Namespace) -> int:
    order = options.order or "list"  # `jupyter nbsession tasks` alone
    if order != "list" and not is_name(options.name):
        message = (
            f"no task has a name such as {options.name!r}; `jupyter nbsession tasks` lists them"
        )
        raise CommandError(message)
    server = choose_server(options.server)
    if order == "list":
        return _list(server, options)
    if order == "show":
        return _show(server, options)
    if order == "run":
        return _run(server, options)
    body = {"wait": options.wait} if order == "cancel" else {}
    answer = server.post(task_path(options.name, order), body)
    if options.json:
        print(json.dumps(answer, indent=2))
    else:
        done = {"pause": "paused", "resume": "resumed", "cancel": "cancelled"}[order]
        later = " after one more run" if body.get("wait") else ""
        print(f"{options.name}: {done}{later}")
    return 0


def _list(server: RunningServer, options: argparse.Namespace) -> int:
    tasks: list[dict[str, Any]] = server.get("tasks")["tasks"]
    if options.json:
        print(json.dumps(tasks, indent=2))
    elif not tasks:
        print("no tasks; `state.schedule_task` in a notebook or a setup script makes one")
    else:
        rows = [
            [
                task["name"],
                schedule_text(task["schedule"]),
                task["state"],
                _when(task["next_run"]),
                _last(task),
                str(task["run_count"]),
                str(task["error_count"]),
            ]
            for task in tasks
        ]
        print(table(["NAME", "SCHEDULE", "STATE", "NEXT", "LAST", "RUNS", "ERRORS"], rows))
    return 0


def _show(server: RunningServer, options: argparse.Namespace) -> int:
    task = server.get(task_path(options.name))
    runs = server.get(f"{task_path(options.name, 'runs')}?limit={options.runs}")["runs"]
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


def _run(server: RunningServer, options: argparse.Namespace) -> int:
    run: dict[str, Any] = server.post(task_path(options.name, "run"), {})
    while options.wait and run["state"] in _OPEN:
        found = server.get(f"runs/{run['id']}?seconds={_HOLD_SECONDS}", _HOLD_SECONDS)
        if found is None:
            message = f"run {run['id']} of {options.name} is not kept any more"
            raise CommandError(message)
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
    return 0 if run["state"] in (*_OPEN, "succeeded") else 1


def _run_row(run: dict[str, Any]) -> list[str]:
    took = "-"
    if run["started_at"] and run["ended_at"]:
        took = f"{(_parsed(run['ended_at']) - _parsed(run['started_at'])).total_seconds():.3f}"
    due = _clock(run["due"]) if run["due"] else "by hand"
    if (until := run.get("until", run["due"])) != run["due"]:
        due = f"{due} to {_clock(until)}"
    state = state_text(run["state"], run.get("count", 1))
    return [str(run["id"]), due, state, took, run["error"] or run["reason"] or ""]


def _last(task: dict[str, Any]) -> str:
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
