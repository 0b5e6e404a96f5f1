"""Files that Jupyter passes over, or that make no sense, are no trouble."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from nbsession.command import installation

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
