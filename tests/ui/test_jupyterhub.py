"""JupyterLab in a real JupyterHub, with its proxy and two users; see tools/test-matrix.sh."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest

from nbsession.server.activity import LONG_RUN_SECONDS
from pages import PROBE, Visit, write_notebook
from ports import free_port
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.hub, pytest.mark.browser, pytest.mark.server, pytest.mark.slow]

QUERY = "city=K%C3%B6ln&n=3"

CONFIGURATION = """
c = get_config()
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = {users!r} + "/{{username}}"
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root", "--LabApp.expose_app_in_browser=True"]
c.Spawner.environment = {{"JUPYTERHUB_ACTIVITY_INTERVAL": "2", "PYTHONUNBUFFERED": "1"}}
c.Spawner.default_url = "/lab"
c.Spawner.start_timeout = c.Spawner.http_timeout = 170
c.JupyterHub.bind_url = "http://127.0.0.1:{port}/"
c.JupyterHub.hub_port = {hub_port}
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api_port}"
c.JupyterHub.services = [{{"name": "probe", "api_token": {token!r}}}]
c.JupyterHub.load_roles = [
    {{"name": "probe", "scopes": ["admin:users", "admin:servers"], "services": ["probe"]}},
]
"""

LOOK = """
import os
from nbsession import state
print("look:" + json.dumps({
    "cookies": state.headers["cookie"],
    "headers": sorted(name.lower() for name in state.headers),
    "url": state.request.url,
    "base": state.base_url,
    "tasks": sorted(state.tasks),
}) + ":kool")
"""

SCHEDULE = """
from datetime import datetime
import work_module
state.schedule_task(f"of-{state.user.username}", work_module.work, at=datetime(2999, 1, 1))
"""


class Hub:
    """A running JupyterHub.

    Parameters
    ----------
    home
        An empty directory for all that it and its users write.
    """

    token = "the-token-of-the-probe"

    def __init__(self, home: Path) -> None:
        self.home, self.users = home, home / "users"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        for user in ("ada", "bob"):
            (self.users / user).mkdir(parents=True)
            write_notebook(self.users / user, "x.ipynb", [PROBE, LOOK, SCHEDULE])
            write_notebook(self.users / user, "y.ipynb", [PROBE])
            (self.users / user / "work_module.py").write_text(
                "import time\n\ndef work():\n    time.sleep(300)\n"
            )
        proxy = shutil.which("configurable-http-proxy")
        assert proxy is not None, "npm's configurable-http-proxy is not on PATH"
        configuration = CONFIGURATION.format(
            users=str(self.users),
            python=sys.executable,
            port=self.port,
            hub_port=free_port(),
            api_port=free_port(),
            proxy=proxy,
            token=self.token,
        )
        (home / "jupyterhub_config.py").write_text(configuration)
        self._log_file = (home / "hub.log").open("ab")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", "jupyterhub_config.py"],
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log_file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.http = httpx.Client(
            base_url=self.url + "hub/api/",
            headers={"Authorization": f"token {self.token}"},
            timeout=60,
        )

    @property
    def log(self) -> str:
        return (self.home / "hub.log").read_text(errors="replace")

    def wait_ready(self) -> Hub:
        def ready() -> bool:
            assert self.process.poll() is None, self.log[-4000:]
            try:
                return self.http.get("").is_success
            except httpx.TransportError:
                return False

        eventually(ready, 120, "the hub answers")
        return self

    def last_activity(self, user: str) -> datetime:
        """Return when the hub believes that a user's server was last active."""
        answer = self.http.get(f"users/{user}").raise_for_status().json()
        return datetime.fromisoformat(answer["servers"][""]["last_activity"])

    def stop(self) -> None:
        tree = psutil.Process(self.process.pid).children(recursive=True)
        self.http.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        _, alive = psutil.wait_procs(tree, timeout=20)
        for process in alive:
            process.kill()
        self._log_file.close()
        assert not alive, f"left running by the hub: {alive}"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    hub = Hub(tmp_path_factory.mktemp("hub"))
    try:
        yield hub.wait_ready()
    finally:
        hub.stop()


def _enter(hub: Hub, visit: Visit, user: str, notebook: str = "x.ipynb") -> None:
    """Open a user's notebook, as from a link in a mail: log in, and wait for the server."""
    visit.page.goto(f"{hub.url}hub/user-redirect/lab/tree/{notebook}?{QUERY}")
    visit.page.fill("input[name=username]", user)
    visit.page.fill("input[name=password]", "any")
    visit.page.click("input[type=submit]")
    visit.page.wait_for_function("() => window.jupyterapp", timeout=180_000)
    # JupyterLab opens what was open before, too.
    visit.page.wait_for_function(
        "path => window.jupyterapp.shell.currentWidget?.context?.path === path", arg=notebook
    )
    visit.wait_for_idle_kernel()


def _looked(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text.rpartition("look:")[2].partition(":kool")[0])
    return found


def test_two_users(hub: Hub, visit: Callable[..., Visit]) -> None:
    for user in ("ada", "bob"):
        one = visit(hub, user)
        _enter(hub, one, user)
        probed = one.run_all()
        looked = _looked(one.outputs())
        assert probed["user"] == user
        assert probed["args"] == {"city": ["Köln"], "n": ["3"]}
        assert probed["request"] == ["GET", f"/user/{user}/lab/tree/x.ipynb", QUERY, "lab"]
        assert probed["header"] == one.header
        assert probed["cookies"] == one.seen_cookies, "the hub's own cookies are kept out"
        assert looked["cookies"] == f"sid={one.cookie}"
        assert looked["url"] == f"{hub.url}user/{user}/lab/tree/x.ipynb?{QUERY}"
        assert looked["base"] == f"/user/{user}/"
        # The user's own is there if this test is run again.
        assert set(looked["tasks"]) <= {f"of-{user}"}, "nothing of another user's"
        assert not {"authorization", "x-xsrftoken"} & set(looked["headers"])
        assert one.cookie not in hub.log


BEGIN = """
import time, work_module
from nbsession import state
task = state.schedule_task("long", work_module.work)
while task.state != "running":
    time.sleep(0.1)
"""


def test_a_running_task_is_activity(hub: Hub, visit: Callable[..., Visit]) -> None:
    """The pages are closed; one user's task goes on, the other's is cancelled."""
    for user, then in (("bob", ""), ("ada", "task.cancel()\n")):
        one = visit(hub, f"{user} again")
        _enter(hub, one, user, "y.ipynb")
        one.write_cell(BEGIN + then + PROBE)
        one.run_all()
        one.close()
    closed = datetime.now(UTC)
    late = closed + timedelta(seconds=LONG_RUN_SECONDS)
    eventually(lambda: hub.last_activity("bob") > late, 180, "the hub knows that bob's goes on")
    assert hub.last_activity("ada") < closed + timedelta(seconds=30)


def test_a_server_that_the_hub_stops_ends_its_sessions(
    hub: Hub, visit: Callable[..., Visit]
) -> None:
    ada = visit(hub, "ada for the last time")
    _enter(hub, ada, "ada", "y.ipynb")
    ada.write_cell(
        "from pathlib import Path\nfrom nbsession import state\n"
        "Path('ended').unlink(missing_ok=True)\n"
        "state.on_session_destroyed(lambda: Path('ended').touch())\n" + PROBE
    )
    ada.run_all()
    hub.http.delete("users/ada/server").raise_for_status()
    eventually((hub.users / "ada" / "ended").exists, 60, "the hook was called")
