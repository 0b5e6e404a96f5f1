"""Several notebooks in one page of JupyterLab: each has a location of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hosts import Host
from pages import Visit, write_notebook
from waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.server]

NewVisit = Callable[[Host, str], Visit]
SECONDS = 60

CELL = """
from ipywidgets import IntSlider
from nbsession import state
location = state.location
if "size" not in globals():
    size = IntSlider(description="size", max=50)
    location.sync(size)
size
"""
# JupyterLab opens the document of its URL once more after it has restored its layout. On a busy
# machine that is late, and takes the front from what a test has opened meanwhile.
NOTE_OPENED = """
let app;
Object.defineProperty(window, 'jupyterapp', {
    get: () => app,
    set: value => {
        app = value;
        window.opened = new Promise(resolve => {
            app.commands.commandExecuted.connect((_, { id, result }) => {
                if (id === 'filebrowser:open-path') result.then(resolve, resolve);
            });
        });
    },
});
"""
NAMES = ("a", "b", "c", "named", "old", "sub/d e")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    home = tmp_path_factory.mktemp("lab")
    for name in NAMES:
        folder = home / "root" / name.rpartition("/")[0]
        write_notebook(folder, f"{name.rpartition('/')[2]}.ipynb", [CELL])
    (home / "root" / "text.py").write_text("pass\n")
    host = Host("lab", home, "--LabApp.expose_app_in_browser=True")
    try:
        yield host.wait_ready()
    finally:
        host.stop()


class Window:
    """A window of JupyterLab and the kernels of its notebooks."""

    def __init__(self, host: Host, visit: Visit) -> None:
        self.host, self.visit, self.page = host, visit, visit.page
        self.page.add_init_script(NOTE_OPENED)

    def load(self, address: str) -> Window:
        """Load the page."""
        mark = "&" if "?" in address else "?"
        path, hash_mark, part = address.partition("#")
        self.visit.open(f"{path}{mark}token={self.host.token}{hash_mark}{part}")
        return self.wait_until_restored()

    def wait_until_restored(self) -> Window:
        self.page.wait_for_function("() => window.jupyterapp")
        self.page.evaluate(
            """async () => {
                await window.jupyterapp.restored;
                const [{ name }] = performance.getEntriesByType('navigation');
                if (/\\/lab\\/tree\\//.test(name)) await window.opened;
            }"""
        )
        return self

    def front(self, path: str, **arguments: Any) -> str:
        """Bring a document to the front, and return its kernel's id."""
        self.visit.command("docmanager:open", {"path": path, **arguments})
        return self.kernel(path)

    def kernel(self, path: str) -> str:
        """Return the id of the kernel of the notebook in front, once it is there."""
        kernel_id = self.page.wait_for_function(
            """path => {
                const { context, sessionContext } = window.jupyterapp.shell.currentWidget ?? {};
                const kernel = sessionContext?.session?.kernel;
                return context?.path === path && kernel?.status === 'idle' && kernel.id;
            }""",
            arg=path,
        )
        return str(kernel_id.json_value())

    def run(self, path: str, **arguments: Any) -> str:
        """Run a notebook, wait until its page model is there, and return its kernel's id."""
        kernel_id = self.front(path, **arguments)
        self.visit.command("notebook:run-all-cells")
        self.wait(kernel_id, "state._session.pages.is_reported", value=True)
        return kernel_id

    def see(self, kernel_id: str, expression: str) -> Any:
        return self.host.see(kernel_id, expression)

    def do(self, kernel_id: str, code: str) -> None:
        self.host.run(kernel_id, code)

    def wait(self, kernel_id: str, expression: str, value: Any) -> None:
        eventually(
            lambda: self.see(kernel_id, expression) == value,
            SECONDS,
            what=f"{expression} is {value!r}",
        )

    def wait_for_query(self, kernel_id: str, search: str) -> None:
        """Wait until the page has a kernel's query, also of one that is not in front."""
        self.page.wait_for_function(
            "([id, search]) => window[Symbol.for('nbsession.notebooks')].url(id).search === search",
            arg=[kernel_id, search],
        )

    @property
    def address(self) -> str:
        """The path, query and hash of the address bar."""
        return str(
            self.page.evaluate("location.pathname.slice(1) + location.search + location.hash")
        )

    def wait_for_address(self, address: str) -> None:
        try:
            eventually(lambda: self.address == address, SECONDS)
        except AssertionError:
            assert self.address == address  # shows what it is

    def describe(self) -> str:
        """Return what the page and the server were like, for the report of a failure."""
        page = self.page.evaluate(
            """() => {
                const { shell } = window.jupyterapp ?? {};
                const widgets = [...(shell?.widgets('main') ?? [])].map(widget => {
                    const { context, sessionContext } = widget;
                    const { session, isReady } = sessionContext ?? {};
                    const kernel = session?.kernel;
                    return [
                        widget === shell.currentWidget ? 'in front' : 'behind',
                        context?.path ?? widget.id,
                        `ready: ${isReady}`,
                        `session: ${session?.id}`,
                        `kernel: ${kernel?.id} ${kernel?.status} ${kernel?.connectionStatus}`,
                        JSON.stringify(
                            kernel && window[Symbol.for('nbsession.notebooks')]?.url(kernel.id)
                        ),
                    ].join(', ');
                });
                const dialogs = [...document.querySelectorAll('.jp-Dialog, .Toastify__toast')];
                return [location.href, ...widgets, ...dialogs.map(({ innerText }) => innerText)];
            }"""
        )
        sessions = self.host.http.get("api/sessions").json()
        kernels = [f"{each['path']}: {each['kernel']}" for each in sessions]
        return "\n".join([*page, *kernels, *self.visit.complaints, self.host.log[-6000:]])

    @property
    def entries(self) -> int:
        return int(self.page.evaluate("history.length"))

    def move(self, steps: int = 1) -> None:
        """Move the slider in front by the keyboard."""
        handle = self.page.locator(".noUi-handle:visible").first
        handle.focus()
        for _ in range(steps):
            handle.press("ArrowRight")


@pytest.fixture
def window(
    lab: Host, visit: NewVisit, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], Window]]:
    """Return a function that opens a window; the kernels of the test before have ended."""
    for session in lab.http.get("api/sessions").json():
        lab.http.delete(f"api/sessions/{session['id']}")
    for workspace in (lab.home / "workspaces").glob("*"):
        workspace.unlink()
    windows: list[Window] = []

    def open_window(address: str) -> Window:
        windows.append(Window(lab, visit(lab, f"window-{len(windows)}")))
        return windows[-1].load(address)

    yield open_window
    for each in windows:
        request.node.add_report_section("teardown", "window", each.describe())


def test_each_notebook_has_its_own_query(window: Callable[[str], Window]) -> None:
    page = window("lab")
    a, b = page.run("a.ipynb"), page.run("b.ipynb")
    page.wait_for_address("lab/tree/b.ipynb?size=0")
    entries = page.entries
    page.move(3)
    page.wait_for_address("lab/tree/b.ipynb?size=3")
    assert page.see(a, "[size.value, location.search]") == [0, "?size=0"]

    page.do(a, "size.value = 50")  # from behind
    assert page.see(a, "location.href") == f"{page.host.url}lab/tree/a.ipynb?size=50"
    assert page.see(b, "[size.value, location.search]") == [3, "?size=3"]
    assert page.address == "lab/tree/b.ipynb?size=3"
    assert page.entries == entries, "writes replace"

    page.front("a.ipynb")
    page.wait_for_address("lab/tree/a.ipynb?size=50")
    page.do(b, "location.hash_ = '#there'")
    page.front("b.ipynb")
    page.wait_for_address("lab/tree/b.ipynb?size=3#there")
    assert page.see(a, "[size.value, location.search]") == [50, "?size=50"]
    assert page.page.evaluate("JSON.stringify(history.state)") == "{}", "JupyterLab's own"
    assert page.visit.own_complaints == []


def test_opening_query_belongs_to_the_notebook_that_the_url_names(
    window: Callable[[str], Window],
) -> None:
    page = window("lab/tree/named.ipynb?size=9&x=%20#part")
    named = page.run("named.ipynb")
    page.wait_for_address("lab/tree/named.ipynb?size=9&x=%20#part")
    other = page.run("sub/d e.ipynb")
    arguments = "{k: [v.decode() for v in vs] for k, vs in state.session_args.items()}"
    assert page.see(named, arguments) == {"size": ["9"], "x": [" "]}
    assert page.see(named, "[size.value, location.hash_]") == [9, "#part"]
    assert page.see(other, arguments) == {}
    assert page.see(other, "[state.request.query, size.value, location.hash_]") == ["", 0, ""]
    page.wait_for_address("lab/tree/sub/d%20e.ipynb?size=0")
    page.front("named.ipynb")
    page.wait_for_address("lab/tree/named.ipynb?size=9&x=%20#part")


def test_url_without_a_notebook_gives_its_query_to_every_kernel(
    window: Callable[[str], Window],
) -> None:
    page = window("lab?size=4#part")
    for name in ("a", "b"):
        kernel = page.run(f"{name}.ipynb")
        assert page.see(kernel, "state.session_args['size'][0].decode()") == "4"
        page.wait_for_address(f"lab/tree/{name}.ipynb?size=4#part")
        page.do(kernel, "size.value = 5")
        page.wait_for_address(f"lab/tree/{name}.ipynb?size=5#part")


def test_back_forward_and_edit_apply_to_the_notebook_that_the_url_names(
    window: Callable[[str], Window],
) -> None:
    page = window("lab")
    a, b = page.run("a.ipynb"), page.run("b.ipynb")
    page.wait_for_address("lab/tree/b.ipynb?size=0")
    page.do(a, "size.value = 5")  # the entry of the history has 0
    page.wait_for_query(a, "?size=5")  # or this write comes after going back, as a new change
    page.page.go_back()
    page.wait_for_address("lab/tree/a.ipynb?size=0")
    page.wait(a, "size.value", 0)
    assert page.kernel("b.ipynb") == b, "nothing is brought to the front"
    page.do(b, "size.value = 6")
    # Never the path of one notebook and the query of another.
    page.wait_for_address("lab/tree/b.ipynb?size=6")
    assert page.see(a, "[size.value, location.search]") == [0, "?size=0"]

    page.page.go_forward()
    page.wait_for_address("lab/tree/b.ipynb?size=0")
    page.wait(b, "size.value", 0)
    page.page.evaluate("() => { location.hash = '#edited'; }")
    page.wait(b, "location.hash_", "#edited")
    page.page.evaluate("history.replaceState(history.state, '', 'a.ipynb?size=8')")
    page.wait(a, "size.value", 8)
    page.page.evaluate("history.replaceState(history.state, '', 'c.ipynb?size=9')")
    page.page.evaluate("history.replaceState(history.state, '', 'b.ipynb?size=7')")
    page.wait(b, "size.value", 7)
    assert page.see(a, "[size.value, location.hash_]") == [8, ""]


def test_two_windows_each_keep_their_own(window: Callable[[str], Window]) -> None:
    one = window("lab/tree/a.ipynb?n=1")
    a, b = one.run("a.ipynb"), one.run("b.ipynb")
    one.wait_for_address("lab/tree/b.ipynb?size=0")
    two = window("lab/tree/a.ipynb?n=2")
    two.kernel("a.ipynb")
    two.visit.command("notebook:run-all-cells")
    two.wait(a, "location.query_params.get('n')", "2")
    one.do(a, "size.value = 5")
    two.wait_for_address("lab/tree/a.ipynb?n=2&size=5")
    one.front("a.ipynb")
    one.wait_for_address("lab/tree/a.ipynb?n=1&size=0")
    # Playwright takes all windows for focused, so that none gets the event.
    one.page.evaluate("dispatchEvent(new Event('focus'))")
    one.wait(a, "location.query_params.get('n')", "1")
    one.do(a, "size.value = 7")
    one.wait_for_address("lab/tree/a.ipynb?n=1&size=7")
    assert two.address == "lab/tree/a.ipynb?n=2&size=5"
    assert one.see(b, "[size.value, location.search]") == [0, "?size=0"]


def test_closed_in_one_of_two_windows(window: Callable[[str], Window]) -> None:
    one = window("lab/tree/a.ipynb?n=1")
    a = one.run("a.ipynb")
    two = window("lab/tree/a.ipynb?n=2")
    two.kernel("a.ipynb")
    two.wait(a, "location.query_params.get('n')", "2")
    two.visit.command("docmanager:save")  # or JupyterLab asks
    two.visit.command("application:close")
    two.wait(a, "location.query_params.get('n')", "1")  # said by the page, not found out later
    one.do(a, "size.value = 5")
    one.wait_for_address("lab/tree/a.ipynb?n=1&size=5")
    assert "size" not in two.address


@pytest.mark.usefixtures("window")
def test_page_that_starts_slowly_hears_its_kernel(lab: Host, visit: NewVisit) -> None:
    page = Window(lab, visit(lab, "slow"))
    # anywidget gives 2 s to a model's code; more are needed where the machine is busy.
    page.page.add_init_script(
        "const { timeout } = AbortSignal; AbortSignal.timeout = () => timeout.call(AbortSignal, 0);"
    )
    page.load("lab/tree/a.ipynb?n=1")
    page.run("a.ipynb")
    page.wait_for_address("lab/tree/a.ipynb?n=1&size=0")


def test_what_shows_one_kernel_has_one_location(window: Callable[[str], Window]) -> None:
    page = window("lab")
    a = page.run("a.ipynb")
    for number, command in enumerate(
        ("docmanager:clone", "notebook:create-output-view", "notebook:create-console"), 1
    ):
        page.front("a.ipynb")
        page.visit.command(command)
        page.page.wait_for_function("() => window[Symbol.for('nbsession.notebooks')].kernelInFront")
        page.do(a, f"size.value = {number}")
        path = "lab/tree/a.ipynb" if command == "docmanager:clone" else "lab"
        page.wait_for_address(f"{path}?size={number}")
    for command, arguments in (
        ("docmanager:open", {"path": "text.py"}),
        ("launcher:create", {}),
    ):
        page.visit.command(command, arguments)
        eventually(lambda: "size" not in page.address, SECONDS, "no notebook is in front")
        page.do(a, "size.value += 1")
        page.wait(a, "location.search.endswith(str(size.value))", value=True)
        assert "size" not in page.address
    assert page.visit.own_complaints == []


def test_two_notebooks_on_one_kernel(window: Callable[[str], Window]) -> None:
    page = window("lab/tree/a.ipynb?n=1")
    a = page.run("a.ipynb")
    assert page.run("b.ipynb", kernel={"id": a}) == a
    page.wait_for_address("lab/tree/b.ipynb?n=1&size=0")
    page.do(a, "size.value = 3")
    page.wait_for_address("lab/tree/b.ipynb?n=1&size=3")
    page.front("a.ipynb")
    page.wait_for_address("lab/tree/a.ipynb?n=1&size=3")
    page.wait(a, "location.pathname", "/lab/tree/a.ipynb")
    page.page.go_back()
    page.wait_for_address("lab/tree/b.ipynb?n=1&size=3")
    page.page.go_back()
    page.wait_for_address("lab/tree/a.ipynb?n=1&size=0")
    page.wait(a, "size.value", 0)


def test_closed_notebook_writes_from_behind_and_comes_back(
    window: Callable[[str], Window],
) -> None:
    page = window("lab/tree/a.ipynb?n=1")
    a, b = page.run("a.ipynb"), page.run("b.ipynb")
    page.do(
        a,
        """
def tick():
    location.update_query(tick=ticking.counter, history="replace")
ticking = state.add_periodic_callback(tick, 100)
""",
    )
    page.wait(a, "'tick' in location.query_params", value=True)
    assert page.address == "lab/tree/b.ipynb?size=0"
    page.front("a.ipynb")
    page.page.wait_for_function("() => location.search.includes('&tick=')")
    page.visit.command("docmanager:save")  # or JupyterLab asks
    page.visit.command("application:close")
    page.wait_for_address("lab/tree/b.ipynb?size=0")
    page.do(a, "ticking.stop(); size.value = 4; location.update_query(tick=None)")
    assert page.see(b, "location.search") == "?size=0"
    assert page.address == "lab/tree/b.ipynb?size=0"
    assert page.front("a.ipynb") == a
    page.wait_for_address("lab/tree/a.ipynb?n=1&size=4")
    assert page.see(a, "size.value") == 4
    page.do(a, "size.value = 6")
    page.wait_for_address("lab/tree/a.ipynb?n=1&size=6")


def test_renamed_notebook_keeps_its_query(window: Callable[[str], Window]) -> None:
    page = window("lab/tree/old.ipynb?n=1#part")
    old = page.run("old.ipynb")
    page.wait_for_address("lab/tree/old.ipynb?n=1&size=0#part")
    rename = """async ([from, to]) => {
        await window.jupyterapp.serviceManager.contents.rename(from, to);
    }"""
    page.page.evaluate(rename, ["old.ipynb", "new name.ipynb"])
    page.wait_for_address("lab/tree/new%20name.ipynb?n=1&size=0#part")
    page.wait(old, "location.pathname", "/lab/tree/new%20name.ipynb")
    page.run("b.ipynb")
    page.page.evaluate(rename, ["new name.ipynb", "old.ipynb"])
    page.wait(old, "location.pathname", "/lab/tree/old.ipynb")
    assert page.address == "lab/tree/b.ipynb?size=0"
    page.front("old.ipynb")
    page.wait_for_address("lab/tree/old.ipynb?n=1&size=0#part")


def test_reload(window: Callable[[str], Window]) -> None:
    page = window("lab/tree/a.ipynb?n=1")
    a, b = page.run("a.ipynb"), page.run("b.ipynb")
    page.do(b, "size.value = 7; location.hash_ = '#b'")
    page.front("a.ipynb")
    page.do(a, "size.value = 3")
    page.wait_for_address("lab/tree/a.ipynb?n=1&size=3")
    page.visit.command("docmanager:save-all")
    pages = [page.see(kernel, "state._session.pages.current.id") for kernel in (a, b)]
    page.page.reload()
    page.wait_until_restored()
    for kernel, before in zip((a, b), pages, strict=True):
        page.wait(
            kernel,
            f"getattr(state._session.pages.current, 'id', {before!r}) != {before!r}",
            value=True,
        )
    page.wait_for_address("lab/tree/a.ipynb?n=1&size=3")
    assert page.see(a, "[size.value, location.search]") == [3, "?n=1&size=3"]
    page.wait(b, "[size.value, location.search, location.hash_]", [7, "?size=7", "#b"])
    page.front("b.ipynb")
    page.wait_for_address("lab/tree/b.ipynb?size=7#b")
    page.do(b, "size.value = 8")
    page.wait_for_address("lab/tree/b.ipynb?size=8#b")

    page.page.goto(f"{page.host.url}lab/tree/a.ipynb?n=2&size=4")  # the address edited
    page.wait_until_restored()
    page.kernel("a.ipynb")
    page.wait(a, "[size.value, location.search]", [4, "?n=2&size=4"])
    page.wait(b, "[size.value, location.search, location.hash_]", [8, "?size=8", "#b"])
    assert page.visit.own_complaints == []
