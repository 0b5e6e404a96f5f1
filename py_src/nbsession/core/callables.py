"""Callables by name: which can be imported elsewhere, and which are the same."""

from __future__ import annotations

import functools
import importlib
import inspect
import linecache
import os
import re
import sys
from importlib.machinery import PathFinder
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType, ModuleType

_NAMED = (FunctionType, BuiltinFunctionType, type)
"""Types of which a module holds only one object under a qualified name."""

_BOUND = (MethodType, BuiltinFunctionType)
"""Types of which each access makes a new object."""


class CallableReference(NamedTuple):
    """Where another process finds a callable."""

    module: str
    qualname: str
    folder: str


class UnwrappedCall(NamedTuple):
    """A callable without the arguments that a `functools.partial` has bound to it."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def unwrap(callback: Callable[..., Any]) -> UnwrappedCall:
    """Take a `functools.partial` apart; anything else has no bound arguments."""
    if type(callback) is functools.partial:
        return UnwrappedCall(callback.func, callback.args, callback.keywords)
    return UnwrappedCall(callback, (), {})


def name_of(function: object) -> tuple[str, str]:
    """Return a callable's module and qualified name, for people; those of its class if need be."""
    qualname = getattr(function, "__qualname__", None)
    named = function if isinstance(qualname, str) else type(function)
    return str(getattr(named, "__module__", None) or "builtins"), str(named.__qualname__)  # type: ignore[attr-defined]  # either has one


def is_async(callback: Callable[..., Any]) -> bool:
    """Return whether calling it gives a coroutine, as far as it says so."""
    return any(map(inspect.iscoroutinefunction, _codes_of(callback)))


def is_generator(callback: Callable[..., Any]) -> bool:
    """Return whether calling it runs none of its code, but gives a generator or an async one."""
    codes = _codes_of(callback)
    return any(inspect.isgeneratorfunction(c) or inspect.isasyncgenfunction(c) for c in codes)


def _codes_of(callback: Callable[..., Any]) -> tuple[object, ...]:
    """Return the code that a call runs: its own, or its class's method."""
    function = unwrap(callback).function
    if isinstance(function, type):  # whose objects' method it would be
        return (function,)
    return function, getattr(function, "__call__", None)  # noqa: B004 - an object's


def is_same(one: object, other: object) -> bool:
    """Return whether two callables are one: the same object, or of one module and qualified name.

    The latter holds for functions and classes, also after their module or cell has run again; it
    does not for methods, whose objects may differ.
    """
    if one is other or (isinstance(one, _BOUND) and one == other):
        return True
    if not (isinstance(one, _NAMED) and isinstance(other, _NAMED)):
        return False
    module: object = one.__module__  # a method of a builtin has none
    return module is not None and name_of(one) == name_of(other)


def load_callable(module: str, qualname: str) -> Any:
    """Import a module and return its object of a qualified name."""
    return functools.reduce(getattr, qualname.split("."), importlib.import_module(module))


def find_reference(function: Callable[..., Any]) -> CallableReference | None:
    """Return where another process of this environment finds a callable; None if nowhere.

    Nowhere are those of ``__main__``, lambdas, closures, methods bound to an object, and callables
    that their module does not hold (any more). A function that was imported before its module was
    reloaded is found as the one that is there now.
    """
    module: object = getattr(function, "__module__", None)
    qualname: object = getattr(function, "__qualname__", None)
    if not isinstance(module, str) or module == "__main__" or not isinstance(qualname, str):
        return None
    try:
        held = load_callable(module, qualname)
    except Exception:  # noqa: BLE001 - whatever a module's code raises, it cannot be imported
        return None
    is_it = held is function or (isinstance(held, MethodType) and held == function)
    if not is_it and not _is_reloaded(held, function):
        return None
    folder = _folder_of(sys.modules.get(module.partition(".")[0]))
    return None if folder is None else CallableReference(module, qualname, folder)


def _is_reloaded(held: object, function: object) -> bool:
    """Return whether both are one function of a module's file, which has run again between them."""
    if not (isinstance(held, FunctionType) and isinstance(function, FunctionType)):
        return False
    if name_of(held) != name_of(function):
        return False
    if hasattr(held, "__wrapped__") is not hasattr(function, "__wrapped__"):
        return False  # a decorator's, and what that was given
    held, function = inspect.unwrap(held), inspect.unwrap(function)
    if not (isinstance(held, FunctionType) and isinstance(function, FunctionType)):
        return False
    new, old = held.__code__, function.__code__
    if new.co_filename != old.co_filename or new.co_name != old.co_name:
        return False
    # Further down it may also be what has taken the function's name, as with `singledispatch`.
    return new.co_firstlineno == old.co_firstlineno or _is_defined_once(new)


def _is_defined_once(code: CodeType) -> bool:
    linecache.checkcache(code.co_filename)
    begin = re.compile(rf"\s*(?:async\s+)?def\s+{re.escape(code.co_name)}\b")
    return sum(map(bool, map(begin.match, linecache.getlines(code.co_filename)))) == 1


def _folder_of(top: ModuleType | None) -> str | None:
    """Return the folder in which a top-level module is found; None if a name alone finds it not."""
    spec = getattr(top, "__spec__", None)
    if top is None or spec is None:  # made by code, not imported
        return None
    locations = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or ())
    if not locations:  # built in or frozen
        return os.path.dirname(os.path.abspath(os.__file__))  # noqa: PTH100, PTH120 - no pathlib for one name
    parts = os.path.abspath(locations[0])  # noqa: PTH100 - as above
    if spec.has_location and spec.submodule_search_locations is not None:
        parts = os.path.dirname(parts)  # noqa: PTH120 - a package's __init__.py
    folder = os.path.dirname(parts)  # noqa: PTH120 - as above
    return folder if _is_found(top.__name__, folder) else None


def directory_for(folder: str, root: str | None, otherwise: str) -> str:
    """Return the working directory of a task."""
    if root is None or not os.path.isdir(folder):  # noqa: PTH112 - no pathlib for one name
        return otherwise
    real, real_root = os.path.realpath(folder), os.path.realpath(os.path.expanduser(root))  # noqa: PTH111 - as above
    is_below = _is_in(folder, os.path.abspath(root)) or _is_in(real, real_root)  # noqa: PTH100 - as above
    if is_below and not _is_of_environment(real, real_root):
        return folder
    return otherwise


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))  # noqa: PTH118 - as above


def _is_of_environment(path: str, root: str) -> bool:
    import site
    import sysconfig

    if re.search(r"[\\/](site|dist)-packages([\\/]|$)", path):
        return True
    names = ("stdlib", "platstdlib", "purelib", "platlib", "scripts")
    places = {sysconfig.get_path(name) for name in names} | {site.getuserbase()}
    # A root that lies in the interpreter's prefix, such as /usr, is no part of its environment.
    prefixes = (sys.prefix, sys.exec_prefix, sys.base_prefix)
    places |= {place for place in prefixes if not _is_in(root, os.path.realpath(place))}
    return any(_is_in(path, os.path.realpath(place)) for place in places if place)


def _is_found(name: str, folder: str) -> bool:
    if PathFinder.find_spec(name, [folder]) is not None:
        return True
    # Other finders: those of editable installs.
    finders = (getattr(finder, "find_spec", None) for finder in sys.meta_path)
    return any(find(name, None) is not None for find in finders if find is not None)
