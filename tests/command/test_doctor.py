"""Files that Jupyter passes over, or that make no sense, are no trouble."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from nbsession.command import doctor as installation

if TYPE_CHECKING:
    from pathlib import Path


def _write_kernel(folder: Path, name: str, **spec: object) -> None:
    place = folder / "kernels" / name
    place.mkdir(parents=True)
    (place / "kernel.json").write_text(json.dumps({"language": "python", **spec}))


def test_a_shadowed_kernel_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_kernel(tmp_path / "first", "mine-1", argv=[sys.executable, "-m", "ipykernel"])
    _write_kernel(tmp_path / "second", "mine-1", argv=["/gone/python", "-m", "ipykernel"])
    _write_kernel(tmp_path / "second", "mine-2", argv=["/gone/python"])
    _write_kernel(tmp_path / "second", "mine-3", argv=5)
    monkeypatch.setenv("JUPYTER_PATH", f"{tmp_path}/first:{tmp_path}/second")
    found = [
        (check.part, check.verdict)
        for check in installation._kernels()
        if check.part.startswith("kernel mine")
    ]
    bad = [("kernel mine-2", "bad"), ("kernel mine-3", "bad")]
    assert found == [("kernel mine-1", "good"), *bad]


@pytest.mark.parametrize("section", [[], "text", None, {"jpserver_extensions": []}])
def test_a_section_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: object
) -> None:
    sections = {"VoilaConfiguration": section, "ServerApp": section}
    for name in ("voila", "jupyter_server_config"):
        (tmp_path / f"{name}.json").write_text(json.dumps(sections))
    monkeypatch.setattr(installation, "jupyter_config_path", lambda: [str(tmp_path)])
    assert installation._voila().verdict in ("bad", "idle")
    assert installation._server_extension().verdict == "bad"


def _switch(folder: Path, name: str, **sections: object) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(sections))


def test_what_is_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file beside the folders wins also over the folder of a place that counts more."""
    first, last = tmp_path / "first", tmp_path / "last"
    monkeypatch.setattr(installation, "jupyter_config_path", lambda: [str(first), str(last)])
    on, off = ({"jpserver_extensions": {"nbsession": is_on}} for is_on in (True, False))
    _switch(first, "jupyter_server_config.d/nbsession.json", ServerApp=on)
    assert installation._server_extension().verdict == "good"
    _switch(last, "jupyter_server_config.json", ServerApp=off)
    check = installation._server_extension()
    assert (check.verdict, check.found) == (
        "bad",
        f"switched off by {last / 'jupyter_server_config.json'}",
    )
    assert installation._labextension().verdict == "good"
    _switch(last, "labconfig/page_config.json", disabledExtensions={"nbsession": True})
    assert installation._labextension().verdict == "bad"


def _pretend(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    def version_of(name: str) -> str:
        if name not in versions:
            raise installation.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(installation, "version_of", version_of)


def test_versions_that_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    assert installation._versions().verdict == "good"
    _pretend(monkeypatch, jupyter_server="2.14.0", jupyterlab="4.10.0a1", voila="0.5.8")
    check = installation._versions()
    assert (check.verdict, check.found) == (
        "good",
        "jupyter_server 2.14.0, jupyterlab 4.10.0a1, voila 0.5.8",
    )


def test_a_version_that_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend(monkeypatch, jupyter_server="2.21.1", voila="0.4.6", notebook="7.3.9")
    check = installation._versions()
    assert check.verdict == "bad"
    assert check.fix.endswith("pip install 'notebook>=7.4' 'voila>=0.5.8'")
    voila = installation._voila()
    assert (voila.verdict, voila.found) == ("bad", "0.4.6 is not served: state is empty there")


def test_a_kernel_that_is_not_ipykernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write_kernel(tmp_path, "foreign", argv=["/opt/bin/xpython", "-f", "{connection_file}"])
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    [check] = [each for each in installation._kernels() if each.part == "kernel foreign"]
    assert (check.verdict, check.found) == (
        "idle",
        "/opt/bin/xpython is not ipykernel: state is empty there",
    )
