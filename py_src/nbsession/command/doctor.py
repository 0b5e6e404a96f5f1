"""`jupyter nbsession doctor`: what is connected, and how to mend what is not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nbsession.core.printable import printable
from nbsession.core.version import __version__

from .check import Check
from .installation import check_installation
from .running_server import CommandError, RunningServer, running_servers

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

_MARKS = {"good": "ok  ", "bad": "BAD ", "idle": "-   "}


def add_parser(commands: Any) -> None:
    """Add the command to those of `jupyter nbsession`."""
    text = "say what is connected, and how to mend what is not"
    parser = commands.add_parser("doctor", help=text, description=text)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(call=_call)


def _call(options: argparse.Namespace) -> int:
    checks = [*check_installation(), *_check_servers()]
    if options.json:
        print(json.dumps([check.to_json() for check in checks], indent=2))
    else:
        width = max(len(check.part) for check in checks)
        for check in checks:
            print(f"{_MARKS[check.verdict]}{check.part:<{width}}  {printable(check.found)}")
            if check.mend:
                print(f"{'':<{width + 4}}  to mend: {printable(check.mend)}")
    return int(any(check.verdict == "bad" for check in checks))


def _check_servers() -> Iterator[Check]:
    servers = running_servers()
    if not servers:
        yield Check("servers", "idle", "none is running with nbsession")
    for server in servers:
        yield from _check_server(server)


def _check_server(server: RunningServer) -> Iterator[Check]:
    part = f"{server.app} {server.pid}"
    try:
        status = server.get("status")
    except CommandError as error:
        yield Check(part, "bad", str(error), "restart this server")
        return
    if status["version"] != __version__:
        found = f"runs nbsession {status['version']}, this is {__version__}"
        yield Check(part, "bad", found, "restart this server after the update")
        return
    yield Check(part, "good", f"link answers; serves {server.root} at {server.url}")
    if status["link_notice"]:
        yield Check(f"{part} link", "idle", status["link_notice"])
    sessions = status["sessions"]
    linked = sum(each["linked"] for each in sessions)
    found = f"{len(sessions)} running, {linked} have loaded nbsession"
    yield Check(f"{part} sessions", "good" if sessions else "idle", found)
    if status["pages_problem"]:
        found = f"{status['pages_problem']}; kernels of closed Voilà pages do not end by themselves"
        remedy = "take out what replaces that class, or cull idle kernels; restart"
        yield Check(f"{part} pages", "bad", found, remedy)
    else:
        pages = sum(each["pages"] for each in sessions)
        found = f"{pages} connected" if pages else "none is connected to a kernel"
        yield Check(f"{part} pages", "good" if pages else "idle", found)
    problem = status["problem"]
    if problem:
        mend = "mend what it says, or place the database with --NBSession.database=PATH; restart"
        yield Check(f"{part} tasks", "bad", problem, mend)
    else:
        yield Check(f"{part} tasks", "good", f"{status['tasks']} kept in {status['database']}")
    if status["file_notice"]:
        yield _check_file(f"{part} database", status["file_notice"])
    if not status["workers"]:
        yield Check(f"{part} workers", "idle", "none is needed yet")
    for worker in status["workers"]:
        yield _check_worker(f"{part} worker", worker)


def _check_file(part: str, notice: dict[str, Any]) -> Check:
    if not notice["missing"]:
        return Check(part, "idle", notice["message"])
    names = ", ".join(notice["missing"])
    mend = "schedule them again, or stop this server, put the right file in place and start it"
    return Check(part, "bad", f"{notice['message']}; missing from it: {names}", mend)


def _check_worker(part: str, worker: dict[str, Any]) -> Check:
    place = worker["setup"] or worker["folder"]
    if worker["problem"]:
        return Check(
            part,
            "bad",
            f"{place}: {worker['problem']}",
            f"{worker['python']} -m nbsession.worker --check",
        )
    return Check(part, "good", f"pid {worker['pid']} runs {place} with {worker['python']}")
