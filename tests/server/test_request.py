"""The visitor's request, seen in a kernel of a real Jupyter server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

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
