"""What can be imported elsewhere, and what is the same callable."""

from __future__ import annotations

import functools
import gc
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nbsession.core import callables as callable_reference
from nbsession.core.callables import (
    directory_for,
    find_reference,
    is_async,
    is_generator,
    is_same,
    load_callable,
    name_of,
    unwrap,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = {
    "chores/__init__.py": "def tidy(): pass\n",
    "chores/deep/__init__.py": "",
    "chores/deep/work.py": (
        "import functools\n"
        "class Office:\n"
        "    def open(self): pass\n"
        "    @classmethod\n"
        "    def close(cls): pass\n"
        "    @staticmethod\n"
        "    def clean(): pass\n"
        "def outer():\n"
        "    def inner(): pass\n"
        "    return inner\n"
        "def work(): pass\n"
        "replaced = work\n"
        "def work(): pass\n"
        "@functools.lru_cache\n"
        "def cached(): pass\n"
        "nameless = lambda: None\n"
        "office = Office()\n"
    ),
    "loose.py": "def go(): pass\nasync def wait(): pass\n",
    "spaced/part.py": "def go(): pass\n",  # a namespace package
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, code in PACKAGE.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [n for n in sys.modules if n.split(".")[0] in ("chores", "loose", "spaced")]:
        del sys.modules[name]


def test_importable(folder: Path) -> None:
    work = importlib.import_module("chores.deep.work")
    for qualname in ("work", "cached", "Office", "Office.open", "Office.close", "Office.clean"):
        function = functools.reduce(getattr, qualname.split("."), work)
        reference = find_reference(function)
        assert reference == ("chores.deep.work", qualname, str(folder)), qualname
        assert load_callable(*reference[:2]) == function
    for module in ("chores", "loose", "spaced.part"):
        function = next(f for f in vars(importlib.import_module(module)).values() if callable(f))
        found = find_reference(function)
        assert found is not None
        assert (found.module, found.folder) == (module, str(folder))


def test_not_importable(folder: Path) -> None:
    work = importlib.import_module("chores.deep.work")
    assert find_reference(work.replaced) is None  # the module has another one now
    assert find_reference(work.outer()) is None
    assert find_reference(work.nameless) is None
    assert find_reference(work.office.open) is None
    assert find_reference([].append) is None
    assert find_reference(functools.partial(work.work)) is None
    made = types.FunctionType((lambda: None).__code__, {"__name__": "__main__"}, "made")
    assert made.__module__ == "__main__"
    assert find_reference(made) is None


def test_modules_that_are_not_found_by_their_name(folder: Path) -> None:
    by_hand = types.ModuleType("by_hand")
    exec("def go(): pass", vars(by_hand))  # noqa: S102 - as a notebook makes one
    spec = importlib.util.spec_from_file_location("renamed", folder / "loose.py")
    assert spec is not None
    assert spec.loader is not None
    renamed = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(renamed)
    for module in (by_hand, renamed):
        sys.modules[module.__name__] = module
        try:
            assert find_reference(module.go) is None
        finally:
            del sys.modules[module.__name__]
        assert find_reference(module.go) is None


def test_what_was_imported_before_a_reload(folder: Path) -> None:
    loose = importlib.import_module("loose")
    go, wait = loose.go, loose.wait
    importlib.reload(loose)
    assert loose.go is not go
    assert find_reference(go) == ("loose", "go", str(folder))
    rewritten = "import functools\n\n" + PACKAGE["loose.py"].replace("async def wait", "def wait2")
    (folder / "loose.py").write_text(rewritten)
    importlib.invalidate_caches()
    importlib.reload(loose)
    assert loose.go.__code__.co_firstlineno > go.__code__.co_firstlineno
    assert find_reference(go) == ("loose", "go", str(folder))
    loose.wait = loose.wait2
    assert find_reference(wait) is None  # the name is another's now


NAMESAKES = """
import functools

def twice(function):
    @functools.wraps(function)
    def again():
        function(), function()
    return again

@twice
def decorated(): pass

@functools.singledispatch
def show(value): pass
@show.register
def _(value: int): pass
@show.register
def _(value: str): pass

@twice
def made(): pass
@twice
def other(): pass
other.__name__ = other.__qualname__ = "made"
"""


def test_namesakes_are_not_taken_for_each_other(folder: Path) -> None:
    (folder / "loose.py").write_text(NAMESAKES)
    loose = importlib.import_module("loose")
    last = loose._
    decorated = loose.decorated
    assert find_reference(decorated) is not None
    assert find_reference(decorated.__wrapped__) is None
    assert find_reference(last) is not None
    assert find_reference(loose.show.dispatch(int)) is None
    assert find_reference(loose.other) is None
    importlib.reload(loose)
    assert find_reference(last) is not None
    assert find_reference(decorated) is not None


def test_folders_of_what_is_installed() -> None:
    library = os.path.dirname(os.__file__)  # noqa: PTH120 - as a plain string
    for function in (json.dumps, print, gc.collect, os.path.join):
        reference = find_reference(function)
        assert reference is not None
        assert reference.folder == library
    reference = find_reference(pytest.fail.Exception)
    assert reference is None or Path(reference.folder).name == "site-packages"


def test_another_process_finds_it(folder: Path) -> None:
    reference = find_reference(importlib.import_module("chores.deep.work").Office.clean)
    assert reference is not None
    code = (
        f"import sys; sys.path.insert(0, {reference.folder!r})\n"
        "from nbsession.core.callables import load_callable\n"
        f"print(load_callable({reference.module!r}, {reference.qualname!r}).__qualname__)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "Office.clean\n"


def test_same_callables(folder: Path) -> None:
    loose, work = importlib.import_module("loose"), importlib.import_module("chores.deep.work")
    go = loose.go
    assert is_same(go, go)
    importlib.reload(loose)
    assert is_same(go, loose.go)
    assert is_same(work.outer(), work.outer())
    assert is_same(work.office.open, work.office.open)
    assert is_same(print, print)
    items: list[int] = []
    assert is_same(items.append, items.append)
    assert not is_same(go, loose.wait)
    assert not is_same(work.office.open, work.Office().open)
    assert not is_same(items.append, [].append)
    assert not is_same(iter([1]), iter([1]))
    assert not is_same(functools.partial(go), go)


def test_async_callables(folder: Path) -> None:
    wait = importlib.import_module("loose").wait

    class Waiter:
        async def __call__(self) -> None:
            pass

    assert is_async(wait)
    assert is_async(functools.partial(wait, 1))
    assert is_async(Waiter())
    assert not is_async(print)


def test_generators() -> None:
    def numbers():
        yield 1

    async def later():
        yield 1

    class Numbers:
        def __call__(self):
            yield 1

    for callback in (numbers, later, Numbers(), functools.partial(numbers), Numbers().__call__):
        assert is_generator(callback)
    for callback in (Numbers, print, lambda: None, functools.partial(print)):
        assert not is_generator(callback)


def test_unwrapped_and_named() -> None:
    inner = functools.partial(print, 1, sep="")
    assert unwrap(functools.partial(inner, 2, end="")) == (print, (1, 2), {"sep": "", "end": ""})
    assert unwrap(print) == (print, (), {})
    assert name_of(json.JSONDecoder.decode) == ("json.decoder", "JSONDecoder.decode")
    assert name_of(iter([])) == ("builtins", "list_iterator")


def test_the_working_directory_of_a_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, inside, outside = tmp_path / "root", tmp_path / "root" / "src", tmp_path / "rootless"
    venv = root / ".venv"
    site = venv / "lib" / "python3.11" / "site-packages"
    checkout = venv / "src" / "package"
    for folder in (inside, outside, site / "sub", checkout):
        folder.mkdir(parents=True)
    link = tmp_path / "link"
    link.symlink_to(root)
    monkeypatch.setattr(callable_reference.sys, "prefix", str(venv))

    def directory(folder: Path, served: Path | None = root) -> str:
        return directory_for(str(folder), None if served is None else str(served), "/notebook")

    (root / "shared").symlink_to(outside)
    for folder in (root, inside, link / "src", root / "shared"):
        assert directory(folder) == str(folder)
    assert directory(inside, link) == str(inside)
    assert directory(inside, Path("/")) == str(inside)
    for folder in (outside, tmp_path, site, site / "sub", checkout, venv, Path(os.__file__).parent):
        assert directory(folder) == "/notebook"
    for served in (tmp_path, Path("/")):
        assert directory(site, served) == directory(checkout, served) == "/notebook"
    assert directory(inside, None) == directory(inside / "gone") == "/notebook"
    monkeypatch.setattr(callable_reference.sys, "prefix", str(tmp_path))
    assert directory(inside) == str(inside), "a prefix around the root, such as /usr"
