"""Tasks that a kernel declares to its server over the link."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import httpx

from nbsession.core.link_http import PROTOCOL, PROTOCOL_HEADER
from nbsession.core.schedule.clock import SystemClock
from nbsession.core.schedule.parse import make_trigger
from nbsession.core.tasks.spec import Home, Policies, Target, TaskSpec
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hosts import Host
    from nbsession.kernel.link.client import Link

FINAL = ("succeeded", "failed", "skipped", "missed", "lost")


def declaration(  # noqa: PLR0913 - as many as a task has
    folder: Path,
    name: str,
    function: str = "work",
    *,
    period: str | None = None,
    at: Any = None,
    replace: bool = False,
    args: tuple[Any, ...] = (),
    **policies: Any,
) -> dict[str, Any]:
    """Return what a kernel posts for a function of ``jobs.py`` in a folder."""
    spec = TaskSpec(
        name,
        Target("import", "jobs", function),
        make_trigger(at, period, None, None, SystemClock().now_us()),
        args=args,
        policies=Policies(**policies),
        home=Home(sys.executable, str(folder)),
    )
    return {"spec": spec.to_json(), "replace": replace}


def ended(link: Link, run: dict[str, Any]) -> dict[str, Any]:
    """Return a run when it is final."""

    def look() -> Any:
        found = link.get(f"runs/{run['id']}?seconds=5", 5)
        return found if found["state"] in FINAL else None

    return dict(eventually(look, 60, f"run {run['id']} ends"))


def history(link: Link, name: str, limit: int = 10_000) -> list[dict[str, Any]]:
    """Return a task's runs, the newest first."""
    return list(link.get(f"tasks/{name}/runs?limit={limit}")["runs"])


def wait_for_runs(
    link: Link, name: str, count: int, fits: Callable[[dict[str, Any]], bool]
) -> list[dict[str, Any]]:
    """Return a task's runs that fit, once there are so many."""

    def look() -> list[dict[str, Any]]:
        found = [run for run in history(link, name) if fits(run)]
        return found if len(found) >= count else []

    return eventually(look, 60, f"{count} runs of {name}")


def write_jobs(host_root: Path, text: str) -> Path:
    """Write the module that the tasks' functions are in; return its folder."""
    host_root.mkdir(parents=True, exist_ok=True)
    (host_root / "jobs.py").write_text(text)
    return host_root


def any_link(host: Host) -> Link:
    """Return the link of a kernel that is started for this."""
    return host.link_of(host.start_kernel("lab/tree/link.ipynb", path="link.ipynb"))


def owner_of(host: Host) -> tuple[dict[str, Any], httpx.Client]:
    """Return what a server tells its owner in a file, and a client that gets in with it."""
    [path] = host.runtime.glob("nbsession-*.json")
    facts = json.loads(path.read_text())
    client = httpx.Client(
        base_url="http://link/owner/",
        transport=httpx.HTTPTransport(uds=facts["link"].removeprefix("unix:")),
        headers={"Authorization": f"Bearer {facts['token']}", PROTOCOL_HEADER: str(PROTOCOL)},
    )
    return facts, client
