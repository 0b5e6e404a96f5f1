"""The rules of the layout that no linter knows."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "py_src" / "nbsession"
MAX_FILES = 15

MODULES = [path for path in PACKAGE.rglob("*.py") if "labextension" not in path.parts]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def test_a_class_name_is_defined_once() -> None:
    places = defaultdict(list)
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(PACKAGE)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def test_no_folder_has_too_many_files() -> None:
    files = defaultdict(list)
    for path in MODULES:
        if path.name != "__init__.py":
            files[str(path.parent.relative_to(PACKAGE))].append(path.name)
    assert {name: len(found) for name, found in files.items() if len(found) > MAX_FILES} == {}


def test_contributing_has_a_line_for_each_folder() -> None:
    listed = set(re.findall(r"^\| `((?:py_src|js_src)[^`]*)` \|", CONTRIBUTING, re.MULTILINE))
    folders = {path.parent for path in MODULES}
    folders |= {path.parent for path in (ROOT / "js_src").rglob("*.*") if path.is_file()}
    assert listed == {str(folder.relative_to(ROOT)) for folder in folders}


def test_paths_in_contributing_exist() -> None:
    paths = re.findall(r"`((?:py_src|js_src|tests|tools|benchmarks)/[^`*{ ]*)`", CONTRIBUTING)
    assert len(paths) > 40
    assert [path for path in paths if not (ROOT / path).exists()] == []
