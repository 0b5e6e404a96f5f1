"""Codecs of JSON data, of containers and of values of several types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from .codec import TEXT, Codec, dump_json, is_alike, load_json, native_json, wrong_json


@dataclass(eq=False, repr=False)
class JSONCodec(Codec):
    """Values that JSON itself can hold, of one type or of any."""

    kind: Any = object

    def write(self, value: Any) -> str:
        return dump_json(self.to_json(value))

    def read(self, text: str) -> Any:
        return self.from_json(load_json(text))

    def to_json(self, value: Any) -> Any:
        if not isinstance(value, self.kind):
            raise TypeError(f"{type(value).__name__} is no {self.kind.__name__}: {value!r}")
        return native_json(value)

    def from_json(self, data: Any) -> Any:
        if not isinstance(data, self.kind):
            raise wrong_json(data, self.kind.__name__)
        return data


class ItemsCodec(JSONCodec):
    """A list, tuple or set, as a JSON list; in the URL also as a key that is repeated."""

    takes_repeats = True

    def __init__(
        self,
        make: Callable[[list[Any]], Any],
        item: Codec,
        items: Sequence[Codec] = (),
        text_item: Codec | None = None,
    ) -> None:
        super().__init__(list)
        self._make = make
        self._item = item
        self._items = items
        self._text_item = text_item
        self.is_faithful = all(codec.is_faithful for codec in (item, *items))

    def to_json(self, value: Any) -> list[Any]:
        if not isinstance(value, list | tuple | set | frozenset):
            raise TypeError(f"{type(value).__name__} is no list, tuple or set: {value!r}")
        if isinstance(value, set | frozenset):
            value = sorted(value, key=repr)
        return [_item_to_json(c, item) for c, item in self._with_codecs(value)]

    def from_json(self, data: Any) -> Any:
        items = self._with_codecs(super().from_json(data))
        return self._make([_item_from_json(c, item) for c, item in items])

    def read_all(self, texts: Sequence[str]) -> Any:
        try:
            return self.read(texts[-1])
        except ValueError:
            is_item = self._text_item is None and texts[0] and texts[0][0] not in "[{"
            if len(texts) == 1 and not is_item:
                raise
        return self._make([(self._text_item or c).read(t) for c, t in self._with_codecs(texts)])

    def _with_codecs(self, values: Sequence[Any]) -> zip[tuple[Codec, Any]]:
        codecs = self._items or [self._item] * len(values)
        if len(codecs) != len(values):
            raise ValueError(f"{len(values)} items where {len(codecs)} have to be")
        return zip(codecs, values, strict=True)


class DictCodec(JSONCodec):
    """A dict, as a JSON object."""

    def __init__(self, key: Codec, value: Codec, by_key: Mapping[Any, Codec]) -> None:
        super().__init__(Mapping)
        self._key = key
        self._value = value
        self._by_key = by_key
        self.is_faithful = all(codec.is_faithful for codec in (key, value, *by_key.values()))

    def to_json(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise TypeError(f"{type(value).__name__} is no dict: {value!r}")
        return {
            self._key.write(key): _item_to_json(self._value_codec(key), item)
            for key, item in value.items()
        }

    def from_json(self, data: Any) -> dict[Any, Any]:
        pairs = [(self._key.read(k), v) for k, v in super().from_json(data).items()]
        return {k: _item_from_json(self._value_codec(k), v) for k, v in pairs}

    def _value_codec(self, key: Any) -> Codec:
        return self._by_key.get(key, self._value)


class AnyCodec(Codec):
    """Values of several types.

    The first type that takes a text counts. A value that would be read as another is written as
    JSON: text in quotes, anything else after a space if need be.
    """

    is_faithful = False

    def __init__(self, codecs: Sequence[Codec], *, is_open: bool) -> None:
        self._codecs = codecs
        self._is_open = is_open
        self._is_text = any(type(codec) is Codec for codec in codecs)

    def forms(self, value: Any) -> list[Callable[[], str]]:
        """Return the ways to write a value, the preferred one first."""
        return [
            *(partial(codec.write, value) for codec in self._codecs or [TEXT]),
            lambda: dump_json(native_json(value)),
            lambda: f" {dump_json(native_json(value))}",
        ]

    def write(self, value: Any) -> str:
        return written(self, value)

    def read(self, text: str) -> Any:
        data = None
        with suppress(ValueError):
            data = load_json(text)
        is_json = data is not None and (
            text[0] in ' "' or (self._is_text and self._is_open and text[0] in "[{")
        )
        if is_json:
            return data
        for codec in self._codecs:
            with suppress(ValueError, TypeError):
                return codec.read_all([text])
        if self._is_open and (data is not None or not self._codecs):
            return text if data is None else data
        raise ValueError(f"{text!r} is of another type")

    def read_all(self, texts: Sequence[str]) -> Any:
        for codec in self._codecs if len(texts) > 1 else ():
            if codec.takes_repeats:
                with suppress(ValueError, TypeError):
                    return codec.read_all(texts)
        return self.read(texts[-1])

    def to_json(self, value: Any) -> Any:
        for codec in self._codecs:
            with suppress(ValueError, TypeError):
                data = codec.to_json(value)
                if is_alike(self.from_json(data), value):
                    return data
        return native_json(value)

    def from_json(self, data: Any) -> Any:
        for codec in self._codecs:
            with suppress(ValueError, TypeError):
                return codec.from_json(data)
        return data


def written(codec: Codec, value: Any) -> str:
    """Return a value as the text that the codec reads as this very value."""
    if codec.is_faithful:
        return codec.write(value)
    problem: Exception | None = None
    forms = codec.forms(value) if isinstance(codec, AnyCodec) else [partial(codec.write, value)]
    for form in forms:
        try:
            text = form()
            if is_alike(codec.read_all([text]), value):
                return text
        except (TypeError, ValueError) as error:
            problem = error
    if problem is not None:
        raise problem
    raise TypeError(f"{type(value).__name__} would be read back as another value: {value!r}")


def _item_to_json(codec: Codec, value: Any) -> Any:
    return None if value is None else codec.to_json(value)


def _item_from_json(codec: Codec, data: Any) -> Any:
    return None if data is None else codec.from_json(data)
