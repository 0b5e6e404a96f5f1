"""Whatever comes, the server and the kernels start, and a warning says why state is empty."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hosts import Host
from visitors import SHOW, visit, write_notebook
from waiting import eventually

pytestmark = pytest.mark.server

StartHost = Callable[..., Host]


def _raw(host: Host, head: bytes, body: bytes = b"") -> bytes:
    """Send bytes to the server as they are, and return what it answers."""
    with socket.create_connection(("127.0.0.1", host.port), 30) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(head + b"\r\n\r\n" + body)
        answer = b""
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except ConnectionResetError:
            pass
        return answer


def _post(host: Host, *headers: bytes, path: str = "x.ipynb") -> str:
    body = json.dumps(
        {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
    ).encode()
    head = b"\r\n".join(
        [
            b"POST /api/sessions HTTP/1.1",
            b"Host: 127.0.0.1:%d" % host.port,
            b"Connection: close",
            b"Authorization: token " + host.token.encode(),
            b"Content-Length: %d" % len(body),
            *headers,
        ]
    )
    answer = _raw(host, head, body)
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["kernel"]["id"])


def test_bytes_that_are_not_utf8(server: Host) -> None:
    referer = b"Referer: http://127.0.0.1:%d/notebooks/x.ipynb?raw=\xff&k=%%FF" % server.port
    kernel = _post(server, referer, b"X-Raw: \xff\xfe", b"Cookie: raw=\xff; name=K\xc3\xb6ln")
    seen = server.see(
        kernel,
        "[{k: [v.decode('latin-1') for v in vs] for k, vs in state.session_args.items()},"
        "state.headers['x-raw'], dict(state.cookies), state.request.query]",
    )
    assert seen == [
        {"raw": ["\xff"], "k": ["\xff"]},
        "\xff\xfe",
        {"raw": "\xff", "name": "Köln"},
        "raw=%FF&k=%FF",
    ]


def test_headers_that_repeat(server: Host) -> None:
    kernel = _post(
        server, b"X-Tag: a", b"x-tag: b", b"Cookie: a=1", b"Cookie: b=2", path="repeat.ipynb"
    )
    seen = server.see(kernel, "[state.headers.get_all('X-TAG'), dict(state.cookies)]")
    assert seen == [["a", "b"], {"a": "1", "b": "2"}]


def test_cookies_that_are_none(server: Host) -> None:
    kernel = _post(server, b'Cookie: ; =x; bare; a=; b="q\\"x"; c=1=2;;', path="odd.ipynb")
    assert server.see(kernel, "dict(state.cookies)") == {"a": "", "b": 'q"x', "c": "1=2"}


def test_a_cookie_of_a_megabyte(server: Host) -> None:
    head = b"GET /api HTTP/1.1\r\nHost: localhost\r\nCookie: big=" + b"x" * (1 << 20)
    answer = _raw(server, head)
    assert not answer or answer.startswith(b"HTTP/1.1 4")
    assert server.http.get("api/status").is_success


LARGE_HEADERS = """
from tornado.httpserver import HTTPServer

initialize = HTTPServer.initialize
HTTPServer.initialize = lambda *args, **options: initialize(
    *args, **{**options, "max_header_size": 4_000_000}
)
"""


def test_a_cookie_of_a_megabyte_that_the_server_takes(
    tmp_path: Path, start_host: StartHost
) -> None:
    config = tmp_path / "h" / "config"
    config.mkdir(parents=True)
    (config / "jupyter_server_config.py").write_text(LARGE_HEADERS)
    host = start_host("server", "--debug", home=tmp_path / "h")
    kernel = _post(host, b"Cookie: big=" + b"x" * (1 << 20))
    assert host.see(kernel, "[state.request, dict(state.cookies)]") == [None, {}]
    assert "the request is larger than 1,048,576 bytes" in host.log


def test_a_voila_json_that_overrides_ours(tmp_path: Path, start_host: StartHost) -> None:
    root = tmp_path / "v" / "root"
    notebook = write_notebook(root / "x.ipynb", SHOW)
    stock = "jupyter_server.services.kernels.kernelmanager.AsyncMappingKernelManager"
    config = {"VoilaConfiguration": {"multi_kernel_manager_class": stock}}
    (root / "voila.json").write_text(json.dumps(config))
    host = start_host("voila", str(notebook), home=tmp_path / "v")
    page = visit(host.url, "a")
    assert page.seen["sid"] == ""
    assert page.seen["n"] == []
    assert "this Voilà does not use nbsession" in host.log


def test_a_voila_json_with_other_keys(tmp_path: Path, start_host: StartHost) -> None:
    root = tmp_path / "v" / "root"
    notebook = write_notebook(root / "x.ipynb", SHOW)
    (root / "voila.json").write_text('{"VoilaConfiguration": {"theme": "dark"}}')
    assert visit(start_host("voila", str(notebook), home=tmp_path / "v").url, "a").is_right


@pytest.mark.parametrize("app", ["server", "voila"])
def test_a_trait_that_is_wrong(tmp_path: Path, start_host: StartHost, app: str) -> None:
    """The server starts, kernels start, and the log says what is wrong."""
    write_notebook(tmp_path / "h" / "root" / "x.ipynb", "print('ran', 6 * 7)")
    notebook = ["x.ipynb"] if app == "voila" else []
    host = start_host(app, *notebook, "--NBSession.page_grace_seconds=soon", home=tmp_path / "h")
    if app == "voila":
        assert "ran 42" in host.http.get("").text
    else:
        assert host.see(host.start_kernel("notebooks/x.ipynb"), "state.request") is None
    assert "page_grace_seconds" in host.log


def test_a_server_that_is_gone(start_host: StartHost) -> None:
    """A stale socket: the kernel warns of it, at once and once."""
    host = start_host("server")
    kernel = host.start_kernel("notebooks/x.ipynb")
    address = host.environment_of(kernel)["NBSESSION_LINK"]
    Path(address.removeprefix("unix:")).unlink()
    printed = host.run(
        kernel,
        "import time, warnings\nfrom nbsession import state\nstarted = time.perf_counter()\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    print(state.request, dict(state.cookies), state.base_url)\n"
        "print([str(w.message) for w in caught if w.category.__name__ == 'NBSessionWarning'])\n"
        "print(time.perf_counter() - started < 5)",
    )
    lines = printed.splitlines()
    assert lines[0] == "None {} None"
    assert lines[1].count("does not answer") == 1
    assert lines[2] == "True"


def test_no_room_for_the_socket(tmp_path: Path, start_host: StartHost) -> None:
    """A full disk: kernels are served over loopback instead, and the log says why."""
    full = _full_disk(tmp_path / "full")
    try:
        config = tmp_path / "h" / "config"
        config.mkdir(parents=True)
        # What Python found when the disk had room.
        text = f"import tempfile\ntempfile.tempdir = {str(full)!r}"
        (config / "jupyter_server_config.py").write_text(text)
        host = start_host("server", home=tmp_path / "h")
        with pytest.raises(OSError, match="No space left"):
            (full / "more").mkdir()
        kernel = host.start_kernel("notebooks/x.ipynb?a=1", {"Cookie": "sid=a"})
        assert host.see(kernel, "[dict(state.cookies), state.request.query]") == [
            {"sid": "a"},
            "a=1",
        ]
        assert host.environment_of(kernel)["NBSESSION_LINK"].startswith("tcp:127.0.0.1:")
        assert "No space left on device" in host.log
    finally:
        subprocess.run(["umount", str(full)], check=True)  # noqa: S607 - where it is differs


def _full_disk(path: Path) -> Path:
    path.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "nr_inodes=1", "tmpfs", str(path)],  # noqa: S607 - found on PATH
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"cannot mount a disk of our own here: {made.stderr.strip()}")
    return path


BROKEN = """
from nbsession.server.services import SessionServices

def environment_for(self, kernel_id, environ):
    raise RuntimeError("nbsession itself is broken")

SessionServices.environment_for = environment_for

def _load_jupyter_server_extension(app):
    pass
"""


def test_nbsession_itself_fails(tmp_path: Path, start_host: StartHost) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)
    host = start_host(
        "server",
        "--ServerApp.jpserver_extensions=broken=True",
        "--ServerApp.jpserver_extensions=nbsession=True",
        env={"PYTHONPATH": str(tmp_path)},
    )
    kernel = host.start_kernel("notebooks/x.ipynb")
    assert host.see(kernel, "state.request") is None
    assert "starts without a link; state will be empty there" in host.log
    assert "RuntimeError: nbsession itself is broken" in host.log
    assert host.http.get("api/status").is_success
    eventually(host.kernels)
