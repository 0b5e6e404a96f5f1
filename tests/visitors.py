"""Many visitors at once, each with a mark of its own, and whether every one saw its own."""

from __future__ import annotations

import html
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import nbformat
from nbformat.v4 import new_code_cell, new_notebook

if TYPE_CHECKING:
    from pathlib import Path

_SEEN = re.compile(r"SEEN(\{.*?\})NEES", re.DOTALL)

SHOW = """
import json
from nbsession import state
sid = state.cookies.get("sid", "")
print("SEEN" + json.dumps(dict(
    sid=sid.partition("~")[2], n=[v.decode() for v in state.session_args.get("n", [])],
    tag=state.headers.get("X-Tag"), kernel=state.kernel_id, user=bool(state.user),
    kind=getattr(state.request, "host_kind", None), path=getattr(state.request, "path", None),
    base=state.base_url)) + "NEES")
"""


def write_notebook(path: Path, *cells: str) -> Path:
    """Write a notebook of code cells."""
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    notebook.metadata.kernelspec = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


@dataclass
class Visit:
    """What a visitor sent and what its page showed."""

    mark: str
    page: str

    @property
    def seen(self) -> dict[str, object]:
        found = _SEEN.search(html.unescape(self.page))
        assert found, f"the page shows nothing:\n{self.page[-3000:]}"
        return dict(json.loads(found[1]))

    @property
    def is_right(self) -> bool:
        seen = self.seen
        return (seen["sid"], seen["n"], seen["tag"]) == (self.mark, [self.mark], self.mark)


def visit(url: str, mark: str, token: str = "") -> Visit:
    """Load a Voilà page as a visitor with a cookie, a query and a header of its own."""
    headers = {"Cookie": f"sid=marker~{mark}", "X-Tag": mark}
    if token:
        headers["Authorization"] = f"token {token}"
    page = httpx.URL(url).copy_add_param("n", mark)
    answer = httpx.get(page, headers=headers, timeout=60)
    answer.raise_for_status()
    return Visit(mark, answer.text)


def waves(url: str, visitors: int = 10, count: int = 3, token: str = "") -> list[Visit]:
    """Let some visitors come at once, wave after wave."""
    visits: list[Visit] = []
    for wave in range(count):
        marks = [f"w{wave}v{number}" for number in range(visitors)]
        with ThreadPoolExecutor(visitors) as pool:
            visits += pool.map(lambda mark: visit(url, mark, token), marks)
    return visits
