"""A trait's value as the values of a query key, and back."""

from __future__ import annotations

import datetime as dt
import enum
import inspect
import math
import numbers
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import traitlets
from traitlets import TraitType

from .codec import (
    BOOL,
    DATE,
    DATETIME,
    FINITE,
    FLOAT,
    INT,
    TEXT,
    TIME,
    Codec,
    EnumCodec,
    checked_text,
    dump_json,
    is_alike,
    native_json,
    text_of_value,
)
from .json_codec import AnyCodec, DictCodec, ItemsCodec, JSONCodec, written

if TYPE_CHECKING:
    from traitlets import HasTraits

Trait = TraitType[Any, Any]

_JSON = JSONCodec()
_SCALARS: dict[type, Codec] = {
    bool: BOOL,
    numbers.Integral: INT,
    numbers.Real: FLOAT,
    str: TEXT,
    dt.datetime: DATETIME,
    dt.date: DATE,
    dt.time: TIME,
}
"""By type; a bool is an int and a datetime a date, so the order counts."""

_ITEMS: tuple[type, ...] = (list, tuple, set, frozenset)
_CONTAINERS = (traitlets.Container, traitlets.Dict)
_WIDGET_TRAITS = {"Date": DATE, "Datetime": DATETIME, "Time": TIME}


class UnreadableTextError(ValueError):
    """A text in the URL that is no value of the trait's type."""


class TraitText:
    """Reads and writes one trait of one object as the values of one query key."""

    def __init__(
        self,
        obj: HasTraits,
        name: str,
        to_text: Callable[[Any], str | None] | None = None,
        from_text: Callable[[str], Any] | None = None,
    ) -> None:
        self.obj = obj
        self.name = name
        self._to_text = to_text
        self._from_text = from_text
        self.attribute = name
        self._trait = obj.traits()[name]
        if to_text is None or from_text is None:
            labels = _labels_codec(obj, self._trait) if name == "value" else None
            if labels is not None and to_text is from_text:
                self.attribute = "label"
            self._set_codec(labels)

    def _set_codec(self, labels: Codec | None) -> None:
        codec = labels or codec_of_trait(self._trait, self.obj, getattr(self.obj, self.name))
        start = f"{type(self.obj).__name__}.{self.name} cannot be synced with the URL"
        hint = "give to_text= and from_text="
        if codec is None:
            raise TypeError(f"{start}: no text stands for {self._trait.info()}; {hint}")
        self._codec = codec
        try:
            self.texts()
        except TypeError as error:
            raise TypeError(f"{start}: {error}; {hint}") from None
        except (ValueError, RecursionError):
            pass  # this one value cannot be written; others can

    def texts(self) -> list[str]:
        """Return the trait's present value as the values of its key; none if it is None."""
        return self.texts_of(getattr(self.obj, self.attribute))

    def texts_of(self, value: Any) -> list[str]:
        """Return any value of the trait as the values of its key; as `texts` does."""
        if self._to_text is not None:
            try:
                text: object = self._to_text(value)
            except Exception as error:
                raise ValueError(f"to_text raised {type(error).__name__}: {error}") from error
            if not isinstance(text, str | None):
                message = f"to_text must return text or None, got {type(text).__name__}: {text!r}"
                raise TypeError(message)
            return [] if text is None else [checked_text(text)]
        return [] if value is None else [checked_text(written(self._codec, value))]

    def value_of(self, texts: list[str]) -> Any:
        """Return the value that a key's values stand for; the last one counts."""
        try:
            if self._from_text is not None:
                return self._from_text(texts[-1])
            return self._codec.read_all(texts)
        except Exception as error:
            if self._from_text is None and texts == [""] and self._trait.allow_none:
                return None  # an HTML form sends each of its fields, also those left empty
            raise UnreadableTextError(str(error)) from error


# -- by trait --------------------------------------------------------------------------------------


def _labels_codec(obj: HasTraits, trait: Trait) -> Codec | None:
    """Return the codec for the labels of a selection widget; None if it is none."""
    module: Any = sys.modules.get("ipywidgets.widgets.widget_selection")
    if module is None:
        return None
    if isinstance(obj, module._Selection):  # noqa: SLF001 - the one base of all that choose one of their options
        return TEXT
    if isinstance(obj, module._MultipleSelection):  # noqa: SLF001 - and of those that choose several
        is_range = isinstance(trait, traitlets.Tuple)
        return ItemsCodec(tuple, TEXT, (TEXT, TEXT) if is_range else ())
    return None


def codec_of_trait(trait: Trait, obj: HasTraits, value: object = None) -> Codec | None:
    """Return the codec of a trait of an object; None if no text stands for what it holds."""
    if _holds_objects(trait):
        return None
    if isinstance(trait, traitlets.Any):
        like = codec_like(value)
        is_known = like is not None or value is None
        return AnyCodec([like] if like else [], is_open=True) if is_known else None
    if _is_untyped(trait) and value:
        return codec_like(value)
    codec = _codec_by_type(trait, obj)
    if codec is None and not isinstance(trait, (*_CONTAINERS, traitlets.Union)):
        return AnyCodec([like], is_open=True) if (like := codec_like(value)) else None
    return codec


def _holds_objects(trait: Trait) -> bool:
    """Return whether a trait that takes any items is sent to the page by functions of its own.

    Such are the children of ipyvuetify's widgets and uploaded files, also when there are none yet.
    """
    metadata = trait.metadata
    return _takes_anything(trait) and ("to_json" in metadata or "from_json" in metadata)


def _takes_anything(trait: Any) -> bool:
    items = [getattr(trait, "_trait", None), *(getattr(trait, "_traits", None) or ())]
    is_open = isinstance(trait, traitlets.Any) or _is_untyped(trait)
    return is_open or any(_takes_anything(item) for item in items if item is not None)


def _is_untyped(trait: Trait) -> bool:
    """Return whether it is a container that takes any items."""
    # traitlets has no public way to ask for the traits of what a container holds
    names = ("_trait", "_traits", "_key_trait", "_value_trait", "_per_key_traits")
    return isinstance(trait, _CONTAINERS) and not any(getattr(trait, n, None) for n in names)


def _codec_by_type(trait: Trait, obj: HasTraits) -> Codec | None:  # noqa: C901, PLR0911 - one case a type
    match trait:
        case traitlets.UseEnum():
            return EnumCodec(trait.enum_class)
        case traitlets.Enum():
            return _ChoiceCodec(trait)
        case traitlets.Bool():
            return BOOL
        case traitlets.Int():
            return INT
        case traitlets.Float():
            is_bounded = trait.min > -math.inf or trait.max < math.inf or obj.has_trait("max")
            return FINITE if is_bounded else FLOAT
        case traitlets.Unicode():
            return TEXT
        case traitlets.Dict():
            return _dict_codec(trait, obj)
        case traitlets.Container():
            return _items_codec(trait, obj)
        case traitlets.Union():
            codecs = [
                _ConvertingCodec(codec, partial(_accepted, member, obj))
                for member in trait.trait_types
                if (codec := codec_of_trait(member, obj)) is not None
            ]
            return AnyCodec(codecs, is_open=False) if codecs else None
        case traitlets.Instance():
            return _codec_of_class(trait.klass) if isinstance(trait.klass, type) else None
    is_of_widgets = type(trait).__module__.startswith("ipywidgets.")
    return _WIDGET_TRAITS.get(type(trait).__name__) if is_of_widgets else None


def _codec_of_class(kind: type) -> Codec | None:
    if issubclass(kind, enum.Enum):
        return EnumCodec(kind)
    codecs = {
        **{make: ItemsCodec(make, _JSON, text_item=TEXT) for make in _ITEMS},
        dict: JSONCodec(dict),
        **_SCALARS,
    }
    return next(
        (_for_class(codec, kind, of) for of, codec in codecs.items() if issubclass(kind, of)), None
    )


def _items_codec(trait: Any, obj: HasTraits) -> Codec | None:
    make = trait.klass if isinstance(trait.klass, type) else list
    if _is_untyped(trait):
        return ItemsCodec(make, _JSON, text_item=TEXT)
    items = [_item_codec(item, obj) for item in getattr(trait, "_traits", None) or ()]
    item = _item_codec(getattr(trait, "_trait", None), obj)
    if item is None or None in items:
        return None
    return ItemsCodec(make, item, [codec for codec in items if codec])


def _dict_codec(trait: Any, obj: HasTraits) -> Codec | None:
    by_key = {k: _item_codec(t, obj) for k, t in (trait._per_key_traits or {}).items()}  # noqa: SLF001 - see _is_untyped
    value = _item_codec(trait._value_trait, obj)  # noqa: SLF001 - see _is_untyped
    key = codec_of_trait(trait._key_trait, obj) if trait._key_trait else TEXT  # noqa: SLF001 - see _is_untyped
    if key is None or value is None or None in by_key.values():
        return None
    return DictCodec(key, value, {k: codec for k, codec in by_key.items() if codec})


def _item_codec(trait: Trait | None, obj: HasTraits) -> Codec | None:
    if isinstance(trait, traitlets.Union) and any(
        _item_codec(member, obj) is None for member in trait.trait_types
    ):
        return None  # the container may hold what no text stands for
    is_any = trait is None or isinstance(trait, traitlets.Any)
    return _JSON if is_any or trait is None else codec_of_trait(trait, obj)


def codec_like(value: object) -> Codec | None:
    """Return a codec for values like this one; None if there is none."""
    if isinstance(value, enum.Enum):
        return EnumCodec(type(value))
    if isinstance(value, list | tuple | set | frozenset):
        make = next(make for make in _ITEMS if isinstance(value, make))
        item = _codec_like_items(list(value))
        text_item = next((codec_like(v) for v in value if v is not None), None) or TEXT
        return item and _for_class(ItemsCodec(make, item, (), text_item), type(value), make)
    if isinstance(value, Mapping):
        key = codec_like(next(iter(value))) if value else TEXT
        item = _codec_like_items(list(value.values()))
        return None if key is None or item is None else DictCodec(key, item, {})
    return next((codec for kind, codec in _SCALARS.items() if isinstance(value, kind)), None)


def _codec_like_items(values: list[object]) -> Codec | None:
    for value in values:
        try:
            native_json(value)
        except TypeError:
            like = codec_like(value)
            return None if like is None else AnyCodec([like], is_open=True)
    return _JSON


def _for_class(codec: Codec, kind: type, of: type) -> Codec:
    """Return a codec of a type for a class that is derived from this type."""
    if kind is of or inspect.isabstract(kind):
        return codec
    return _ConvertingCodec(codec, partial(_instance_of, kind))


class _ConvertingCodec(Codec):
    """A codec of values of a type, which are converted once they have been read."""

    is_faithful = False

    def __init__(self, codec: Codec, convert: Callable[[Any], Any]) -> None:
        self._codec = codec
        self._convert = convert
        self.takes_repeats = codec.takes_repeats
        self.write = codec.write  # type: ignore[method-assign]  # as it is
        self.to_json = codec.to_json  # type: ignore[method-assign]

    def read(self, text: str) -> Any:
        return self._convert(self._codec.read(text))

    def read_all(self, texts: Sequence[str]) -> Any:
        return self._convert(self._codec.read_all(texts))

    def from_json(self, data: Any) -> Any:
        return self._convert(self._codec.from_json(data))


def _instance_of(kind: Any, value: Any) -> Any:
    """Return a value as an instance of a class that is derived from the value's type."""
    if isinstance(value, kind):
        return value
    try:
        if isinstance(value, dt.date | dt.time):
            return kind.fromisoformat(value.isoformat())
        return getattr(kind, "_make", kind)(value)  # a named tuple is made by _make
    except Exception as error:
        raise ValueError(f"no {kind.__name__} can be made of {value!r}: {error}") from error


def _accepted(trait: Any, obj: HasTraits, value: Any) -> Any:
    """Return a value as one of a union's traits takes it."""
    try:
        return trait.validate(obj, value)
    except traitlets.TraitError as error:
        raise ValueError(str(error)) from error


class _ChoiceCodec(Codec):
    """The choices of an `Enum` trait; where two have one text, the second is JSON."""

    is_faithful = False

    def __init__(self, trait: traitlets.Enum[Any]) -> None:
        self._trait = trait

    def _by_text(self) -> dict[str, Any]:
        choices: dict[str, Any] = {}
        for choice in self._trait.values or ():
            if choice is not None:
                text = text_of_value(choice)
                choices[dump_json(native_json(choice)) if text in choices else text] = choice
        return choices

    def write(self, value: Any) -> str:
        texts = (text for text, choice in self._by_text().items() if is_alike(choice, value))
        return next(texts, None) or text_of_value(value)

    def read(self, text: str) -> Any:
        # for those that take other spellings too; the trait refuses what is none of its own
        return self._by_text().get(text, text)

    def to_json(self, value: Any) -> Any:
        try:
            return native_json(value)
        except TypeError:
            return self.write(value)

    def from_json(self, data: Any) -> Any:
        choices = self._trait.values or ()
        if any(is_alike(choice, data) for choice in choices):
            return data
        return self.read(data) if isinstance(data, str) else data
