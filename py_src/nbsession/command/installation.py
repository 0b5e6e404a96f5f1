"""What is installed and switched on in this environment, without starting anything of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_core.paths import jupyter_config_path, jupyter_path

from nbsession.core.version import __version__

from .check import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

_MANAGER = "nbsession.server.voila.SessionMappingKernelManager"
_VOILA_MEND = f"start Voilà with --VoilaConfiguration.multi_kernel_manager_class={_MANAGER}"
_ASK_SECONDS = 20.0


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
    part = "versions"
    found, old = [], []
    for name, oldest in _OLDEST.items():
        try:
            found.append(f"{name} {version_of(name)}")
        except PackageNotFoundError:
            continue
        if _is_old(name):
            old.append(f"{name}>={oldest}")
    if not old:
        return Check(part, "good", ", ".join(found))
    mend = f"{sys.executable} -m pip install {' '.join(repr(each) for each in old)}"
    return Check(part, "bad", f"too old for nbsession: {', '.join(found)}", mend)


def _is_old(name: str) -> bool:
    try:
        return _numbers(version_of(name)) < _numbers(_OLDEST[name])
    except PackageNotFoundError:
        return False


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
        extensions = _section(_section(_read(path), "ServerApp"), "jpserver_extensions")
        if "nbsession" in extensions:
            switched = (bool(extensions["nbsession"]), path)
    if switched is None:
        mend = "install nbsession into the environment that runs `jupyter lab`"
        return Check(part, "bad", "no configuration switches it on", mend)
    is_on, path = switched
    if is_on:
        return Check(part, "good", f"on, by {path}")
    mend = "jupyter server extension enable nbsession"
    return Check(part, "bad", f"switched off by {path}", mend)


def _labextension() -> Check:
    part = "JupyterLab extension"
    for place in reversed(jupyter_config_path()):
        path = Path(place) / "labconfig" / "page_config.json"
        if _section(_read(path), "disabledExtensions").get("nbsession"):
            mend = "jupyter labextension enable nbsession"
            return Check(part, "bad", f"switched off by {path}", mend)
    for place in jupyter_path("labextensions", "nbsession"):
        path = Path(place)
        if (path / "package.json").is_file():
            return Check(part, "good", str(path))
    mend = "reinstall nbsession: a wheel carries it, a checkout builds it with `make install`"
    return Check(part, "bad", "not installed", mend)


def _voila() -> Check:
    part = "Voilà"
    if find_spec("voila") is None:
        return Check(part, "idle", "not installed here")
    if _is_old("voila"):
        found = f"{version_of('voila')} is not served: state is empty there"
        return Check(part, "bad", found, f"{sys.executable} -m pip install {_VOILA!r}")
    for place in jupyter_config_path():
        path = Path(place) / "voila.json"
        manager = _section(_read(path), "VoilaConfiguration").get("multi_kernel_manager_class")
        if manager == _MANAGER:
            return Check(part, "good", f"uses nbsession's kernel manager, by {path}")
        if manager is not None:
            mend = f"let it name {_MANAGER}, or {_VOILA_MEND}"
            return Check(part, "bad", f"{path} sets the kernel manager {manager}", mend)
    return Check(part, "bad", "no voila.json names nbsession's kernel manager", _VOILA_MEND)


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
    code = "from nbsession.core.version import __version__; print(__version__)"
    try:
        asked = subprocess.run(  # noqa: S603 - the interpreter that Jupyter itself would start
            [python, "-c", code],
            capture_output=True,
            text=True,
            timeout=_ASK_SECONDS,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return Check(
            part, "bad", f"{python} does not start: {error}", "remove or mend the kernelspec"
        )
    version = asked.stdout.strip()
    if asked.returncode:
        mend = f"{python} -m pip install nbsession=={__version__}"
        return Check(part, "idle", f"{python} has no nbsession: no `state` there", mend)
    if version != __version__:
        mend = f"{python} -m pip install nbsession=={__version__}"
        return Check(part, "bad", f"{python} has nbsession {version}, this is {__version__}", mend)
    return Check(part, "good", f"{python} has nbsession {version}")


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _section(data: dict[str, Any], name: str) -> dict[str, Any]:
    section = data.get(name)
    return section if isinstance(section, dict) else {}
