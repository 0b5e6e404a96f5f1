"""The hidden page model in real pages: who is there, where, and what it does when told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from hosts import Host
from pages import Visit, write_notebook
from waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.server]

NewVisit = Callable[[Host, str], Visit]

CELLS = [
    """
import os, json, pathlib
from nbsession import state
pages, doc = state._session.pages, state.curdoc
said = []
def note(record, content):
    said.append([content["kind"], record.id, record.location["search"] + record.location["hash"]])
for kind in ("hello", "goodbye", "location", "document", "focus"):
    pages.subscribe(kind, note)
titles = []
doc.observe(lambda change: titles.append(change["new"]), "title")
pathlib.Path(os.environ["HOME"], "kernel").write_text(state.kernel_id)
pages.widget
""",
    "print('all ' + 'ran')",
]


def host_of(app: str, home: Path, *args: str) -> Iterator[Host]:
    for name in ("x.ipynb", "two.ipynb", "restart.ipynb"):
        write_notebook(home / "root", name, CELLS)
    host = Host(app, home, *args)
    try:
        yield host.wait_ready()
    finally:
        host.stop()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    home = tmp_path_factory.mktemp("lab")
    yield from host_of("lab", home, "--LabApp.expose_app_in_browser=True")


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    home = tmp_path_factory.mktemp("notebook")
    yield from host_of("notebook", home, "--JupyterNotebookApp.expose_app_in_browser=True")


@pytest.fixture(scope="module")
def voila(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    yield from host_of("voila", tmp_path_factory.mktemp("voila"))


@pytest.fixture(autouse=True)
def no_workspace(lab: Host) -> None:
    """Forget which tabs the test before had open: JupyterLab would open them again."""
    for workspace in (lab.home / "workspaces").glob("*"):
        workspace.unlink()


class Kernel:
    """What the notebook's kernel knows; asked over a channel of its own."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.id = (host.home / "kernel").read_text()

    def see(self, expression: str) -> Any:
        code = f"import json; print(json.dumps({expression}))"
        return json.loads(self.host.run(self.id, code).splitlines()[-1])

    def do(self, code: str) -> None:
        self.host.run(self.id, code)

    def wait(self, expression: str, value: Any) -> None:
        eventually(lambda: self.see(expression) == value, what=f"{expression} is {value!r}")


def open_page(visit: Visit, path: str) -> Kernel:
    """Open a notebook, run it, and return its kernel once the page has said hello."""
    kernel_file = visit.host.home / "kernel"
    kernel_file.unlink(missing_ok=True)
    if visit.host.app == "voila":
        visit.open(path)
        visit.page.wait_for_function("() => document.body.innerText.includes('all ran')")
    else:
        visit.open_notebook(f"{path}{'&' if '?' in path else '?'}token={visit.host.token}")
        visit.command("notebook:run-all-cells")
    eventually(kernel_file.exists, what="the cells ran")
    kernel = Kernel(visit.host)
    kernel.wait("pages.is_reported", value=True)
    return kernel


def keep_titles(page: Page) -> None:
    """Note from now on every title that the page has, in its `titles`.

    JupyterLab writes its own title anew whenever its layout or anything else of its workspace has
    changed, for seconds after it has loaded: a title may be gone before anybody looks.
    """
    page.evaluate(
        """() => {
            window.titles = [document.title];
            new MutationObserver(() => window.titles.push(document.title))
                .observe(document.querySelector('title'), {childList: true});
        }"""
    )


def wait_for_title(page: Page, title: str) -> None:
    """Wait until the page has, or since `keep_titles` had, a title."""
    page.wait_for_function("title => window.titles.includes(title)", arg=title)


def check_document(kernel: Kernel, page: Page) -> None:
    """Title, theme and visibility are followed, and the title is written."""
    eventually(lambda: kernel.see("doc.title") == page.title(), what="the page's title")
    keep_titles(page)
    kernel.do("doc.title = 'written'")
    wait_for_title(page, "written")
    page.evaluate("() => { document.title = 'by the page'; }")
    kernel.wait("'by the page' in titles", value=True)
    eventually(lambda: kernel.see("doc.title") == page.title(), what="the page's title")
    assert kernel.see("doc.theme") == "light"
    page.evaluate("() => { document.body.dataset.jpThemeLight = 'false'; }")
    kernel.wait("doc.theme", "dark")
    assert kernel.see("doc.visible")
    page.evaluate(
        """() => {
            Object.defineProperty(document, 'visibilityState', {value: 'hidden', writable: true});
            document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )
    kernel.wait("doc.visible", value=False)
    assert kernel.see("state.browser_info.language") == page.evaluate("navigator.language")


def check_location(kernel: Kernel, page: Page, *, by_entry: bool = True) -> None:
    """The page's changes are heard, and what the kernel says is written."""
    search = "pages.current.location['search']"
    page.evaluate("() => history.pushState(null, '', '?pushed=1')")
    kernel.wait(search, "?pushed=1")
    page.evaluate("() => history.back()")
    eventually(lambda: kernel.see(search) != "?pushed=1", what="back is heard")
    entries = page.evaluate("() => history.length")
    kernel.do(
        "pages.send({'kind': 'navigate', 'parts': {'search': '?a=%20b+c', 'hash': '#x'},"
        " 'history': 'push', 'reload': False})"
    )
    page.wait_for_function("() => location.search.startsWith('?a=%20b+c')")
    kernel.wait(search, "?a=%20b+c")
    kernel.wait("list(pages.current.awaits)", [])
    if by_entry:
        page.evaluate("() => history.back()")
        page.wait_for_function("() => !location.search.startsWith('?a=%20b+c')")
        eventually(lambda: kernel.see(search) != "?a=%20b+c", what="back is heard")
    else:
        assert page.evaluate("() => history.length") == entries


def test_voila(voila: Host, visit: NewVisit) -> None:
    ada = visit(voila, "ada")
    kernel = open_page(ada, "voila/render/x.ipynb?n=3")
    assert kernel.see("said[0][::2]") == ["hello", "?n=3"]
    check_location(kernel, ada.page)
    check_document(kernel, ada.page)
    assert ada.own_complaints == []
    ada.page.reload()
    ada.page.wait_for_function("() => document.body.innerText.includes('all ran')")
    again = Kernel(voila)
    assert again.id != kernel.id
    again.wait("pages.is_reported", value=True)


@pytest.mark.parametrize(("app", "path"), [("lab", "lab/tree/"), ("notebook", "notebooks/")])
def test_lab_and_notebook(
    app: str, path: str, visit: NewVisit, request: pytest.FixtureRequest
) -> None:
    host: Host = request.getfixturevalue(app)
    ada = visit(host, "ada")
    kernel = open_page(ada, f"{path}x.ipynb")
    assert ada.page.locator(".jp-OutputArea-output").count() == 1  # the page model shows nothing
    is_one_of_many = ada.page.evaluate("Symbol.for('nbsession.notebooks') in window")
    assert is_one_of_many == (app == "lab")
    check_location(kernel, ada.page, by_entry=app == "notebook")
    ada.command("docmanager:save")
    first = kernel.see("pages.current.id")
    ada.page.reload()
    ada.wait_for_kernel()
    eventually(lambda: kernel.see("pages.current and pages.current.id") not in (None, first))
    assert kernel.see("[kind for kind, id, _ in said if id == pages.current.id][0]") == "hello"
    kernel.wait("len(pages._records._records)", 1)  # the old page has said goodbye
    check_document(kernel, ada.page)
    assert ada.own_complaints == []


@pytest.mark.parametrize(("app", "path"), [("lab", "lab/tree/"), ("notebook", "notebooks/")])
def test_two_windows(app: str, path: str, visit: NewVisit, request: pytest.FixtureRequest) -> None:
    host: Host = request.getfixturevalue(app)
    ada = visit(host, "ada")
    kernel = open_page(ada, f"{path}two.ipynb")
    first = kernel.see("pages.current.id")
    bob = visit(host, "bob").open_notebook(f"{path}two.ipynb?token={host.token}")
    eventually(lambda: kernel.see("pages.current.id") != first, what="the second page")
    second = kernel.see("pages.current.id")
    ada_url = ada.page.url
    keep_titles(ada.page)
    keep_titles(bob.page)
    kernel.do(
        "pages.send({'kind': 'navigate', 'parts': {'search': '?of=bob'}, 'history': 'push',"
        " 'reload': False}); doc.title = 'of bob'"
    )
    bob.page.wait_for_function("() => location.search.startsWith('?of=bob')")
    wait_for_title(bob.page, "of bob")
    ada.page.evaluate("() => window.dispatchEvent(new Event('focus'))")
    kernel.wait("pages.current.id", first)
    assert ada.page.url == ada_url
    kernel.do("doc.title = 'of ada'")
    wait_for_title(ada.page, "of ada")
    assert "of bob" not in ada.page.evaluate("titles")
    assert "of ada" not in bob.page.evaluate("titles")
    ada.page.on("dialog", lambda dialog: dialog.accept())  # whether it may go without saving
    ada.page.close(run_before_unload=True)

    def is_bobs() -> bool:
        # A browser may lose what a page says as it closes. The kernel then asks who is there once
        # the other page says something, which alone does not make that the one in use.
        bob.page.evaluate("() => { document.title = `later ${Date.now()}`; }")
        return bool(kernel.see("pages.current.id") == second)

    eventually(is_bobs, what="the other page is in use")
    eventually(lambda: kernel.see("doc.title") == bob.page.title(), what="the other's title")


def test_restart_in_lab(lab: Host, visit: NewVisit) -> None:
    ada = visit(lab, "ada")
    kernel = open_page(ada, "lab/tree/restart.ipynb")
    process = lab.kernel_process(kernel.id)
    ada.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:restart-kernel'); }")
    ada.page.click(".jp-Dialog .jp-mod-accept")
    eventually(lambda: not process.is_running(), what="the old kernel's process ends")
    ada.wait_for_idle_kernel()
    ada.page.evaluate("() => history.pushState(null, '', '?between=1')")
    (lab.home / "kernel").unlink()
    ada.command("notebook:run-all-cells")
    eventually((lab.home / "kernel").exists, what="the cells ran")
    kernel.wait("pages.is_reported", value=True)
    ada.page.evaluate("() => history.pushState(null, '', '?after=1')")
    kernel.wait("pages.current.location['search']", "?after=1")
    told = kernel.see("[kind for kind, _, search in said if search == '?after=1']")
    assert told.count("location") == 1
    assert ada.own_complaints == []
