"""`jupyter nbsession doctor`: finds what is not connected, and says how to fix it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jupyter_core.paths import jupyter_config_path, jupyter_path

from nbsession.core.environment import __version__
from nbsession.core.text import printable

from .servers import CommandError, RunningServer, running_servers

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator


@dataclass(frozen=True)
class Check:
    """The state of one part of the installation, and how to fix it."""

    part: str
    verdict: Literal["good", "bad", "idle"]
    found: str
    fix: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the check as plain values."""
        return {"part": self.part, "verdict": self.verdict, "found": self.found, "mend": self.fix}


_MANAGER = "nbsession.server.voila.SessionMappingKernelManager"
_VOILA_FIX = f"start Voilà with --VoilaConfiguration.multi_kernel_manager_class={_MANAGER}"
_START_SECONDS = 20.0

_OLDEST = {
    "jupyter_server": "2.14",
    "jupyterlab": "4.4",
    "notebook": "7.4",
    "voila": "0.5.8",
    "ipykernel": "6.29",
    "ipywidgets": "8.1",
    "anywidget": "0.9.18",
}
"""The versions that nbsession serves, or runs with, and newer ones."""

_VOILA = f"voila>={_OLDEST['voila']}"
_FOREIGN_KERNELS = ("xpython", "xpython-raw")


def check_installation() -> Iterator[Check]:
    """Look at everything that needs no running server."""
    yield Check("nbsession", "good", f"{__version__} in {sys.prefix}")
    yield _versions()
    yield _server_extension()
    yield _labextension()
    yield _voila()
    yield from _kernels()


def _versions() -> Check:
    installed = {name: version for name in _OLDEST if (version := _version(name)) is not None}
    found = ", ".join(f"{name} {version}" for name, version in installed.items())
    old = [f"{name}>={_OLDEST[name]}" for name in installed if _is_old(name)]
    if not old:
        return Check("versions", "good", found)
    fix = f"{sys.executable} -m pip install {' '.join(map(repr, old))}"
    return Check("versions", "bad", f"too old for nbsession: {found}", fix)


def _version(name: str) -> str | None:
    try:
        return version_of(name)
    except PackageNotFoundError:
        return None


def _is_old(name: str) -> bool:
    version = _version(name)
    return version is not None and _numbers(version) < _numbers(_OLDEST[name])


def _numbers(text: str) -> tuple[int, ...]:
    """Return the numbers of a version: of 4.4.0rc1 those before what is no number."""
    found = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(map(int, found[0].split("."))) if found else ()


def _server_extension() -> Check:
    part = "server extension"
    switched: tuple[bool, Path] | None = None
    # The last path counts least. The folders of all only fill in what no file beside them says.
    places = [Path(place) for place in reversed(jupyter_config_path())]
    folders = [path for p in places for path in sorted(p.glob("jupyter_server_config.d/*.json"))]
    for path in [*folders, *(place / "jupyter_server_config.json" for place in places)]:
        extensions = _read(path, "ServerApp", "jpserver_extensions")
        if "nbsession" in extensions:
            switched = (bool(extensions["nbsession"]), path)
    if switched is None:
        fix = "install nbsession into the environment that runs `jupyter lab`"
        return Check(part, "bad", "no configuration switches it on", fix)
    is_on, path = switched
    if is_on:
        return Check(part, "good", f"on, by {path}")
    fix = "jupyter server extension enable nbsession"
    return Check(part, "bad", f"switched off by {path}", fix)


def _labextension() -> Check:
    part = "JupyterLab extension"
    for place in reversed(jupyter_config_path()):
        path = Path(place) / "labconfig" / "page_config.json"
        if _read(path, "disabledExtensions").get("nbsession"):
            fix = "jupyter labextension enable nbsession"
            return Check(part, "bad", f"switched off by {path}", fix)
    for place in jupyter_path("labextensions", "nbsession"):
        path = Path(place)
        if (path / "package.json").is_file():
            return Check(part, "good", str(path))
    fix = "reinstall nbsession: a wheel carries it, a checkout builds it with `make install`"
    return Check(part, "bad", "not installed", fix)


def _voila() -> Check:
    part = "Voilà"
    if find_spec("voila") is None:
        return Check(part, "idle", "not installed here")
    if _is_old("voila"):
        found = f"{version_of('voila')} is not served: state is empty there"
        return Check(part, "bad", found, f"{sys.executable} -m pip install {_VOILA!r}")
    for place in jupyter_config_path():
        path = Path(place) / "voila.json"
        manager = _read(path, "VoilaConfiguration").get("multi_kernel_manager_class")
        if manager == _MANAGER:
            return Check(part, "good", f"uses nbsession's kernel manager, by {path}")
        if manager is not None:
            fix = f"let it name {_MANAGER}, or {_VOILA_FIX}"
            return Check(part, "bad", f"{path} sets the kernel manager {manager}", fix)
    return Check(part, "bad", "no voila.json names nbsession's kernel manager", _VOILA_FIX)


def _kernels() -> Iterator[Check]:
    seen: set[str] = set()
    for place in jupyter_path("kernels"):
        for path in sorted(Path(place).glob("*/kernel.json")):
            name = path.parent.name.lower()
            if name in seen:  # Jupyter takes the first one
                continue
            seen.add(name)
            spec = _read(path)
            argv = spec.get("argv")
            if spec.get("language") == "python":
                python = argv[0] if isinstance(argv, list) and argv else ""
                yield _kernel(f"kernel {path.parent.name}", str(python))


def _kernel(part: str, python: str) -> Check:
    if Path(python).name.removesuffix(".exe") in _FOREIGN_KERNELS:
        return Check(part, "idle", f"{python} is not ipykernel: state is empty there")
    if Path(python).name.startswith("python") and not Path(python).is_absolute():
        python = sys.executable  # what Jupyter starts for a bare "python"
    code = "from nbsession.core.environment import __version__; print(__version__)"
    try:
        command = [python, "-c", code]
        answer = subprocess.run(  # noqa: S603 - the interpreter that Jupyter itself would start
            command, capture_output=True, text=True, timeout=_START_SECONDS, check=False
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        found = f"{python} does not start: {error}"
        return Check(part, "bad", found, "remove or fix the kernelspec")
    version = answer.stdout.strip()
    if answer.returncode:
        fix = f"{python} -m pip install nbsession=={__version__}"
        return Check(part, "idle", f"{python} has no nbsession: no `state` there", fix)
    if version != __version__:
        fix = f"{python} -m pip install nbsession=={__version__}"
        return Check(part, "bad", f"{python} has nbsession {version}, this is {__version__}", fix)
    return Check(part, "good", f"{python} has nbsession {version}")


def _read(path: Path, *sections: str) -> dict[str, Any]:
    """Return a section of a JSON file; {} for anything that is not there."""
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    for section in sections:
        data = data.get(section) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


_MARKS = {"good": "ok  ", "bad": "BAD ", "idle": "-   "}


def add_parser(commands: Any) -> None:
    """Add the command to those of `jupyter nbsession`."""
    text = "say what is connected, and how to fix what is not"
    parser = commands.add_parser("doctor", help=text, description=text)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(call=_call)


def _call(options: argparse.Namespace) -> int:
    checks = [*check_installation(), *_check_servers()]
    if options.json:
        print(json.dumps([check.to_json() for check in checks], indent=2))
    else:
        width = max(len(check.part) for check in checks)
        for check in checks:
            print(f"{_MARKS[check.verdict]}{check.part:<{width}}  {printable(check.found)}")
            if check.fix:
                print(f"{'':<{width + 4}}  to fix: {printable(check.fix)}")
    return int(any(check.verdict == "bad" for check in checks))


def _check_servers() -> Iterator[Check]:
    servers = running_servers()
    if not servers:
        yield Check("servers", "idle", "none is running with nbsession")
    for server in servers:
        yield from _check_server(server)


def _check_server(server: RunningServer) -> Iterator[Check]:
    part = f"{server.app} {server.pid}"
    try:
        status = server.get("status")
    except CommandError as error:
        yield Check(part, "bad", str(error), "restart this server")
        return
    if status["version"] != __version__:
        found = f"runs nbsession {status['version']}, this is {__version__}"
        yield Check(part, "bad", found, "restart this server after the update")
        return
    yield Check(part, "good", f"link answers; serves {server.root} at {server.url}")
    if status["link_notice"]:
        yield Check(f"{part} link", "idle", status["link_notice"])
    sessions = status["sessions"]
    linked = sum(each["linked"] for each in sessions)
    found = f"{len(sessions)} running, {linked} have loaded nbsession"
    yield Check(f"{part} sessions", "good" if sessions else "idle", found)
    if status["pages_problem"]:
        found = f"{status['pages_problem']}; kernels of closed Voilà pages do not end by themselves"
        fix = "remove the extension that replaces that class, or cull idle kernels; restart"
        yield Check(f"{part} pages", "bad", found, fix)
    else:
        pages = sum(each["pages"] for each in sessions)
        found = f"{pages} connected" if pages else "none is connected to a kernel"
        yield Check(f"{part} pages", "good" if pages else "idle", found)
    problem = status["problem"]
    if problem:
        fix = "fix what it says, or place the database with --NBSession.database=PATH; restart"
        yield Check(f"{part} tasks", "bad", problem, fix)
    else:
        yield Check(f"{part} tasks", "good", f"{status['tasks']} stored in {status['database']}")
    if status["file_notice"]:
        yield _check_file(f"{part} database", status["file_notice"])
    if not status["workers"]:
        yield Check(f"{part} workers", "idle", "none is needed yet")
    for worker in status["workers"]:
        yield _check_worker(f"{part} worker", worker)


def _check_file(part: str, notice: dict[str, Any]) -> Check:
    if not notice["missing"]:
        return Check(part, "idle", notice["message"])
    names = ", ".join(notice["missing"])
    fix = "schedule them again, or stop this server, put the right file in place and start it"
    return Check(part, "bad", f"{notice['message']}; missing from it: {names}", fix)


def _check_worker(part: str, worker: dict[str, Any]) -> Check:
    place = worker["setup"] or worker["folder"]
    if worker["problem"]:
        fix = f"{worker['python']} -m nbsession.worker --check"
        return Check(part, "bad", f"{place}: {worker['problem']}", fix)
    return Check(part, "good", f"pid {worker['pid']} runs {place} with {worker['python']}")
