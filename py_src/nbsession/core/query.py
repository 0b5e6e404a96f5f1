"""Query strings: what they hold, byte for byte, and how a part is taken out of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar
from urllib.parse import (
    quote_from_bytes,
    quote_plus,
    unquote_plus,
    unquote_to_bytes,
    urlsplit,
    urlunsplit,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_ASCII = "".join(map(chr, range(0x21, 0x7F)))
_Value = TypeVar("_Value")


def text_of(raw: bytes) -> str:
    """Return bytes from the wire as text: UTF-8, or latin-1 where they are not UTF-8."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def bytes_of(wire_text: str) -> bytes:
    """Return the bytes of a text that the HTTP server decoded as latin-1."""
    try:
        return wire_text.encode("latin-1")
    except UnicodeEncodeError:
        return wire_text.encode("utf-8", "surrogateescape")


def normalize(text: str) -> str:
    """Percent-encode whatever a URL may not hold as it is, and nothing that it may."""
    return quote_from_bytes(bytes_of(text), safe=_ASCII)


def parse_query(query: str) -> dict[str, list[bytes]]:
    """Return a query's parameters as raw bytes: repeats in order, blank ones too."""
    return _parse(normalize(query), _decoded)


def drop_parameters(query: str, is_dropped: Callable[[str], bool]) -> str:
    """Return the query without some parameters; the others keep their exact text and place."""
    parts = query.split("&")
    return "&".join(part for part in parts if not is_dropped(unquote_plus(part.split("=")[0])))


def drop_url_parameters(url: str, is_dropped: Callable[[str], bool]) -> str:
    """Return a URL without some query parameters, without user info and without fragment."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(
        (parts.scheme, host, parts.path, drop_parameters(parts.query, is_dropped), "")
    )


def query_texts(query: str) -> dict[str, list[str]]:
    """Return a query's parameters as text: every value of every key, in order, blank ones too."""
    return _parse(query, _decoded_text)


def update_parameters(query: str, changes: Mapping[str, Sequence[str]]) -> str:
    """Return the query with some parameters changed; the others keep their exact text and place."""
    left = dict(changes)
    parts: list[str] = []
    for part in query.split("&") if query else ():
        key = _decoded_text(part.partition("=")[0]) if part else None
        if key not in changes:
            parts.append(part)
        elif key in left:
            parts += _encoded(key, left.pop(key))
    for key, values in left.items():
        parts += _encoded(key, values)
    return "&".join(parts)


def _encoded(key: str, values: Sequence[str]) -> list[str]:
    return [f"{quote_plus(key)}={quote_plus(value)}" for value in values]


def _parse(query: str, decode: Callable[[str], _Value]) -> dict[str, list[_Value]]:
    # urllib's parse_qsl decodes values, and so loses bytes that are no text.
    parsed: dict[str, list[_Value]] = {}
    for part in filter(None, query.split("&")):
        key, _, value = part.partition("=")
        parsed.setdefault(_decoded_text(key), []).append(decode(value))
    return parsed


def _decoded(text: str) -> bytes:
    return unquote_to_bytes(text.replace("+", " "))


def _decoded_text(text: str) -> str:
    return text_of(_decoded(text)) if "%" in text or "+" in text else text
