"""The panel of tasks and sessions on a page of JupyterLab or Notebook 7."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hosts import Host
from pages import write_notebook
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Page

    from pages import Visit

TRAITS = {"lab": "LabApp", "notebook": "JupyterNotebookApp"}
PAGES = {"lab": "lab/tree", "notebook": "notebooks"}

AXE = Path(__file__).parent.parent / "node_modules" / "axe-core" / "axe.min.js"

JOBS = """
def greet():
    print("hello")

def fail():
    print("looking")
    raise ValueError("no such file")
"""

# Shows what the sidebar's orders do in the notebook.
CELL = """
from nbsession import state
def tick(): pass
ticking = state.add_periodic_callback(tick, 60_000)
display(state)
"""

FIND_FAULTS = """async ([places, axe]) => {
    if (!window.axe) { (0, eval)(axe); }
    const { violations } = await window.axe.run({ include: places });
    return violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}"""


def running(app: str, home: Path) -> Iterator[Host]:
    """A server with functions for tasks and a notebook beside them."""
    write_notebook(home / "root", "nb.ipynb", [CELL])
    (home / "root" / "jobs.py").write_text(JOBS)
    host = start(app, home)
    try:
        yield host
    finally:
        host.stop()


def start(app: str, home: Path) -> Host:
    """Start a server; again on the same home it has the same tasks."""
    return Host(app, home, f"--{TRAITS[app]}.expose_app_in_browser=True").wait_ready()


class Sidebar:
    """A page, and the panel on it.

    Parameters
    ----------
    visit
        Whose page it is.
    """

    def __init__(self, visit: Visit) -> None:
        self.visit, self.host, self.page = visit, visit.host, visit.page

    def load(self) -> Sidebar:
        """Load a page with the notebook."""
        path = f"{PAGES[self.host.app]}/nb.ipynb"
        self.visit.open_notebook(f"{path}?token={self.host.token}")
        return self

    def load_lab(self, workspace: str) -> Sidebar:
        """Load JupyterLab with a workspace of its own, in which nothing is open."""
        self.visit.open(f"lab/workspaces/{workspace}?token={self.host.token}")
        self.page.wait_for_function("() => window.jupyterapp")
        self.page.evaluate("async () => { await window.jupyterapp.restored; }")
        return self

    def open(self) -> Sidebar:
        """Open the panel, and wait for what it shows."""
        self.page.wait_for_function(
            "() => window.jupyterapp?.commands.hasCommand('nbsession:open')"
        )
        self.visit.command("nbsession:open")
        self.page.wait_for_selector(".nbsession-Section-tasks")
        return self

    # -- the notebook ---------------------------------------------------------------------------

    @property
    def kernel(self) -> str:
        """The kernel's id of the notebook in front."""
        found: str = self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.id"
        )
        return found

    def schedule(self, *names: str, job: str = "greet", when: str = "period='1h'") -> None:
        """Have a notebook make tasks, while the page shows something else."""
        code = "\n".join(
            ["import jobs", "from nbsession import state"]
            + [f"state.schedule_task({name!r}, jobs.{job}, {when})" for name in names]
        )
        self.host.run(self.kernel, code)

    # -- the panel ------------------------------------------------------------------------------

    def task(self, name: str) -> Locator:
        return self.page.locator(f".nbsession-Task[data-name='{name}']")

    def session(self, kernel: str) -> Locator:
        return self.page.locator(f".nbsession-Session[data-kernel='{kernel}']")

    def wait_for_state(self, name: str, state: str) -> None:
        self.page.wait_for_selector(
            f".nbsession-Task[data-name='{name}'][data-state='{state}']:not([data-pending])"
        )

    def press(self, what: str, name: str) -> None:
        """Press one of a task's buttons."""
        self.task(name).get_by_role("button", name=f"{what}: {name}", exact=True).click()

    def toggle(self, name: str) -> None:
        """Open a task, or close it again."""
        self.task(name).locator(".nbsession-Task-name").click()

    # -- what the server says -------------------------------------------------------------------

    def told(self, name: str) -> dict[str, Any] | None:
        """A task as the server tells it; None if there is none."""
        answer = self.host.http.get(f"nbsession/api/tasks/{quote(name, safe='')}")
        return dict(answer.json()) if answer.is_success else None

    def wait_until(self, name: str, **expected: Any) -> None:
        """Wait until the server says so of a task."""

        def fits() -> bool:
            told = self.told(name) or {}
            return all(told.get(key) == value for key, value in expected.items())

        eventually(fits, 60, f"{name} is {expected}")


def faults(page: Page, *places: str) -> list[str]:
    """Return the serious violations of accessibility rules that axe-core finds."""
    found: list[str] = page.evaluate(FIND_FAULTS, [list(places), AXE.read_text()])
    return found


def requests_of(page: Page) -> list[str]:
    """Return a list that grows by each request that the page sends to nbsession."""
    sent: list[str] = []
    page.on("request", lambda asked: sent.append(asked.url) if "/nbsession/" in asked.url else None)
    return sent
