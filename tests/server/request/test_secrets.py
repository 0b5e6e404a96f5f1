"""A cookie's value is seen by its visitor's kernel and by nothing else."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING

import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from visitors import SHOW, visit, write_notebook
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hosts import Host

pytestmark = pytest.mark.server


def _files_with(mark: str, *roots: Path) -> list[Path]:
    return [
        path
        for root in roots
        for path in root.rglob("*")
        if path.is_file() and mark.encode() in path.read_bytes()
    ]


async def _frames_while(host: Host, path: str, act: Callable[[], None]) -> list[str]:
    """Return what a socket of the server says while something is done."""
    url = host.url.replace("http", "ws", 1) + path
    request = HTTPRequest(url, headers={"Authorization": f"token {host.token}"})
    socket = await websocket_connect(request)
    await asyncio.to_thread(act)
    frames: list[str] = []
    try:
        while True:
            frames.append(str(await asyncio.wait_for(_read(socket), 1)))
    except TimeoutError:
        return frames
    finally:
        socket.close()


async def _read(socket) -> object:
    return await socket.read_message()


def test_jupyter_server(start_host: Callable[..., Host]) -> None:
    mark = uuid.uuid4().hex
    host = start_host("server", "--debug")
    kernels: list[str] = []

    def start() -> None:
        kernels.append(
            host.start_kernel(
                f"notebooks/x.ipynb?token={host.token}&a=1", {"Cookie": f"sid={mark}"}
            )
        )
        host.run(kernels[0], "from nbsession import state\nstate.log(len(state.cookies['sid']))")

    events = asyncio.run(_frames_while(host, "api/events/subscribe", start))
    assert any("kernel_actions" in frame for frame in events), "the events were received"
    kernel = kernels[0]
    assert host.see(kernel, "state.cookies['sid']") == mark
    children = host.run(
        kernel,
        "import json, subprocess, sys\n"
        "code = 'import os, json; print(json.dumps(dict(os.environ)))'\n"
        "child = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)\n"
        "print(child.stdout)",
    )
    shown = host.run(kernel, "print(state, state.request, state.cookies, state.headers)")
    everywhere = {
        "events": json.dumps(events),
        "log": host.log,
        "environment": json.dumps(host.environment_of(kernel)),
        "children": children,
        "printed": shown,
        "rest": host.http.get("api/sessions").text + host.http.get("api/kernels").text,
    }
    assert [place for place, text in everywhere.items() if mark in text] == []
    assert [place for place in ("children", "printed") if host.token in everywhere[place]] == []
    assert _files_with(mark, host.home, host.tmp) == []


def test_voila_with_a_token_in_its_url(tmp_path: Path, start_host: Callable[..., Host]) -> None:
    """Voilà puts the page's URL into the kernel's environment, token and all; not with us."""
    mark = uuid.uuid4().hex
    env = "import os\nprint('ENV', {k: v for k, v in os.environ.items()})"
    write_notebook(tmp_path / "s" / "root" / "x.ipynb", SHOW, env)
    host = start_host("server", "--debug", home=tmp_path / "s", lean=False)
    page = visit(f"{host.url}voila/render/x.ipynb?token={host.token}", mark)
    assert page.is_right
    assert host.token not in page.page
    assert "QUERY_STRING" in page.page
    assert f"sid=marker~{mark}" not in page.page + host.log
    assert _files_with(f"marker~{mark}", host.home, host.tmp) == []


def test_preheated_kernels_know_nothing_of_the_visitor_before(
    tmp_path: Path, start_host: Callable[..., Host]
) -> None:
    """Voilà fills its pool with the URL of the visitor before in the environment; not with us."""
    env = "import os\nprint('ENV', {k: v for k, v in os.environ.items()})"
    notebook = write_notebook(tmp_path / "v" / "root" / "x.ipynb", env, SHOW)
    host = start_host(
        "voila", str(notebook), "--preheat_kernel=True", "--pool_size=1", home=tmp_path / "v"
    )
    host.wait_for_pool(1)
    assert visit(host.url, "first-visitor").is_right
    eventually(lambda: host.log.count("is filled with 1") == 2, 30, "the pool is filled again")
    second = visit(host.url, "second-visitor")
    assert second.is_right
    assert "first-visitor" not in second.page
