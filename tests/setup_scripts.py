"""Setup scripts that write down what they see, one JSON value a line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from pathlib import Path

    from hosts import Host

HEAD = """
import asyncio, json, os
from nbsession import state

def note(*values):
    with open({path!r}, "a") as file:
        print(json.dumps(values), file=file)

"""

SEES_SESSIONS = """
@state.on_session_created
def created(session):
    request = session.request
    note("created", session.kernel_id, request and request.cookies.get("sid"))

@state.on_session_destroyed
async def destroyed(session):
    await asyncio.sleep(0.3)
    note("destroyed", session.kernel_id, session.ended_at is not None)

"""


class SetupScript:
    """A setup script and what it has written down.

    Parameters
    ----------
    path
        Where it is to be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._notes = path.with_suffix(".notes")
        self.option = f"--NBSession.setup={path}"

    def write(self, body: str) -> SetupScript:
        """Write the script, or write it anew."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(HEAD.format(path=str(self._notes)) + body)
        return self

    @property
    def notes(self) -> list[list[Any]]:
        """All that was written down."""
        if not self._notes.exists():
            return []
        whole_lines, _, _ = self._notes.read_text().rpartition("\n")
        return [json.loads(line) for line in whole_lines.splitlines()]

    def of(self, kind: str) -> list[list[Any]]:
        """What was written down of one kind, without the kind."""
        return [rest for first, *rest in self.notes if first == kind]


def workers(host: Host) -> list[psutil.Process]:
    """Return the worker processes of a server that runs."""
    try:
        children = psutil.Process(host.process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [child for child in children if "nbsession.worker" in _arguments(child)]


def _arguments(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it has ended
        return []
