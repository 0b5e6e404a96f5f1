"""Real Jupyter servers and Voilàs for tests, each in directories and on a port of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil
from jupyter_client import BlockingKernelClient

from kernels import run_cell, wait_for_kernel
from nbsession.command.servers import RunningServer
from nbsession.core.environment import take_link
from nbsession.kernel.link.client import Link
from ports import free_port
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

# A kernel's TCP ports are chosen by who starts it and only then taken by the kernel; with several
# starting at once another process takes one in between now and then. Files have no such race.
IPC = "--KernelManager.transport=ipc"

START_SECONDS = 60
STOP_SECONDS = 40

MODULES = {
    "server": "jupyter_server",
    "lab": "jupyterlab",
    "notebook": "notebook",
    "voila": "voila",
}

_OTHERS = (
    *("jupyter_lsp", "jupyter_server_terminals", "jupyterlab", "notebook", "notebook_shim"),
    "voila.server_extension",
)
_EXTENSIONS = {"nbsession": True, **dict.fromkeys(_OTHERS, False)}
_EXTENSIONS_OPTION = "--ServerApp.jpserver_extensions"
_LEAN = f"{_EXTENSIONS_OPTION}={_EXTENSIONS}"
"""Without the other extensions a server starts and ends in two thirds of the time."""


class Host:
    """A running server.

    Parameters
    ----------
    app
        ``"server"``, ``"lab"``, ``"notebook"`` or ``"voila"``.
    home
        An empty directory for all that the server writes; ``home/root`` holds the notebooks.
    args
        Further command line arguments.
    env
        Further environment variables.
    lean
        Whether a plain server loads no other extensions, unless an argument names some.
    """

    token = "test-token"

    def __init__(  # noqa: PLR0913 - a server has many options
        self,
        app: str,
        home: Path,
        *args: str,
        env: dict[str, str] | None = None,
        base_url: str = "/",
        scheme: str = "http",
        uds: Path | None = None,
        ready_path: str = "api",
        python: str = sys.executable,
        stdin: int = subprocess.DEVNULL,
        lean: bool = True,
    ) -> None:
        self._ready_path = ready_path
        self.app, self.home, self.root, self.base_url = app, home, home / "root", base_url
        self.tmp = Path(tempfile.mkdtemp(prefix="nbs-"))  # short: a socket path has 107 characters
        self.runtime = self.tmp / "run"
        for directory in (self.root, self.runtime):
            directory.mkdir(exist_ok=True, parents=True)
        if app in ("lab", "notebook"):
            self._disable_other_extensions()
        self.port = free_port()
        self.log_path = home / f"{app}.log"
        self.url = f"{scheme}://127.0.0.1:{self.port}{base_url}"
        self.environment = self._environment(env or {})
        if not any(arg.startswith("--KernelManager.transport=") for arg in args):
            args = (IPC, *args)
        if app == "server" and lean and not any(arg.startswith(_EXTENSIONS_OPTION) for arg in args):
            args = (_LEAN, *args)
        command = [python, "-m", MODULES[app], *self._defaults(uds), *args]
        self._log_file = self.log_path.open("ab")
        self.process = subprocess.Popen(
            command,
            cwd=self.root,
            env=self.environment,
            stdin=stdin,
            stdout=self._log_file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.http = httpx.Client(
            base_url=self.url,
            transport=httpx.HTTPTransport(uds=str(uds) if uds else None, verify=False),
            headers={} if app == "voila" else {"Authorization": f"token {self.token}"},
            timeout=60,
        )

    def _defaults(self, uds: Path | None) -> list[str]:
        if self.app == "voila":
            options = [f"--port={self.port}", "--no-browser", "--Voila.ip=127.0.0.1"]
            if self.base_url != "/":
                options.append(f"--base_url={self.base_url}")
            return [*options, f"--Voila.connection_dir_root={self.tmp}"]
        place = [f"--ServerApp.sock={uds}"] if uds else [f"--port={self.port}", "--ip=127.0.0.1"]
        return [
            *place,
            "--no-browser",
            "--allow-root",
            "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={self.root}",
            f"--ServerApp.base_url={self.base_url}",
            f"--IdentityProvider.token={self.token}",
        ]

    def _disable_other_extensions(self) -> None:
        # Where Panel is installed, its extension has ipywidgets keep the manager of a notebook that
        # is closed: opened again in the same page, the notebook has no widget, and no page of ours.
        config = self.home / "config" / "labconfig" / "page_config.json"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(json.dumps({"disabledExtensions": {"@pyviz/jupyterlab_pyviz": True}}))

    def _environment(self, extra: dict[str, str]) -> dict[str, str]:
        home = self.home
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "NBSESSION"))},
            "HOME": str(home),
            "TMPDIR": str(self.tmp),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(self.runtime),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
            "JUPYTER_PLATFORM_DIRS": "0",
            "IPYTHONDIR": str(home / "ipython"),
            "PYTHONUNBUFFERED": "1",
            **extra,
        }

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def wait_ready(self) -> Host:
        def ready() -> bool:
            assert self.process.poll() is None, f"{self.app} ended:\n{self.log[-4000:]}"
            try:
                if self.app == "voila":
                    with socket.create_connection(("127.0.0.1", self.port), 1):
                        return True
                return self.http.get(self._ready_path).is_success
            except (OSError, httpx.TransportError):
                return False

        eventually(ready, START_SECONDS, f"{self.app} answers")
        return self

    # -- kernels ------------------------------------------------------------------------------

    def start_kernel(
        self,
        referer: str | None = None,
        headers: dict[str, str] | list[tuple[str, str]] | None = None,
        path: str = "x.ipynb",
    ) -> str:
        """Start a kernel as a page does; without a referer as a REST client does."""
        items = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
        if referer is None:
            answer = self.http.post("api/kernels?1795356473787", headers=items, json={})
            answer.raise_for_status()
            return str(answer.json()["id"])
        items += [("Referer", self.url + referer)]
        body = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
        answer = self.http.post("api/sessions?1795356473787", headers=items, json=body)
        answer.raise_for_status()
        return str(answer.json()["kernel"]["id"])

    def connection_file(self, kernel_id: str) -> Path:
        name = f"kernel-{kernel_id}.json"
        found = [*self.runtime.glob(name), *self.tmp.glob(f"*/{name}")]
        assert found, f"no connection file of {kernel_id}"
        return found[0]

    @contextmanager
    def client(self, kernel_id: str) -> Iterator[BlockingKernelClient]:
        client = BlockingKernelClient(connection_file=str(self.connection_file(kernel_id)))
        client.load_connection_file()
        client.start_channels(hb=False)
        try:
            wait_for_kernel(client)
            yield client
        finally:
            client.stop_channels()

    def run(self, kernel_id: str, code: str, seconds: float = 60) -> str:
        """Run a cell and return what it printed; an error in it fails the test."""
        with self.client(kernel_id) as client:
            return run_cell(client, code, seconds)

    def see(self, kernel_id: str, expression: str) -> Any:
        """Return the JSON value of an expression on `state`."""
        code = f"import json\nfrom nbsession import state\nprint(json.dumps({expression}))"
        return json.loads(self.run(kernel_id, code).splitlines()[-1])

    def kernel_process(self, kernel_id: str) -> psutil.Process:
        """Return the kernel's process."""
        return psutil.Process(int(self.run(kernel_id, "import os; print(os.getpid())")))

    def kernels_of(self, kernel_id: str) -> list[int]:
        """Return the process ids of one kernel, as the connection file's name tells them."""
        return [
            process.pid
            for process in self.kernels()
            if kernel_id in " ".join(_command_line(process))
        ]

    def environment_of(self, kernel_id: str) -> dict[str, str]:
        """Return the environment with which a kernel was started."""
        return dict(psutil.Process(self.kernels_of(kernel_id)[0]).environ())

    def link_of(self, kernel_id: str) -> Link:
        """Return a link with the kernel's own token."""
        address = take_link(self.environment_of(kernel_id))
        assert address is not None
        return Link(address)

    def kernels(self) -> list[psutil.Process]:
        """Return the processes of all kernels of this server."""
        if self.process.poll() is not None:
            return []
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [p for p in children if _is_kernel(p)]

    def has_kernel(self, kernel_id: str) -> bool:
        """Return whether a kernel's process is there."""
        return bool(self.kernels_of(kernel_id))

    def owner_status(self) -> dict[str, Any]:
        """Return what the server says to its owner, as `jupyter nbsession doctor` asks it."""
        [file] = self.runtime.glob("nbsession-*.json")
        fields = json.loads(file.read_text())
        names = ("pid", "app", "root", "url", "link", "token")
        status = RunningServer(**{name: fields[name] for name in names}).get("status")
        return dict(status)

    def pages(self, kernel_id: str) -> int:
        """Return how many WebSockets pages have open to a kernel; 0 if it has ended."""
        sessions = self.owner_status()["sessions"]
        return sum(each["pages"] for each in sessions if each["kernel_id"] == kernel_id)

    def wait_for_pool(self, size: int) -> None:
        """Wait until a preheated Voilà has filled its pool."""
        eventually(lambda: f"is filled with {size} kernel" in self.log, 60, "the pool is filled")

    # -- the end ------------------------------------------------------------------------------

    def stop(self) -> None:
        """End the server as a user does, then make sure that nothing of it is left."""
        self.http.close()
        tree = self._tree()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        _, alive = psutil.wait_procs(tree, timeout=8)
        for process in alive:
            process.kill()
        self._log_file.close()
        shutil.rmtree(self.tmp, ignore_errors=True)
        assert not alive, f"left running by {self.app}: {alive}"

    def _tree(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it has ended
        return []


def _is_kernel(process: psutil.Process) -> bool:
    return any("ipykernel" in part for part in _command_line(process))
