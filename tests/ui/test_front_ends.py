"""Front ends in a real browser: nbclassic, pages that send no Referer, each way to run Voilà."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from hosts import Host
from pages import PROBE, Visit, parse, write_notebook
from setup_scripts import SEES_SESSIONS, SetupScript
from waiting import eventually

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
    host = Host(app, home, *options, lean=False)
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
    # Not in all of the page, which shows the cell's code too.
    output = "#notebook-container .output_area"
    ada.page.wait_for_function(
        f"() => document.querySelector('{output}')?.innerText.includes(':end')"
    )
    seen = parse(ada.page.inner_text(output))
    assert seen["args"] == ARGUMENTS
    assert seen["cookies"] == ada.seen_cookies
    assert seen["user"]
    assert seen["request"] == ["GET", "/nbclassic/notebooks/x.ipynb", QUERY, "notebook"]


# -- each way to run Voilà, and Notebook 7 --------------------------------------------------------

APP = """
import ipywidgets as widgets
from nbsession import BusyIndicator, state
from front_end_module import work

size = widgets.IntText(description="size")
state.location.sync(size)
ticks, loaded, ran = widgets.Label("no tick"), widgets.Label("not loaded"), widgets.Label()
clock = state.add_periodic_callback(lambda: ticks.set_trait("value", f"{clock.counter} ticks"), 100)
state.onload(lambda: loaded.set_trait("value", "has loaded"))
run = await state.schedule_task("front-end", work, cron="@yearly").run_now()
ran.value = f"the run has {run.state}"
display(size, ticks, loaded, ran, BusyIndicator(label="busy"))
"""

VARIANTS = {
    "one notebook": ("voila", "", ["x.ipynb"]),
    "a folder": ("voila", "voila/render/x.ipynb", []),
    "in Jupyter Server": ("server", "voila/render/x.ipynb", []),
    "Notebook 7": (
        "notebook",
        "notebooks/x.ipynb",
        [f"--{EXPOSED['notebook']}.expose_app_in_browser=True"],
    ),
    "preheated": ("voila", "", ["x.ipynb", "--preheat_kernel=True", "--pool_size=1"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_each_way(variant: str, tmp_path: Path, visit: NewVisit) -> None:
    app, path, options = VARIANTS[variant]
    script = SetupScript(tmp_path / "project" / "tasks.py").write(SEES_SESSIONS)
    home = tmp_path / "home"
    write_notebook(home / "root", "x.ipynb", [APP])
    (home / "root" / "front_end_module.py").write_text("def work():\n    return 1\n")
    host = Host(app, home, *options, script.option, lean=False)
    try:
        host.wait_ready()
        if variant == "preheated":
            host.wait_for_pool(1)
        ada = visit(host, "ada")
        token = "" if app == "voila" else f"&token={host.token}"
        page = ada.open(f"{path}?size=5{token}").page
        if app == "notebook":
            ada.wait_for_kernel()
            ada.command("notebook:run-all-cells")
        for words in ("ticks", "has loaded", "the run has succeeded"):
            page.wait_for_function("words => document.body.innerText.includes(words)", arg=words)
        field = page.locator("input[type=number]")
        eventually(lambda: field.input_value() == "5", 60, "the widget has the link's value")
        field.fill("7")
        field.press("Tab")
        page.wait_for_function("() => new URLSearchParams(location.search).get('size') === '7'")
        [[kernel, cookie]] = script.of("created")
        assert cookie == ada.cookie
        if app == "notebook":
            host.http.delete(f"api/kernels/{kernel}").raise_for_status()
        page.goto("about:blank")
        eventually(lambda: script.of("destroyed") == [[kernel, True]], 60, "the session has ended")
    finally:
        host.stop()
