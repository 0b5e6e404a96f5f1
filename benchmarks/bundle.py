"""How much a page downloads: the widgets' bundles as a release has them, gzipped."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import table
from servers import HERE

ROOT = HERE.parent
OURS = "nbsession: {}"
PAGE = "page.js"
PEER = "peer: Panel's panel.min.js"
PEERS_BASE = "peer: Bokeh's bokeh.min.js, which Panel's page needs too"
LIMIT = "limit: an anywidget that does nothing"
PLAIN, GZIPPED = "kB", "gzipped kB"


def _built() -> dict[str, bytes]:
    """Build as a release does, in a copy: what is installed here stays as it is."""
    with TemporaryDirectory(prefix="nbs-") as directory:
        copy = Path(directory)
        shutil.copy(ROOT / "package.json", copy)
        shutil.copytree(ROOT / "js_src", copy / "js_src")
        (copy / "node_modules").symlink_to(ROOT / "node_modules")
        script = json.loads((copy / "package.json").read_text())["scripts"]["build:prod"]
        if "build:widget -- --minify" not in script:
            raise RuntimeError(f"build:prod no longer minifies the widgets as here: {script}")
        command = ["npm", "run", "--silent", "build:widget", "--", "--minify"]
        env = {**os.environ, "npm_config_update_notifier": "false"}
        subprocess.run(command, cwd=copy, env=env, check=True, capture_output=True)
        static = copy / "py_src" / "nbsession" / "static"
        return {path.name: path.read_bytes() for path in sorted(static.iterdir())}


def _of_package(package: str, path: str) -> bytes:
    found = find_spec(package)
    if found is None or found.origin is None:
        raise RuntimeError(f"{package} is not installed: pip install -e .[bench]")
    return (Path(found.origin).parent / path).read_bytes()


def _sizes(content: bytes) -> table.Sample:
    # What web servers use by default, and the same in every run.
    return {PLAIN: len(content) / 1e3, GZIPPED: len(gzip.compress(content, 6, mtime=0)) / 1e3}


def measure(_rounds: int | None = None) -> table.Report:
    """Measure once: the same sources give the same bytes."""
    report = table.Report("What a page downloads", load_averages=[os.getloadavg()[0]])
    files = {OURS.format(name): content for name, content in _built().items()}
    files[LIMIT] = b"export default { initialize() {} };\n"
    files[PEER] = _of_package("panel", "dist/panel.min.js")
    files[PEERS_BASE] = _of_package("bokeh", "server/static/js/bokeh.min.js")
    report.samples = {name: [_sizes(content)] for name, content in files.items()}
    report.expect("page.js, gzipped kB", OURS.format(PAGE), GZIPPED, 12)
    total = sum(report.median(case, GZIPPED) for case in files if case.startswith("nbsession"))
    peers = report.median(PEER, GZIPPED) + report.median(PEERS_BASE, GZIPPED)
    report.notes.append(
        f"all of nbsession's bundles together: {total:.1f} kB gzipped; "
        f"Panel's two are {peers / total:.0f} times as much"
    )
    return report


if __name__ == "__main__":
    table.main(measure)
