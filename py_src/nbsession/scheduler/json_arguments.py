"""Arguments of global tasks: JSON values, as they go to another process and into a database."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_ARGUMENT_BYTES = 1024 * 1024
"""Of the arguments of one task, as compact JSON in UTF-8."""

_MAX_DEPTH = 100


def json_args(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a copy of positional arguments.

    Raises
    ------
    TypeError
        If one is not a JSON value: text, number, bool, None, and lists and dicts of them.
    """
    return tuple(_copy(value, f"args[{index}]") for index, value in enumerate(args))


def json_kwargs(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of keyword arguments. Raises as `json_args` does."""
    return {key: _copy(value, f"kwargs[{key!r}]") for key, value in kwargs.items()}


def check_argument_size(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Raise ValueError if JSON values are more than a global task can be given."""
    text = json.dumps([args, kwargs], ensure_ascii=False, separators=(",", ":"))
    size = len(text.encode("utf-8", "surrogatepass")) - len("[,]")
    if size > MAX_ARGUMENT_BYTES:
        message = (
            f"the arguments of this task are {size:,} bytes as JSON, and a global task takes "
            f"{MAX_ARGUMENT_BYTES:,} (1 MiB) at most: write them into a file, and give the task "
            "its path"
        )
        raise ValueError(message)


def _copy(value: Any, where: str, depth: int = 0) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, list) and depth < _MAX_DEPTH:
        return [_copy(item, f"{where}[{i}]", depth + 1) for i, item in enumerate(value)]
    if isinstance(value, dict) and depth < _MAX_DEPTH and all(isinstance(k, str) for k in value):
        return {key: _copy(item, f"{where}[{key!r}]", depth + 1) for key, item in value.items()}
    message = (
        f"{where} of a global task is no JSON value: {type(value).__name__}. It goes to another "
        "process: use text, finite numbers, True, False, None, and lists and dicts (with text as "
        "keys) of them"
    )
    raise TypeError(message)
