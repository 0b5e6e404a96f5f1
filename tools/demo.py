"""The tour in JupyterLab or Voilà: `python tools/demo.py --app lab|voila`, for a person.

With ``--check`` nobody needs to look: a real server, a real Chromium with a cookie and a query, and
a cell at the end of the tour that tells what `state` saw. Exits 0 only if that is what was sent.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
TOUR = "tour.ipynb"
QUERY = "name=Ada&city=K%C3%B6ln"

START_SECONDS = 90
STOP_SECONDS = 20
PAGE_SECONDS = 120

CHROMIUM_OPTIONS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]


class DemoError(Exception):
    """Something of the demo does not work; the text is for the person who started it."""


class Server:
    """JupyterLab or Voilà with the tour.

    Parameters
    ----------
    app
        ``"lab"`` or ``"voila"``.
    folder
        Holds the notebooks.
    options
        Further command line options.
    env
        Environment variables that differ from this process's.
    """

    def __init__(
        self, app: str, folder: Path, options: list[str], env: dict[str, str] | None = None
    ) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        if app == "lab":
            token = secrets.token_hex(16)
            self.url = f"{self.origin}/lab/tree/{TOUR}?{QUERY}&token={token}"
            command = ["jupyterlab", "--ip=127.0.0.1", "--ServerApp.port_retries=0"]
            command += [f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={token}"]
            command += ["--LabApp.log_level=WARN", "--ServerApp.log_level=WARN"]
            if hasattr(os, "geteuid") and os.geteuid() == 0:
                command.append("--allow-root")
        else:
            self.url = f"{self.origin}/?{QUERY}"
            command = ["voila", TOUR, "--Voila.ip=127.0.0.1", "--Voila.log_level=WARN"]
        command += [f"--port={self.port}", "--no-browser", *options]
        # A session of its own: Ctrl-C in the terminal reaches this process only, which then ends
        # the server without the question whether that is meant.
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait_until_ready(self) -> None:
        """Wait until the server answers.

        Raises
        ------
        DemoError
            If it ends, or does not answer in time.
        """
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                message = f"the server ended with status {self._process.returncode}"
                raise DemoError(message)
            if self._listens():
                return
            time.sleep(0.1)
        message = f"the server did not answer within {START_SECONDS} s"
        raise DemoError(message)

    def _listens(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5):
                return True
        except OSError:
            return False

    def wait(self) -> int:
        """Wait until the server ends by itself, and return its status."""
        return self._process.wait()

    def stop(self) -> None:
        """End the server and its kernels."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Wait for a server, and end it with the block, come what may."""
    try:
        server.wait_until_ready()
        yield server
    finally:
        # A second Ctrl-C must not leave kernels behind.
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        server.stop()
        signal.signal(signal.SIGINT, previous)


def show(app: str) -> int:
    """Serve the tour until Ctrl-C."""
    with running(Server(app, NOTEBOOKS, [])) as server:
        print(f"\nThe tour: {server.url}\n(Ctrl-C ends it)\n", flush=True)
        return server.wait()


# ---------------------------------------------------------------------------------------- the check

PROBE = """
import hashlib as _hashlib, json as _json

_request = state.request
print("probe:" + _json.dumps({
    "query": {k: [v.decode() for v in vs] for k, vs in state.session_args.items()},
    "cookies": {k: _hashlib.sha256(v.encode()).hexdigest() for k, v in state.cookies.items()},
    "headers": {name: state.headers.get(name) for name in ("Host", "User-Agent", "X-Visit")},
    "user": state.user.display_name if state.user else None,
    "host": _request.host_kind if _request else None,
    "path": _request.path if _request else None,
}) + ":end")
"""

READ_LAB = """
() => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  const cells = notebook.model.sharedModel.toJSON().cells;
  return cells.flatMap(cell => cell.outputs ?? []).map(output =>
    output.output_type === 'error' ? `error: ${output.ename}: ${output.evalue}`
    : [].concat(output.text ?? output.data?.['text/html'] ?? '').join('')
  ).join('\\n');
}
"""

KERNEL_STARTED = "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.id"


def check(app: str) -> int:
    """Let a browser look at the tour, and compare what `state` saw with what was sent."""
    cookie, header = secrets.token_hex(16), secrets.token_hex(8)
    with tempfile.TemporaryDirectory(prefix="nbs-") as temporary:
        folder = Path(temporary, "notebooks")
        shutil.copytree(NOTEBOOKS, folder)
        append_cell(folder / TOUR, PROBE)
        options = ["--LabApp.expose_app_in_browser=True"] if app == "lab" else []
        with running(Server(app, folder, options, isolated(temporary))) as server:
            text = visit(app, server, cookie, header)
    found = text.partition("probe:")[2].partition(":end")[0]
    if not found:
        message = f"the page did not show what state saw. It showed:\n{text[-3000:]}"
        raise DemoError(message)
    return compare(app, json.loads(found), text, cookie, header)


def append_cell(notebook: Path, source: str) -> None:
    """Add a code cell to a notebook's end."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    cell = {"cell_type": "code", "id": "probe", "source": source, "outputs": []}
    content["cells"].append({**cell, "metadata": {}, "execution_count": None})
    notebook.write_text(json.dumps(content), encoding="utf-8")


def isolated(temporary: str) -> dict[str, str]:
    """Return an environment in which Jupyter sees nothing of the user's, and leaves nothing."""
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    return {name: str(Path(temporary, place)) for name, place in places.items()}


def visit(app: str, server: Server, cookie: str, header: str) -> str:
    """Open the page as a visitor, and return the text of all outputs of the notebook."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(),
            args=CHROMIUM_OPTIONS,
            chromium_sandbox=not (hasattr(os, "geteuid") and os.geteuid() == 0),
        )
        context = browser.new_context(extra_http_headers={"X-Visit": header})
        context.set_default_timeout(PAGE_SECONDS * 1000)
        context.add_cookies(
            [{"name": "visit", "value": cookie, "url": server.origin, "httpOnly": True}]
        )
        page = context.new_page()
        try:
            page.goto(server.url)
            if app == "lab":
                page.wait_for_function(KERNEL_STARTED)
                run_all = "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"
                page.evaluate(f"async () => {{ await ({run_all})(); }}")
                text: str = page.evaluate(READ_LAB)
            else:
                page.wait_for_function("() => document.body.innerText.includes(':end')")
                text = page.inner_text("body")
        except Error as error:
            message = f"the page does not work: {error}"
            raise DemoError(message) from error
        finally:
            browser.close()
    return text


def find_chromium() -> str:
    """Return the path of a Chromium, as every part of nbsession looks for one."""
    command = [ROOT / "tools" / "browser.sh"]
    found = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if found.returncode:
        message = "no Chromium"
        raise DemoError(message)
    return found.stdout.strip()


def compare(app: str, seen: dict[str, Any], text: str, cookie: str, header: str) -> int:
    """Print what `state` saw, and return 0 if it is what was sent."""
    cookies = seen["cookies"]
    matches = cookies.get("visit") == hashlib.sha256(cookie.encode()).hexdigest()
    print(f"what state saw in {app}:")
    print(f"  query    {seen['query']}")
    value = "as sent" if matches else "NOT as sent"
    print(f"  cookies  {', '.join(cookies)} (HttpOnly; its value {value})")
    for name, value in seen["headers"].items():
        print(f"  {name:<8} {value}")
    print(f"  user     {seen['user']}")
    print(f"  page     {seen['path']} in {seen['host']}")
    wrong = [
        problem
        for problem, is_right in {
            "the query": seen["query"] == {"name": ["Ada"], "city": ["Köln"]},
            "the cookie": matches,
            "the cookies: only ours was to be seen": list(cookies) == ["visit"],
            "the header X-Visit": seen["headers"]["X-Visit"] == header,
            "the host": seen["host"] == app,
            "the page's path": seen["path"] == ("/" if app == "voila" else f"/lab/tree/{TOUR}"),
            "the user": bool(seen["user"]),
            "the greeting": "Hello, Ada from Köln!" in text,
            "a cell raised": "error: " not in text and "Traceback" not in text,
            "the cookie's value is in the page": cookie not in text,
        }.items()
        if not is_right
    ]
    for problem in wrong:
        print(f"WRONG: {problem}", file=sys.stderr)
    if not wrong:
        print("right")
    return 1 if wrong else 0


def main() -> int:
    """Run the demo."""
    parser = argparse.ArgumentParser(description="The tour of nbsession, for a person.")
    parser.add_argument("--app", choices=["lab", "voila"], default="lab")
    parser.add_argument("--check", action="store_true", help="look at it with a headless browser")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return check(arguments.app) if arguments.check else show(arguments.app)
    except KeyboardInterrupt:
        return 0
    except DemoError as error:
        print(f"nbsession demo: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
