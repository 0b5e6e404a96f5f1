"""Pages of nbclassic, and of JupyterLab and Notebook 7 that send no Referer, in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from hosts import Host
from pages import PROBE, Visit, parse, write_notebook

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.browser, pytest.mark.server]

NewVisit = Callable[[Host, str], Visit]
QUERY = "city=K%C3%B6ln&n=3&n=4"
ARGUMENTS = {"city": ["Köln"], "n": ["3", "4"]}

NO_REFERRER = '--ServerApp.tornado_settings={"headers": {"Referrer-Policy": "no-referrer"}}'
EXPOSED = {"lab": "LabApp", "notebook": "JupyterNotebookApp"}


def _running(app: str, home: Path, *options: str) -> Iterator[Host]:
    write_notebook(home / "root", "x.ipynb", [PROBE])
    host = Host(app, home, *options)
    try:
        yield host.wait_ready()
    finally:
        host.stop()


@pytest.fixture(params=["lab", "notebook"])
def silent(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    """A server whose pages may not say where a request comes from."""
    exposed = f"--{EXPOSED[request.param]}.expose_app_in_browser=True"
    yield from _running(request.param, tmp_path / "home", exposed, NO_REFERRER)


def test_no_referrer(silent: Host, visit: NewVisit) -> None:
    ada = visit(silent, "ada")
    path = "lab/tree/x.ipynb" if silent.app == "lab" else "notebooks/x.ipynb"
    ada.open_notebook(f"{path}?{QUERY}&token={silent.token}")
    seen = ada.run_all()
    assert seen["args"] == ARGUMENTS
    assert seen["cookies"] == ada.seen_cookies
    assert seen["request"] == ["GET", f"/{path}", QUERY, silent.app]
    ada.check_nothing_leaked()
    assert ada.own_complaints == []


@pytest.fixture
def classic(tmp_path: Path) -> Iterator[Host]:
    yield from _running("server", tmp_path / "home")


def test_nbclassic(classic: Host, visit: NewVisit) -> None:
    ada = visit(classic, "ada")
    ada.open(f"nbclassic/notebooks/x.ipynb?{QUERY}&token={classic.token}")
    ada.page.wait_for_function("() => window.Jupyter?.notebook?.kernel?.is_connected()")
    ada.page.evaluate("() => window.Jupyter.notebook.execute_all_cells()")
    ada.page.wait_for_function("() => document.body.innerText.includes(':end')")
    seen = parse(ada.page.inner_text("#notebook-container"))
    assert seen["args"] == ARGUMENTS
    assert seen["cookies"] == ada.seen_cookies
    assert seen["user"]
    assert seen["request"] == ["GET", "/nbclassic/notebooks/x.ipynb", QUERY, "notebook"]
