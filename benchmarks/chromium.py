"""Pages of real servers in a real Chromium, and the few lines that measure inside them."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, STDOUT, Popen
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import httpx
from playwright.sync_api import sync_playwright
from servers import HERE, Host, eventually, free_port, running, write_notebook

from pages import CHROMIUM_OPTIONS, PAGE_MS, find_chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

__all__ = [
    "LAB",
    "VOILA",
    "Note",
    "Tab",
    "bare_page",
    "chromium",
    "notebook",
    "panel",
]

Note = tuple[str, Any, float]
"""A word, a key, and when, in ms of the page's clock."""

LAB, VOILA = "JupyterLab", "Voilà"

_NOT_IN_LAB = ("--ServerApp.jpserver_extensions=nbsession=False",)
_MANAGER = "jupyter_server.services.kernels.kernelmanager.AsyncMappingKernelManager"
_WEBSOCKET = "jupyter_server.services.kernels.connection.channels.ZMQChannelsWebsocketConnection"
_NOT_IN_VOILA = (
    f"--VoilaConfiguration.multi_kernel_manager_class={_MANAGER}",
    f"--Voila.kernel_websocket_connection_class={_WEBSOCKET}",
)

# A plain anywidget, through which a page reaches Python and the other widgets.
BRIDGE = """
import json, time, anywidget, ipywidgets

_notes = open("notes.jsonl", "a", buffering=1)

def note(what, key=None):
    at = time.time()
    _notes.write(json.dumps([what, key, 1e3 * at]) + "\\n")

class Bridge(anywidget.AnyWidget):
    _esm = "export default { initialize({ model }) { globalThis.bridge = model; } };"

def answer(widget, content, buffers):
    answers[content["ask"]](content)

answers = {"echo": lambda content: bridge.send(content)}
bridge = Bridge()
bridge.on_msg(answer)
"""
READY = "bridge.send({'ready': True}); bridge"

_SCRIPT = (HERE / "chromium.js").read_text()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the browser that the tests run."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(),
            args=CHROMIUM_OPTIONS,
            chromium_sandbox=os.geteuid() != 0,  # Chromium refuses it for root
        )
        yield browser
        browser.close()


class Tab:
    """A page in a browser profile of its own.

    Parameters
    ----------
    browser
        Where.
    url
        Of the page.
    notes
        The file in which the page's Python notes what it sees, and when.
    """

    def __init__(self, browser: Browser, url: str, notes: Path) -> None:
        self._notes = notes
        context = browser.new_context()
        context.set_default_timeout(PAGE_MS)
        context.add_init_script(_SCRIPT)
        self.page = context.new_page()
        self.page.goto(url)

    def wait(self, condition: str) -> Tab:
        """Wait until a JavaScript expression is true."""
        self.page.wait_for_function(condition)
        return self

    def run(self, code: str, argument: Any = None) -> Any:
        """Return what a JavaScript function returns for an argument."""
        return self.page.evaluate(code, argument)

    def run_cells(self) -> Tab:
        """Run all cells of the notebook that a JupyterLab page shows."""
        kernel = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel"
        self.wait(f"() => {kernel}?.status === 'idle'")
        run = "async () => { await jupyterapp.commands.execute('notebook:run-all-cells'); }"
        self.run(run)
        return self

    def clock_ms(self) -> float:
        """Return what to add to the page's time to get Python's, in ms."""
        found = []
        for _ in range(50):
            before = time.time()
            page = self.run("() => bench.now()")
            after = time.time()
            found.append((after - before, 500 * (before + after) - page))
        return min(found)[1]

    def notes(self) -> list[Note]:
        """Return what Python noted, in its order."""
        offset = self.clock_ms()
        lines = self._notes.read_text().splitlines()
        return [(what, key, at - offset) for what, key, at in map(json.loads, lines)]


@contextmanager
def notebook(browser: Browser, app: str, *cells: str, stock: bool = False) -> Iterator[Tab]:
    """Open a notebook on a server of its own, and run it.

    Parameters
    ----------
    browser
        Where.
    app
        `LAB` or `VOILA`.
    cells
        After the one that makes the bridge.
    stock
        Whether the server does without nbsession.
    """
    off: tuple[str, ...] = ()
    if stock:
        off = _NOT_IN_LAB if app == LAB else _NOT_IN_VOILA
    if app == LAB:
        off = (*off, "--LabApp.expose_app_in_browser=True")
    with running("lab" if app == LAB else "voila", *off) as host:
        write_notebook(host.root / "x.ipynb", BRIDGE, *cells, READY)
        tab = Tab(browser, _address(host), host.root / "notes.jsonl")
        if app == LAB:
            tab.run_cells()
        yield tab.wait("() => globalThis.bridge")
        tab.page.context.close()


def _address(host: Host) -> str:
    if host.app == "voila":
        return f"{host.url}voila/render/x.ipynb"
    return f"{host.url}lab/tree/x.ipynb?token={host.token}"


@contextmanager
def panel(browser: Browser, source: str) -> Iterator[Tab]:
    """Open an app of ``panel serve``, which has `note` as a notebook's Python has it."""
    with TemporaryDirectory(prefix="nbs-") as directory:
        notes = f"{directory}/notes.jsonl"
        head = BRIDGE.partition("class")[0].replace("notes.jsonl", notes)
        head = head.replace("anywidget, ipywidgets", "panel as pn")
        (path := Path(directory) / "app.py").write_text(head + source)
        port = free_port()
        url = f"http://127.0.0.1:{port}/app"
        command = [sys.executable, "-m", "panel", "serve", str(path), f"--port={port}"]
        process = Popen(command, stdout=DEVNULL, stderr=STDOUT)
        try:
            eventually(lambda: _answers(url), 60)
            tab = Tab(browser, url, path.with_name("notes.jsonl"))
            yield tab.wait("() => globalThis.Bokeh?.documents?.[0]?.is_idle")
            tab.page.context.close()
        finally:
            process.terminate()
            process.wait()


@contextmanager
def bare_page(browser: Browser) -> Iterator[Tab]:
    """Open a page whose server does nothing but echo what comes over a WebSocket."""
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=_echo, args=(port,))
    process.start()
    url = f"http://127.0.0.1:{port}/"
    try:
        eventually(lambda: _answers(url))
        yield Tab(browser, url, HERE)
    finally:
        process.terminate()
        process.join()


def _echo(port: int) -> None:
    """Be the smallest server that echoes; runs in a process of its own."""
    from tornado.ioloop import IOLoop
    from tornado.web import Application, RequestHandler
    from tornado.websocket import WebSocketHandler

    class Page(RequestHandler):
        def get(self) -> None:
            self.finish("<!doctype html><title>bare</title>")

    class Echo(WebSocketHandler):
        def open(self, *_: str, **__: str) -> None:
            self.set_nodelay(True)

        def on_message(self, message: str | bytes) -> None:
            self.write_message(message)

    handlers = [("/", Page), ("/echo", Echo)]
    Application(handlers, log_function=lambda _: None).listen(port, "127.0.0.1")
    IOLoop.current().start()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=30).is_success
    except httpx.TransportError:
        return False
