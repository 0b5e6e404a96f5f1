"""Voilà and JupyterLab behind a real nginx, with TLS and a prefix that it strips."""

from __future__ import annotations

import html
import json
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from certificates import self_signed
from pages import PROBE, parse, write_notebook
from ports import free_port
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

    from hosts import Host

pytestmark = [pytest.mark.browser, pytest.mark.server]

TOOL = Path(__file__).parents[2] / "tools" / "nginx.sh"

TRUST = "--NBSession.trusted_proxies=127.0.0.1"
VISITOR = "127.0.0.2"

SHOW = (
    "import json\nfrom nbsession import state\n_r = state.request\n"
    "print('SEEN' + json.dumps([_r.url, _r.path, _r.remote_ip, state.app_url]) + 'NEES')"
)

CONFIGURATION = """
daemon off;
pid {home}/nginx.pid;
error_log {home}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {home}/body;
  proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi;
  scgi_temp_path {home}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    location {prefix} {{
      proxy_pass {target};
      proxy_http_version 1.1;
      proxy_buffering off;
      proxy_set_header Host {host};
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $http_connection;
      {headers}
    }}
  }}
}}
"""

X_FORWARDED = """
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Port $server_port;
      proxy_set_header Forwarded "";
"""

FORWARDED = """
      proxy_set_header X-Forwarded-For "";
      proxy_set_header X-Forwarded-Proto "";
      proxy_set_header X-Forwarded-Host "";
      set $told 'for=$remote_addr;proto=$scheme;host="$http_host"';
      proxy_set_header Forwarded '$http_forwarded, $told';
"""


@pytest.fixture(scope="module")
def program() -> str:
    return subprocess.check_output([TOOL], text=True).strip()


@contextmanager
def _nginx(program: str, home: Path, prefix: str, target: str, headers: str) -> Iterator[str]:
    """Run nginx before a server; yield where a browser finds it."""
    home.mkdir()
    certificate, key = self_signed(home)
    port = free_port()
    settings = {"home": home, "port": port, "certificate": certificate, "key": key}
    text = CONFIGURATION.format(
        **settings, prefix=prefix, target=target, headers=headers, host="$http_host"
    )
    (home / "nginx.conf").write_text(text)
    command = [program, "-e", str(home / "error.log"), "-c", str(home / "nginx.conf")]
    process = subprocess.Popen(command)
    url = f"https://127.0.0.1:{port}{prefix}"
    try:
        eventually(lambda: _answers(url), what="nginx answers")
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _answers(url: str) -> bool:
    try:
        return bool(httpx.head(url, verify=False, timeout=60).status_code)  # noqa: S501 - its own
    except httpx.TransportError:
        return False


def _get(url: str, headers: dict[str, str] | None = None) -> list[Any]:
    """Return what `SHOW` shows to a visitor from `VISITOR`."""
    transport = httpx.HTTPTransport(verify=False, local_address=VISITOR)
    with httpx.Client(transport=transport, timeout=60) as client:
        text = client.get(url, headers=headers).raise_for_status().text
    found = html.unescape(text).partition("SEEN")[2].partition("NEES")[0]
    return list(json.loads(found))


@pytest.fixture
def voila(tmp_path: Path, start_host: Callable[..., Host]) -> Callable[..., Host]:
    def start(*options: str, cell: str = SHOW) -> Host:
        home = tmp_path / "voila"
        write_notebook(home / "root", "x.ipynb", [cell])
        stripped = ("--base_url=/dash/", "--server_url=/")
        return start_host("voila", "x.ipynb", *stripped, *options, home=home)

    return start


@pytest.mark.parametrize("headers", [X_FORWARDED, FORWARDED], ids=["X-Forwarded-*", "Forwarded"])
def test_voila(tmp_path: Path, program: str, voila: Callable[..., Host], headers: str) -> None:
    host = voila(TRUST)
    target = f"http://127.0.0.1:{host.port}/"
    with _nginx(program, tmp_path / "nginx", "/dash/", target, headers) as url:
        forged = {
            "X-Forwarded-For": "6.6.6.6",
            "X-Forwarded-Proto": "ftp",
            "X-Forwarded-Host": "evil.org",
            "Forwarded": 'for=6.6.6.6;proto=http;host=evil.org;x="',
        }
        for more in ({}, forged):
            assert _get(f"{url}?a=1", more) == [f"{url}?a=1", "/dash/", VISITOR, "/dash/"]


def test_voila_that_trusts_nobody(tmp_path: Path, program: str, voila: Callable[..., Host]) -> None:
    host = voila("--NBSession.trusted_proxies=192.0.2.0/24")
    target = f"http://127.0.0.1:{host.port}/"
    with _nginx(program, tmp_path / "nginx", "/dash/", target, X_FORWARDED) as url:
        forged = {"X-Forwarded-For": "6.6.6.6"}
        here = url.replace("https", "http").removesuffix("dash/")
        assert _get(f"{url}?a=1", forged) == [f"{here}?a=1", "/", "127.0.0.1", "/"]


def test_the_visitor_behind_two_proxies(
    tmp_path: Path, program: str, voila: Callable[..., Host]
) -> None:
    """The test stands for an outer proxy that is trusted too: what it added is read."""
    host = voila(TRUST.replace("127.0.0.1", "127.0.0.0/8"))
    target = f"http://127.0.0.1:{host.port}/"
    with _nginx(program, tmp_path / "nginx", "/dash/", target, X_FORWARDED) as url:
        added = {"X-Forwarded-For": "6.6.6.6, 192.0.2.7"}
        assert _get(url, added)[2] == "192.0.2.7"


def test_a_page_of_voila(
    tmp_path: Path, program: str, voila: Callable[..., Host], browser: Browser
) -> None:
    cell = "import ipywidgets\nfrom nbsession import state\n"
    cell += "size = ipywidgets.IntText(description='size')\nstate.location.sync(size)\n"
    cell += f"display(size)\n{PROBE}"
    host = voila(TRUST, cell=cell)
    target = f"http://127.0.0.1:{host.port}/"
    with _nginx(program, tmp_path / "nginx", "/dash/", target, X_FORWARDED) as url:
        context = browser.new_context(ignore_https_errors=True)
        try:
            page = context.new_page()
            page.goto(f"{url}?size=5&who=ada")
            page.wait_for_function("() => document.body.innerText.includes('seen:')")
            seen = parse(page.inner_text("body"))
            assert seen["args"] == {"size": ["5"], "who": ["ada"]}
            field = page.locator("input[type=number]")
            eventually(lambda: field.input_value() == "5", 60, "the widget has the link's value")
            field.fill("7")
            field.press("Tab")
            page.wait_for_url(f"{url}?size=7&who=ada", timeout=60_000)
        finally:
            context.close()


def test_a_jupyter_server(tmp_path: Path, program: str, start_host: Callable[..., Host]) -> None:
    host = start_host("server", TRUST, base_url="/jupyter/")
    target = f"http://127.0.0.1:{host.port}"
    with _nginx(program, tmp_path / "nginx", "/jupyter/", target, X_FORWARDED) as url:
        body = {"path": "x.ipynb", "name": "x", "type": "notebook", "kernel": {"name": "python3"}}
        transport = httpx.HTTPTransport(verify=False, local_address=VISITOR)
        answer = httpx.Client(transport=transport, timeout=60).post(
            f"{url}api/sessions",
            json=body,
            headers={
                "Authorization": f"token {host.token}",
                "Referer": f"{url}notebooks/x.ipynb?a=1",
                "X-Forwarded-For": "6.6.6.6",
            },
        )
        kernel = answer.raise_for_status().json()["kernel"]["id"]
        seen = "[state.request.url, state.request.remote_ip, state.request.host_kind]"
        page = f"{url}notebooks/x.ipynb?a=1"
        assert host.see(kernel, seen) == [page, VISITOR, "notebook"]
