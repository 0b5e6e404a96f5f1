"""How long ``state.headers`` takes: against Panel's in its own server, and a bare round trip."""

from __future__ import annotations

import json
import multiprocessing
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from subprocess import DEVNULL, STDOUT, Popen
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import httpx
import table
from servers import BROWSER, Host, eventually, free_port, fresh_kernel, running, sample_in

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 15
OURS = "nbsession: state.headers"
PEER = "peer: pn.state.headers, in panel serve's own process"
LIMIT = "limit: http.client GET over a Unix socket"

# `again` is the median of many. `ask` is one question to the server, where there is one.
_TIMED = """
import json, statistics, time

def timed(function, count=1):
    def once():
        cpu, wall = time.process_time(), time.perf_counter()
        function()
        return 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)
    return [statistics.median(values) for values in zip(*(once() for _ in range(count)))]

def sample(function, ask=None):
    found = dict(zip(("first: wall ms", "first: CPU ms"), timed(function)))
    found["again: wall ms"], _ = timed(function, 200)
    if ask is not None:
        found["round trip: wall ms"], _ = timed(ask, 200)
    return found
"""

_OURS = f"""{_TIMED}
%load_ext nbsession
from nbsession.kernel.extension import activate
print(json.dumps(sample(lambda: state.headers, lambda: activate()._session.link.get("session"))))
"""

_LIMIT = f"""{_TIMED}
import http.client, socket

def ask():
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.connect(path)
    connection.request("GET", "/", headers={{"Authorization": "Bearer " + 43 * "x"}})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer

print(json.dumps(sample(ask, ask)))
"""

_PEER = f"""{_TIMED}
import pathlib
import panel as pn

found = sample(lambda: pn.state.headers)
assert "User-Agent" in pn.state.headers
pathlib.Path(path).write_text(json.dumps(found))
pn.Row("ready").servable()
"""


def _kernel_sample(host: Host, code: str) -> table.Sample:
    with fresh_kernel(host) as client:
        return sample_in(client, code)


def _serve(path: str, body: str) -> None:
    """Be the smallest tornado server that answers; runs in a process of its own."""
    from tornado.httpserver import HTTPServer
    from tornado.ioloop import IOLoop
    from tornado.netutil import bind_unix_socket
    from tornado.web import Application, RequestHandler

    class Handler(RequestHandler):
        def get(self) -> None:
            self.finish(body)

    server = HTTPServer(Application([("/", Handler)], log_function=lambda _: None))
    server.add_socket(bind_unix_socket(path))
    IOLoop.current().start()


@contextmanager
def _bare_server() -> Iterator[str]:
    """Run the smallest server; its answer is as long as ours."""
    body = json.dumps({"headers": list(BROWSER.items()), "cookies": BROWSER["Cookie"]})
    with TemporaryDirectory(prefix="nbs-") as directory:
        path = Path(directory) / "bare.sock"
        spawn = multiprocessing.get_context("spawn")  # as far from us as a Jupyter server is
        process = spawn.Process(target=_serve, args=(str(path), body))
        process.start()
        try:
            eventually(path.exists)
            yield str(path)
        finally:
            process.terminate()
            process.join()


@contextmanager
def _panel_server() -> Iterator[tuple[str, Path]]:
    """Run ``panel serve`` with an app that measures itself on every visit."""
    with TemporaryDirectory(prefix="nbs-") as directory:
        app, found, port = Path(directory) / "app.py", Path(directory) / "found.json", free_port()
        app.write_text(f"path = {str(found)!r}\n{_PEER}")
        command = [sys.executable, "-m", "panel", "serve", str(app), f"--port={port}"]
        url = f"http://127.0.0.1:{port}/app"
        process = Popen(command, stdout=DEVNULL, stderr=STDOUT)
        try:
            eventually(lambda: _answers(url), 60)
            yield url, found
        finally:
            process.terminate()
            process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=30).is_success
    except httpx.TransportError:
        return False


def _panel_sample(url: str, found: Path) -> table.Sample:
    found.unlink(missing_ok=True)
    httpx.get(url, headers=BROWSER, timeout=60).raise_for_status()
    sample: table.Sample = json.loads(found.read_text())
    return sample


def measure(rounds: int | None = None) -> table.Report:
    """Measure the first access in a fresh kernel (for Panel: on a fresh page), and later ones."""
    report = table.Report("state.headers in a fresh kernel of a Jupyter server")
    with running("server") as host, _bare_server() as path, _panel_server() as panel:
        cases = {
            OURS: partial(_kernel_sample, host, _OURS),
            PEER: partial(_panel_sample, *panel),
            LIMIT: partial(_kernel_sample, host, f"path = {path!r}\n{_LIMIT}"),
        }
        report.take(cases, rounds or ROUNDS)
    report.expect("first state.headers, wall ms", OURS, "first: wall ms", 10)
    ratio = report.median(OURS, "first: wall ms") / report.median(LIMIT, "first: wall ms")
    report.notes.append(f"the first access takes {ratio:.1f} times the bare first GET")
    return report


if __name__ == "__main__":
    table.main(measure)
