"""Text as pages and servers take it: halves of surrogate pairs, as odd bytes give, are none."""

from __future__ import annotations

from typing import Any


def well_formed(value: Any) -> Any:
    """Return JSON data in whose texts each half of a surrogate pair is a ``?``."""
    match value:
        case str():
            return value if value.isascii() else value.encode("utf-8", "replace").decode()
        case dict():
            return {well_formed(key): well_formed(item) for key, item in value.items()}
        case list():
            return [well_formed(item) for item in value]
    return value
