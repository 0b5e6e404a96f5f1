"""The running servers of this user that have nbsession, and requests to them."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_runtime_dir

from nbsession.core.link_http import PROTOCOL, PROTOCOL_HEADER, VERSION_HEADER, exchange
from nbsession.core.process import is_alive
from nbsession.core.text import printable, printable_lines

PATTERN = "nbsession-*.json"


class CommandError(Exception):
    """The command has failed; the text is for the person who gave it."""


@dataclass(frozen=True)
class RunningServer:
    """One server, as it describes itself in its file in the runtime directory."""

    pid: int
    app: str
    root: str
    url: str
    link: str
    token: str = field(repr=False)

    def get(self, path: str, wait_seconds: float = 0) -> Any:
        """Return the JSON that is answered to a GET; raise `CommandError` for anything else."""
        return self._request(path, None, wait_seconds)

    def post(self, path: str, data: dict[str, Any]) -> Any:
        """Send JSON and return the answer's; raises as `get` does."""
        return self._request(path, data, 0)

    def _request(self, path: str, data: dict[str, Any] | None, wait_seconds: float) -> Any:
        try:
            response, content = exchange(
                self.link, self.token, f"/owner/{path}", data, wait_seconds
            )
        except (OSError, http.client.HTTPException) as error:
            why = printable(str(error) or type(error).__name__)
            raise CommandError(
                f"the server with pid {self.pid} ({self.root}) does not answer: {why}"
            ) from error
        if response.getheader(PROTOCOL_HEADER) != str(PROTOCOL):
            version = response.getheader(VERSION_HEADER, "unknown")
            raise CommandError(
                f"the server with pid {self.pid} runs nbsession {version}, which this command does "
                "not understand: run the `jupyter nbsession` of the server's own environment"
            )
        answer = json.loads(content) if content else None
        if response.status >= http.client.BAD_REQUEST:
            refusal = answer if isinstance(answer, dict) else {}
            text = printable_lines(str(refusal.get("message", "")))
            if refusal.get("kind") == "no_such_task":  # the rest is for people in a notebook
                text = f"{text.rpartition(';')[0]}; `jupyter nbsession tasks` lists those it has"
            raise CommandError(text or f"the server answered {response.status}")
        return answer


def running_servers() -> list[RunningServer]:
    """Return the servers that answer to this user's runtime directory, the oldest first."""
    found: list[tuple[float, RunningServer]] = []
    for path in Path(jupyter_runtime_dir()).glob(PATTERN):
        try:
            server = _read(json.loads(path.read_text()))
            began = path.stat().st_mtime
        except (OSError, ValueError, LookupError, TypeError):  # foreign, or half of one
            continue
        if server is not None:
            found.append((began, server))
    return [server for _, server in sorted(found, key=lambda pair: pair[0])]


def _read(data: Any) -> RunningServer | None:
    # A home directory may be shared with other machines, whose processes are not seen here.
    if data["host"] != socket.gethostname() or not is_alive(data["pid"]):
        return None
    texts = {name: data[name] for name in ("app", "root", "url", "link", "token")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise TypeError("a server's description has texts only")
    return RunningServer(data["pid"], **texts)


def choose_server(wanted: str | None) -> RunningServer:
    """Return the one server that is meant."""
    servers = running_servers()
    if not servers:
        raise CommandError(
            "no server with nbsession is running; start `jupyter lab` or `voila`, or see what is "
            "missing with `jupyter nbsession doctor`"
        )
    if wanted is not None:
        fitting = [server for server in servers if _fits(server, wanted)]
    else:
        here = Path.cwd()
        fitting = (
            [s for s in servers if here.is_relative_to(s.root)] if len(servers) > 1 else servers
        )
    if len(fitting) == 1:
        return fitting[0]
    choice = "\n".join(
        printable(f"  {s.pid}  {s.app}  {s.root}  {s.url}") for s in fitting or servers
    )
    problem = "several servers are running" if fitting or wanted is None else "no server fits"
    raise CommandError(f"{problem}; choose one with --server PID, a folder or a URL:\n{choice}")


def _fits(server: RunningServer, wanted: str) -> bool:
    if wanted.isdecimal():
        return server.pid == int(wanted)
    if "://" in wanted:  # also one with a token, as the server prints it
        return _bare(wanted) in f"{_bare(server.url)}/"
    return wanted in server.url or str(Path(wanted).expanduser().resolve()) == server.root


def _bare(url: str) -> str:
    return url.partition("?")[0].replace("://localhost", "://127.0.0.1").rstrip("/")
