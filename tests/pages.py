"""Browser pages of a host, as a visitor opens them."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwright.sync_api import Browser, BrowserContext, Page, WebSocket

    from hosts import Host

PAGE_MS = 60_000

CHROMIUM_OPTIONS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]

SEEN = "seen:"

PROBE = f"""
import hashlib, json
from nbsession import state
_request = state.request
print({SEEN!r} + json.dumps({{
    "args": {{k: [v.decode() for v in vs] for k, vs in state.session_args.items()}},
    "cookies": {{k: hashlib.sha256(v.encode()).hexdigest() for k, v in state.cookies.items()}},
    "header": state.headers.get("X-Visit"),
    "user": state.user.username if state.user else None,
    "request": _request and [_request.method, _request.path, _request.query, _request.host_kind],
    "kernel": state.kernel_id,
}}) + ":end")
""".strip()
"""A cell that prints what `state` saw; of a cookie's value only the hash."""


def find_chromium() -> str:
    """Return the path of the browser that all of nbsession uses."""
    script = Path(__file__).parent.parent / "tools" / "browser.sh"
    return subprocess.check_output([script], text=True).strip()


def write_notebook(host_root: Path, name: str, sources: Iterable[str]) -> None:
    """Write a notebook of code cells."""
    cells = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": source,
        }
        for number, source in enumerate(sources)
    ]
    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = {"cells": cells, "metadata": {"kernelspec": kernelspec}}
    host_root.mkdir(parents=True, exist_ok=True)
    (host_root / name).write_text(json.dumps({**content, "nbformat": 4, "nbformat_minor": 5}))


class Visit:
    """A visitor of a host, in a browser profile of their own.

    Parameters
    ----------
    browser
        Where the profile is made.
    host
        The server.
    who
        Goes into what only this visitor sends.
    port
        Where the visitor reaches the host, if it is not the host's own port.

    Attributes
    ----------
    cookie, header
        The values of the visitor's HttpOnly cookie ``sid`` and of the header ``X-Visit``.
    traffic
        Every WebSocket frame of the visitor's pages, both ways.
    complaints
        What the consoles of the pages call an error, with the address it came from.
    """

    def __init__(self, browser: Browser, host: Host, who: str, port: int | None = None) -> None:
        self.host = host
        self.url = host.url.replace(f":{host.port}/", f":{port or host.port}/")
        self.cookie, self.header = f"cookie-of-{who}", f"header-of-{who}"
        self.traffic: list[str] = []
        self.complaints: list[str] = []
        self.html = ""
        self.open_sockets = 0
        self.context: BrowserContext = browser.new_context(
            extra_http_headers={"X-Visit": self.header}
        )
        self.context.set_default_timeout(PAGE_MS)
        cookie = {"name": "sid", "value": self.cookie, "httpOnly": True}
        self.context.add_cookies([{**cookie, "url": self.url}])  # type: ignore[list-item]
        self.page: Page = self.context.new_page()
        self.page.on("websocket", self._record)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error.stack)))
        self.page.on("console", self._listen)

    def _record(self, websocket: WebSocket) -> None:
        def keep(payload: str | bytes) -> None:
            text = payload if isinstance(payload, str) else payload.decode(errors="replace")
            self.traffic.append(text)

        def closed(_: WebSocket) -> None:
            self.open_sockets -= 1

        self.open_sockets += 1
        websocket.on("framereceived", keep)
        websocket.on("framesent", keep)
        websocket.on("close", closed)

    def _listen(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url')})")

    @property
    def seen_cookies(self) -> dict[str, str]:
        """What `PROBE` shows of this visitor's cookies: the server's own are not among them."""
        return {"sid": hashlib.sha256(self.cookie.encode()).hexdigest()}

    def check_nothing_leaked(self) -> None:
        """Fail if the cookie's value was in the page, a WebSocket frame or the server's log."""
        assert self.traffic, "no WebSocket was seen"
        assert not any(self.cookie in frame for frame in self.traffic)
        assert self.cookie not in self.html
        assert self.cookie not in self.page.content()
        assert self.cookie not in self.host.log

    @property
    def own_complaints(self) -> list[str]:
        """The errors that come from nbsession."""
        return [text for text in self.complaints if "nbsession" in text]

    def open(self, path: str) -> Visit:
        """Load a page whole and keep its HTML."""
        answer = self.page.goto(self.url + path)
        assert answer is not None
        assert answer.ok, f"{answer.status} for {path}"
        self.html = answer.text()
        return self

    def close(self) -> None:
        """Close the profile, without the page's farewell."""
        self.context.close()

    # -- what the page shows ------------------------------------------------------------------

    def seen(self) -> dict[str, Any]:
        """Return what the last `PROBE` of a Voilà page printed."""
        self.page.wait_for_function(f"() => document.body.innerText.includes('{SEEN}')")
        return parse(self.page.inner_text("body"))

    # -- JupyterLab and Notebook 7 ------------------------------------------------------------

    def open_notebook(self, path: str) -> Visit:
        """Load a page that opens a notebook, until its kernel is there."""
        self.open(path)
        self.wait_for_kernel()
        return self

    def wait_for_kernel(self, other_than: str = "") -> None:
        """Wait until the notebook in front has a kernel, another one than that given."""
        self.page.wait_for_function(
            """other => {
                const notebook = window.jupyterapp?.shell.currentWidget;
                const id = notebook?.sessionContext?.session?.kernel?.id;
                return id && id !== other;
            }""",
            arg=other_than,
        )

    def wait_for_idle_kernel(self) -> None:
        """Wait until the kernel of the notebook in front is there and has nothing to do."""
        self.page.wait_for_function(
            """() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status
            === 'idle'"""
        )

    def command(self, name: str, arguments: dict[str, Any] | None = None) -> None:
        """Run a command of JupyterLab to its end."""
        # Nothing is returned: a command may give a widget, which cannot leave the page.
        self.page.evaluate(
            "async ([name, args]) => { await window.jupyterapp.commands.execute(name, args); }",
            [name, arguments or {}],
        )

    def run_all(self) -> dict[str, Any]:
        """Run all cells of the notebook in front, and return what its last `PROBE` printed."""
        self.command("notebook:run-all-cells")
        return parse(self.outputs())

    def outputs(self) -> str:
        """Return the text of all outputs of the notebook in front."""
        text: str = self.page.evaluate(
            """() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.toJSON()
            .cells.flatMap(cell => cell.outputs ?? [])
            .map(output => [].concat(output.text ?? output.traceback ?? []).join(''))
            .join('\\n')"""
        )
        return text

    def write_cell(self, source: str) -> None:
        """Replace the source of the first cell of the notebook in front."""
        self.page.evaluate(
            """source => window.jupyterapp.shell.currentWidget.content.widgets[0]
            .model.sharedModel.setSource(source)""",
            source,
        )


def parse(text: str) -> dict[str, Any]:
    """Return what the last `PROBE` in a text printed."""
    assert SEEN in text, f"the page shows only: {text[-2000:]!r}"
    found: dict[str, Any] = json.loads(text.rpartition(SEEN)[2].partition(":end")[0])
    return found
