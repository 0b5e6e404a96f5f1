"""Query strings: what they hold, byte for byte, and how a part is taken out of one."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import (
    parse_qsl,
    quote,
    quote_from_bytes,
    quote_plus,
    unquote_plus,
    urlsplit,
    urlunsplit,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_ASCII = "".join(map(chr, range(0x21, 0x7F)))


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
    """Return a query's parameters."""
    return _parse(normalize(query))


def drop_parameters(query: str, is_dropped: Callable[[str], bool]) -> str:
    """Return the query without some parameters; the others keep their exact text and place."""
    parts = query.split("&")
    kept = [part for part in parts if not is_dropped(unquote_plus(part.partition("=")[0]))]
    return query if len(kept) == len(parts) else "&".join(kept)


def drop_url_parameters(url: str, is_dropped: Callable[[str], bool]) -> str:
    """Return a URL without some query parameters, without user info and without fragment."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(
        (parts.scheme, host, parts.path, drop_parameters(parts.query, is_dropped), "")
    )


def query_texts(query: str) -> dict[str, list[str]]:
    """Return a query's parameters as text: every value of every key, in order, blank ones too."""
    parsed = _parse(quote(query, safe=_ASCII))
    return {key: [text_of(value) for value in values] for key, values in parsed.items()}


def update_parameters(query: str, changes: Mapping[str, Sequence[str]]) -> str:
    """Return the query with some parameters changed; the others keep their exact text and place."""
    left = dict(changes)
    kept: list[str] = []
    for part in query.split("&") if query else ():
        key = _key_of(part)
        if key not in changes:
            kept.append(part)
        elif key in left:
            kept += _encoded(key, left.pop(key))
    for key, values in left.items():
        kept += _encoded(key, values)
    return "&".join(kept)


def _key_of(part: str) -> str | None:
    """Return the key of one ``key=value``, None for the nothing between two ``&``."""
    key = part.partition("=")[0]
    if key.isascii() and key.isidentifier():  # nothing to decode
        return key
    return next(iter(query_texts(part)), None)


def _encoded(key: str, values: Sequence[str]) -> list[str]:
    return [f"{quote_plus(key)}={quote_plus(value)}" for value in values]


def _parse(query: str) -> dict[str, list[bytes]]:
    parsed: dict[str, list[bytes]] = {}
    for key, value in parse_qsl(query, keep_blank_values=True, encoding="latin-1"):
        parsed.setdefault(text_of(key.encode("latin-1")), []).append(value.encode("latin-1"))
    return parsed
