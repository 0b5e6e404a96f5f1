"""JupyterLab and Notebook 7, driven in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from hosts import Host
from pages import PROBE, Visit, write_notebook
from waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.server]

NewVisit = Callable[[Host, str], Visit]
QUERY = "city=K%C3%B6ln&n=3&n=4"
ARGUMENTS = {"city": ["Köln"], "n": ["3", "4"]}


def host_of(app: str, trait: str, home) -> Iterator[Host]:
    for name in ("lab.ipynb", "restart.ipynb", "shared.ipynb", "plain.ipynb", "notebook.ipynb"):
        write_notebook(home / "root", name, [PROBE])
    host = Host(app, home, f"--{trait}.expose_app_in_browser=True")
    try:
        yield host.wait_ready()
    finally:
        host.stop()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    yield from host_of("lab", "LabApp", tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    yield from host_of("notebook", "JupyterNotebookApp", tmp_path_factory.mktemp("notebook"))


@pytest.fixture(autouse=True)
def no_workspace(lab: Host) -> None:
    """Forget which tabs the test before had open: JupyterLab would open them again."""
    for workspace in (lab.home / "workspaces").glob("*"):
        workspace.unlink()


def address(host: Host, path: str, query: str = QUERY) -> str:
    return f"{path}?{query}&token={host.token}"


def create_notebook(visit: Visit, other_than: str = "") -> None:
    """Make a notebook that has the probe, once the page is there."""
    visit.page.wait_for_function("() => window.jupyterapp")
    visit.page.evaluate("async () => { await window.jupyterapp.restored; }")
    visit.command("notebook:create-new", {"cwd": "", "kernelName": "python3"})
    visit.wait_for_kernel(other_than)
    visit.write_cell(PROBE)


def test_first_cell_sees_page_in_lab(lab: Host, visit: NewVisit) -> None:
    ada = visit(lab, "lab-ada").open_notebook(address(lab, "lab/tree/lab.ipynb"))
    seen = ada.run_all()
    assert seen["args"] == ARGUMENTS
    assert seen["cookies"] == ada.seen_cookies
    assert seen["header"] == ada.header
    assert seen["user"]
    assert seen["request"] == ["GET", "/lab/tree/lab.ipynb", QUERY, "lab"]
    ada.check_nothing_leaked()
    assert ada.own_complaints == []


def test_new_notebook_in_lab_gets_query_of_page(lab: Host, visit: NewVisit) -> None:
    ada = visit(lab, "new-ada")
    ada.open(address(lab, "lab"))
    create_notebook(ada)
    seen = ada.run_all()
    assert (seen["args"], seen["cookies"]) == (ARGUMENTS, ada.seen_cookies)


def test_new_notebook_in_lab_gets_no_query_of_another(lab: Host, visit: NewVisit) -> None:
    ada = visit(lab, "other-ada").open_notebook(address(lab, "lab/tree/plain.ipynb"))
    first = ada.run_all()["kernel"]
    create_notebook(ada, other_than=first)
    seen = ada.run_all()
    assert seen["kernel"] != first
    assert (seen["args"], seen["request"][2], seen["cookies"]) == ({}, "", ada.seen_cookies)
    ada.write_cell("print('pending:', state._session.server.info('page').page_pending)")
    ada.command("notebook:run-all-cells")
    assert "pending: False" in ada.outputs(), "the page has said that the query is empty"


def test_second_browser_joins_and_changes_nothing(lab: Host, visit: NewVisit) -> None:
    path = "lab/tree/shared.ipynb"
    ada = visit(lab, "first-ada").open_notebook(address(lab, path))
    before = ada.run_all()
    bob = visit(lab, "second-bob").open_notebook(address(lab, path, "city=Paris"))
    assert bob.run_all() == before
    assert ada.run_all() == before
    assert before["args"] == ARGUMENTS
    assert bob.own_complaints == []
    bob.check_nothing_leaked()


def test_restart_in_lab_keeps_request(lab: Host, visit: NewVisit) -> None:
    ada = visit(lab, "restart-ada").open_notebook(address(lab, "lab/tree/restart.ipynb"))
    before = ada.run_all()
    process = lab.kernel_process(before["kernel"])
    ada.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:restart-kernel'); }")
    ada.page.click(".jp-Dialog .jp-mod-accept")
    eventually(lambda: not process.is_running(), what="the old kernel's process ends")
    ada.wait_for_idle_kernel()
    assert ada.run_all() == before


def test_page_without_query(lab: Host, visit: NewVisit) -> None:
    ada = visit(lab, "plain-ada")
    ada.open(f"lab?token={lab.token}")
    create_notebook(ada)
    seen = ada.run_all()
    assert (seen["args"], seen["request"][2]) == ({}, "")
    assert seen["cookies"] == ada.seen_cookies


def test_first_cell_sees_page_in_notebook(notebook: Host, visit: NewVisit) -> None:
    ada = visit(notebook, "nb-ada")
    ada.open_notebook(address(notebook, "notebooks/notebook.ipynb"))
    before = ada.run_all()
    assert before["args"] == ARGUMENTS
    assert before["cookies"] == ada.seen_cookies
    assert before["header"] == ada.header
    assert before["request"] == ["GET", "/notebooks/notebook.ipynb", QUERY, "notebook"]
    ada.check_nothing_leaked()
    assert ada.own_complaints == []

    bob = visit(notebook, "nb-bob")
    bob.open_notebook(address(notebook, "notebooks/notebook.ipynb", "city=Paris"))
    assert bob.run_all() == before
