"""The visitor's request, seen in a kernel of a real Jupyter server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from kernels import run_cell
from nbsession.core.errors import LinkRefusedError
from waiting import eventually

if TYPE_CHECKING:
    from hosts import Host

pytestmark = pytest.mark.server


def test_notebook_page(server: Host) -> None:
    kernel = server.start_kernel(
        "notebooks/x.ipynb?city=K%C3%B6ln&n=3&n=4&blank=&raw=%FF&token=secret",
        [
            ("Cookie", "sid=abc; _xsrf=2|x; username-127-0-0-1-1=y; theme=dark"),
            ("X-Tag", "a"),
            ("X-Tag", "b"),
        ],
    )
    seen = server.see(
        kernel,
        """dict(
        args={k: [v.decode("latin-1") for v in vs] for k, vs in state.session_args.items()},
        cookies=dict(state.cookies), cookie_header=state.headers["cookie"],
        tags=state.headers.get_all("x-tag"), tag=state.headers["X-TAG"],
        names=[n.lower() for n in state.headers],
        request=dict(method=state.request.method, url=state.request.url, path=state.request.path,
            query=state.request.query, ip=state.request.remote_ip, kind=state.request.host_kind,
            tz=str(state.request.received_at.tzinfo)),
        base_url=state.base_url, app_url=state.app_url, kernel_id=state.kernel_id,
        user=bool(state.user.username))""",
    )
    assert seen["args"] == {"city": ["KÃ¶ln"], "n": ["3", "4"], "blank": [""], "raw": ["\xff"]}
    assert seen["cookies"] == {"sid": "abc", "theme": "dark"}
    assert seen["cookie_header"] == "sid=abc; theme=dark"
    assert (seen["tags"], seen["tag"]) == (["a", "b"], "a, b")
    assert "authorization" not in seen["names"]
    query = "city=K%C3%B6ln&n=3&n=4&blank=&raw=%FF"
    assert seen["request"] == {
        "method": "GET",
        "url": f"{server.url}notebooks/x.ipynb?{query}",
        "path": "/notebooks/x.ipynb",
        "query": query,
        "ip": "127.0.0.1",
        "kind": "notebook",
        "tz": "UTC",
    }
    assert (seen["base_url"], seen["app_url"]) == ("/", "/notebooks/x.ipynb")
    assert (seen["kernel_id"], seen["user"]) == (kernel, True)


def test_rest_client(server: Host) -> None:
    """No page: the request is the client's, without the query of the API call."""
    kernel = server.start_kernel(headers={"X-Tag": "rest", "Referer": server.url + "lab?a=1"})
    seen = server.see(
        kernel,
        "dict(kind=state.request.host_kind, query=state.request.query, path=state.request.path,"
        "method=state.request.method, args=state.session_args, tag=state.headers['x-tag'],"
        "app=state.app_url)",
    )
    assert seen == {
        "kind": None,
        "query": "",
        "path": "/api/kernels",
        "method": "POST",
        "args": {},
        "tag": "rest",
        "app": None,
    }


@pytest.mark.parametrize(
    "referer", ["https://elsewhere.org/lab/tree/x.ipynb?a=1", "not a url", "//"]
)
def test_a_page_of_elsewhere_is_no_page(server: Host, referer: str) -> None:
    body = {"path": "r.ipynb", "name": "r", "type": "notebook", "kernel": {"name": "python3"}}
    answer = server.http.post("api/sessions", headers={"Referer": referer}, json=body)
    kernel = answer.raise_for_status().json()["kernel"]["id"]
    try:
        seen = server.see(kernel, "[state.request.host_kind, state.request.query]")
    finally:
        server.http.delete(f"api/sessions/{answer.json()['id']}")
    assert seen == [None, ""]


def _put_page(server: Host, kernel: str, query: str, **headers: str) -> bool:
    answer = server.http.put(
        f"nbsession/api/sessions/{kernel}/page", json={"query": query}, headers=headers
    )
    return bool(answer.raise_for_status().json()["bound"])


ARGS = "{k: [v.decode() for v in vs] for k, vs in state.session_args.items()}"


def test_lab_page_sends_its_query(server: Host) -> None:
    kernel = server.start_kernel("lab/tree/lab1.ipynb", path="lab1.ipynb")
    assert _put_page(server, kernel, "city=K%C3%B6ln&token=secret&n=1&n=2")
    assert server.see(kernel, ARGS) == {"city": ["Köln"], "n": ["1", "2"]}
    assert not _put_page(server, kernel, "city=Bonn"), "the first page counts"
    url = f"{server.url}lab/tree/lab1.ipynb?city=K%C3%B6ln&n=1&n=2"
    assert server.see(kernel, "[state.request.url, state.request.query]") == [
        url,
        url.split("?")[1],
    ]


def test_lab_page_is_waited_for(server: Host) -> None:
    kernel = server.start_kernel("lab/tree/lab2.ipynb", path="lab2.ipynb")
    with ThreadPoolExecutor() as pool, server.client(kernel) as client:
        seen = pool.submit(
            run_cell, client, "from nbsession import state\nprint(state.session_args)"
        )
        assert _put_page(server, kernel, "late=1")
        assert seen.result(10) == "{'late': [b'1']}\n"


def test_lab_page_that_never_sends_is_waited_for_once(server: Host) -> None:
    kernel = server.start_kernel("lab/tree/lab3.ipynb", path="lab3.ipynb")
    timing = (
        "[(lambda t: [state.session_args, time.perf_counter() - t][1])(time.perf_counter())"
        " for _ in range(2)]"
    )
    server.run(kernel, "import time")
    first, second = server.see(kernel, timing)
    assert 0.9 < first < 3
    assert second < 0.5
    assert _put_page(server, kernel, "late=1"), "nothing is lost"
    assert server.see(kernel, ARGS) == {"late": ["1"]}


def test_lab_page_of_another_user_does_not_count(server: Host) -> None:
    kernel = server.start_kernel("lab/tree/lab4.ipynb", path="lab4.ipynb")
    stranger = httpx.Client(base_url=server.url)
    stranger.get(f"lab?token={server.token}", follow_redirects=True)
    stranger.get(f"api/status?token={server.token}")
    answer = stranger.put(
        f"nbsession/api/sessions/{kernel}/page",
        json={"query": "mine=1"},
        headers={"X-XSRFToken": stranger.cookies.get("_xsrf", "")},
    )
    assert answer.json() == {"bound": False}
    assert _put_page(server, kernel, "")
    assert server.see(kernel, ARGS) == {}


SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
WHICH = "[state.request.url, state.request.host_kind, state.request.method, state.app_url]"


def _start_without_referer(server: Host, path: str, headers: dict[str, str]) -> str:
    body = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
    answer = server.http.post("api/sessions", headers=headers, json=body)
    return str(answer.raise_for_status().json()["kernel"]["id"])


@pytest.mark.parametrize("tells_origin", [False, True], ids=["no-referrer", "origin"])
@pytest.mark.parametrize(
    ("page", "kind"),
    [("/lab/tree/n.ipynb", "lab"), ("/notebooks/n.ipynb", "notebook"), (None, "lab")],
)
def test_a_page_whose_referer_does_not_name_it_says_itself_which_it_is(
    server: Host, page: str | None, kind: str, tells_origin: bool
) -> None:
    headers = {**SAME_ORIGIN, "Referer": server.url} if tells_origin else SAME_ORIGIN
    name = f"{kind}-{page is None}-{tells_origin}.ipynb"
    kernel = _start_without_referer(server, name, headers)
    url = f"nbsession/api/sessions/{kernel}/page"
    body = {"query": "a=1&token=x", **({"path": page} if page else {})}
    assert server.http.put(url, json=body).json() == {"bound": True}
    path = page or "/lab"
    here = f"{server.url.rstrip('/')}{path}?a=1"
    assert server.see(kernel, WHICH) == [here, kind, "GET", path]
    assert server.see(kernel, ARGS) == {"a": ["1"]}
    assert server.http.put(url, json=body).json() == {"bound": False}


def test_a_page_that_never_says_which_it_is_is_waited_for_once(server: Host) -> None:
    kernel = _start_without_referer(server, "never.ipynb", SAME_ORIGIN)
    assert server.see(kernel, "[state.session_args, state.request.host_kind, state.app_url]") == [
        {},
        None,
        None,
    ]


def test_who_is_no_page_is_not_asked(server: Host) -> None:
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "none"}):
        kernel = _start_without_referer(server, f"no-{len(str(headers))}.ipynb", headers)
        url = f"nbsession/api/sessions/{kernel}/page"
        body = {"query": "a=1", "path": "/lab/tree/n.ipynb"}
        assert server.http.put(url, json=body).json() == {"bound": False}
        assert server.see(kernel, "state.request.host_kind") is None


@pytest.mark.parametrize("path", ["lab", "//evil.org/lab", "/lab?x", "/lab#x", "/lab /x", 1, "/ü"])
def test_a_path_that_is_none(server: Host, path: object) -> None:
    kernel = server.start_kernel()
    url = f"nbsession/api/sessions/{kernel}/page"
    answer = server.http.put(url, json={"query": "", "path": path})
    assert answer.status_code == 400
    server.http.delete(f"api/kernels/{kernel}")


def test_nbclassic(server: Host) -> None:
    kernel = server.start_kernel("nbclassic/notebooks/c.ipynb?a=1", path="c.ipynb")
    page = "/nbclassic/notebooks/c.ipynb"
    assert server.see(kernel, WHICH) == [f"{server.url[:-1]}{page}?a=1", "notebook", "GET", page]


def test_a_second_browser_does_not_rebind(server: Host) -> None:
    kernel = server.start_kernel("notebooks/two.ipynb?who=a", {"Cookie": "sid=a"}, path="two.ipynb")
    again = server.start_kernel("notebooks/two.ipynb?who=b", {"Cookie": "sid=b"}, path="two.ipynb")
    assert again == kernel
    assert server.see(kernel, "[dict(state.cookies), state.request.query]") == [
        {"sid": "a"},
        "who=a",
    ]


def test_restart_keeps_the_request(server: Host) -> None:
    kernel = server.start_kernel("notebooks/re.ipynb?who=a", {"Cookie": "sid=a"}, path="re.ipynb")
    before = server.kernel_process(kernel)
    server.http.post(
        f"api/kernels/{kernel}/restart", headers={"Cookie": "sid=b"}
    ).raise_for_status()
    eventually(lambda: not before.is_running(), what="the old process is gone")
    assert server.see(kernel, "[dict(state.cookies), state.request.query]") == [
        {"sid": "a"},
        "who=a",
    ]
    assert server.kernel_process(kernel).pid != before.pid


def test_autorestart_keeps_the_request(server: Host) -> None:
    kernel = server.start_kernel(
        "notebooks/kill.ipynb?who=a", {"Cookie": "sid=a"}, path="kill.ipynb"
    )
    before = server.kernel_process(kernel)
    before.kill()
    eventually(lambda: server.kernels_of(kernel) not in ([], [before.pid]), 30, "a new process")
    assert server.see(kernel, "[dict(state.cookies), state.request.query]") == [
        {"sid": "a"},
        "who=a",
    ]


def test_a_kernel_within_a_kernel_has_no_request(server: Host) -> None:
    """papermill and nbclient: the environment is inherited, the request is not."""
    kernel = server.start_kernel("notebooks/in.ipynb?who=a", {"Cookie": "sid=a"}, path="in.ipynb")
    inner = "from nbsession import state; print(state.request, dict(state.cookies), state.user)"
    for first in ("", "from nbsession import state; state.headers"):  # before and after the import
        code = f"""
import nbformat.v4 as v4, nbclient
{first}
notebook = v4.new_notebook(cells=[v4.new_code_cell({inner!r})])
await nbclient.NotebookClient(notebook, kernel_name="python3").async_execute()
print(notebook.cells[0].outputs[-1]["text"])"""
        assert server.run(kernel, code).strip() == "None {} None"


def test_a_forked_child_has_no_request(server: Host) -> None:
    kernel = server.start_kernel(
        "notebooks/fork.ipynb?who=a", {"Cookie": "sid=a"}, path="fork.ipynb"
    )
    code = """
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)
{first}
reader, writer = os.pipe()
child = os.fork()
if child == 0:
    import nbsession
    from nbsession import state
    seen = [state.request, dict(state.cookies), nbsession.state.request]
    os.write(writer, repr(seen).encode())
    os._exit(0)
os.waitpid(child, 0)
print(os.read(reader, 1000).decode())
from nbsession import state
print(dict(state.cookies))"""
    for first in ("", "from nbsession import state; state.headers"):  # before and after the import
        printed = server.run(kernel, code.format(first=first))
        assert printed == "[None, {}, None]\n{'sid': 'a'}\n"


def test_a_kernel_that_ended_is_forgotten(server: Host) -> None:
    kernel = server.start_kernel("notebooks/end.ipynb", path="end.ipynb")
    link = server.link_of(kernel)
    assert link.get("session")["kernel_id"] == kernel
    server.http.delete(f"api/kernels/{kernel}").raise_for_status()
    with pytest.raises(LinkRefusedError, match="restart the kernel"):
        link.get("session")
