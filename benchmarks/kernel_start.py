"""What nbsession adds to the start of a kernel, seen from outside and timed inside."""

from __future__ import annotations

import itertools
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import table
from servers import BROWSER, HERE, Host, running

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 60
WITH, WITHOUT = "POST /api/sessions with nbsession", "limit: POST /api/sessions without it"
MIXIN = "in it: all that the mixin does"
PARTS = {"environment_for": "    of which environment_for", "bind": "    of which bind"}
WALL, CPU = "wall ms", "server's CPU ms"

_numbers = itertools.count()


@contextmanager
def _server(*, with_nbsession: bool) -> Iterator[Host]:
    """Run a server with the timing extension beside this file."""
    with running(
        "server",
        f"--ServerApp.jpserver_extensions=nbsession={with_nbsession}",
        "--ServerApp.jpserver_extensions=start_timing=True",
        env={"PYTHONPATH": str(HERE)},
    ) as host:
        found = host.http.get("nbsession/api/sessions/x/page").status_code != 404  # noqa: PLR2004 - not found
        if found is not with_nbsession:
            raise RuntimeError(f"a server should be with nbsession={with_nbsession}, and is not")
        yield host


def _ask(host: Host) -> dict[str, Any]:
    answer: dict[str, Any] = host.http.get("start-timing").raise_for_status().json()
    return answer


def _sample(host: Host, inside: list[dict[str, list[float]]]) -> table.Sample:
    name = f"{next(_numbers)}.ipynb"
    headers = {**BROWSER, "Referer": f"{host.url}lab/tree/{name}"}
    body = {"path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"}}
    before, wall = _ask(host), time.perf_counter()
    answer = host.http.post("api/sessions", headers=headers, json=body).raise_for_status()
    wall, after = time.perf_counter() - wall, _ask(host)
    host.http.delete(f"api/sessions/{answer.json()['id']}").raise_for_status()
    inside.append(after["spent"])
    return {WALL: 1e3 * wall, CPU: 1e3 * (after["cpu"] - before["cpu"])}


def _milliseconds(wall: float, cpu: float) -> table.Sample:
    return {WALL: 1e3 * wall, CPU: 1e3 * cpu}


def _mixin(spent: dict[str, list[float]]) -> table.Sample:
    """Return the mixin's own time: its start of the kernel without the start that it wraps."""
    outer, inner = (
        spent[f"{name}.start_kernel"] for name in ("SessionKernelMixin", "ServerKernelManager")
    )
    return _milliseconds(outer[0] - inner[0], outer[1] - inner[1])


def measure(rounds: int | None = None) -> table.Report:
    """Measure starts on two servers in turns, and the mixin's own code in the one that has it."""
    report = table.Report("Start of a kernel by a JupyterLab page")
    inside: list[dict[str, list[float]]] = []
    with _server(with_nbsession=True) as ours, _server(with_nbsession=False) as bare:
        cases = {WITH: partial(_sample, ours, inside), WITHOUT: partial(_sample, bare, [])}
        report.take(cases, rounds or ROUNDS)
    first, *others = inside
    report.samples[MIXIN] = [_mixin(spent) for spent in others]
    for name, case in PARTS.items():
        report.samples[case] = [_milliseconds(*spent[name]) for spent in others]
    report.expect("the mixin's own code, wall ms", MIXIN, WALL, 2)
    report.expect("the mixin's own code, CPU ms", MIXIN, CPU, 2)
    report.expect_over("a whole start with nbsession over without, wall ms", WITH, WITHOUT, WALL, 2)
    report.expect_over("the same, server's CPU ms", WITH, WITHOUT, CPU, 2)
    report.notes.append(
        f"a server's first kernel opens the link's socket too: {_mixin(first)[WALL]:.2f} ms, once"
    )
    return report


if __name__ == "__main__":
    table.main(measure)
