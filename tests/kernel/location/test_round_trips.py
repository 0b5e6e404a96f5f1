"""All that `sync` writes is read back as the same value, of the same type."""

from __future__ import annotations

import datetime as dt
import enum
import math
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
import pytest
import traitlets as t
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbsession.core.query import query_texts, update_parameters
from nbsession.kernel.location.codec import is_alike
from nbsession.kernel.location.trait_codec import TraitText, UnreadableTextError


class Color(enum.Enum):
    RED = 1
    BLUE = "blue"


class Weekday(enum.Flag):
    MON = 1
    TUE = 2


class Word(enum.StrEnum):
    YES = "ja"


class Level(enum.IntEnum):
    LOW = 1


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8) | st.sampled_from(
    ["5", "3.5", " 5", "true", "on", "null", "[1]", '["a"]', '"x"', '"', "[", "{}", "", "1e5", "-0"]
)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
DATES = st.dates()
DATETIMES = st.datetimes(timezones=st.none() | st.timezones())
TIMES = st.times()
SCALARS = st.one_of(st.booleans(), st.integers(), FINITE, TEXT)
JSON_VALUES = st.recursive(
    SCALARS | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
BASES = [None, "", "text", 5, 3.5, True, [], ["a"], [1], (1, 2), {}, {"a": 1}, Color.RED]
OFTEN = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


def through_the_url(texts: list[str]) -> list[str]:
    query = update_parameters("keep=1", {"key": texts})
    return query_texts(query).get("key", [])


class Loose(t.HasTraits):
    v_model = t.Any(allow_none=True)


@pytest.mark.parametrize("base", BASES, ids=repr)
@OFTEN
@given(value=JSON_VALUES)
def test_any_value_in_place_of_any(base: Any, value: Any) -> None:
    """The type at `sync` is that of the first value, which another visitor has, too."""
    obj, other = Loose(v_model=base), Loose(v_model=base)
    written, read = TraitText(obj, "v_model"), TraitText(other, "v_model")
    obj.v_model = value
    assert is_alike(obj.v_model, value) or obj.v_model == value  # True stays where 1 is set
    texts = through_the_url(written.texts())
    back = read.value_of(texts) if texts else None
    assert is_alike(back, obj.v_model), (obj.v_model, texts, back)


class Typed(t.HasTraits):
    i = t.Int()
    ci = t.CInt()
    none = t.Int(None, allow_none=True)
    f = t.Float()
    bounded = t.Float(0.5, min=0, max=1)
    b = t.Bool()
    s = t.Unicode()
    e = t.Enum([1, "1", 2.5, True, "two", None, (1, 2), dt.date(2026, 1, 1)], default_value="two")
    color = t.UseEnum(Color, default_value=Color.RED)
    instance = t.Instance(Color, allow_none=True)
    days = t.UseEnum(Weekday, default_value=Weekday.MON)
    day = t.Instance(dt.date, args=(2026, 1, 2))
    when = t.Instance(dt.datetime, allow_none=True)
    time = t.Instance(dt.time, allow_none=True)
    items = t.List()
    texts = t.List(t.Unicode())
    numbers = t.List(t.Float())
    dates = t.List(t.Instance(dt.date))
    colors = t.List(t.UseEnum(Color))
    choices = t.List(t.Enum(["a", 1]))
    mixed = t.List(t.Union([t.Int(), t.Unicode(), t.Float()]))
    nested = t.List(t.Tuple(t.Int(), t.Unicode()))
    optional = t.List(t.Int(allow_none=True))
    pair = t.Tuple(t.Int(), t.Float(), default_value=(1, 2.0))
    tuple_ = t.Tuple()
    d = t.Dict()
    by_int = t.Dict(key_trait=t.Int(), value_trait=t.Instance(dt.date))
    per_key = t.Dict(per_key_traits={"day": t.Instance(dt.date)}, default_value={})
    chosen = t.Set(t.Int())
    any_set = t.Set()
    frozen = t.Instance(frozenset, args=())
    either = t.Union([t.Int(), t.Unicode()], default_value=1)
    text_or_int = t.Union([t.Unicode(), t.Int(), t.List(t.Int())])
    flag_or_int = t.Union([t.Bool(), t.Int()])
    dated = t.Union([t.Instance(dt.date), t.Unicode()], default_value="")


STRATEGIES: dict[str, st.SearchStrategy[Any]] = {
    "i": st.integers(),
    "ci": st.integers(),
    "none": st.none() | st.integers(),
    "f": st.floats(),
    "bounded": st.floats(0, 1),
    "b": st.booleans(),
    "s": TEXT,
    "e": st.sampled_from([1, "1", 2.5, "two", None, (1, 2), dt.date(2026, 1, 1)]),
    "color": st.sampled_from(Color),
    "instance": st.none() | st.sampled_from(Color),
    "days": st.sampled_from([Weekday(n) for n in range(4)]),
    "day": DATES,
    "when": st.none() | DATETIMES,
    "time": st.none() | TIMES,
    "items": st.lists(JSON_VALUES, max_size=4),
    "texts": st.lists(TEXT, max_size=4),
    "numbers": st.lists(FINITE, max_size=4),
    "dates": st.lists(DATES, max_size=4),
    "colors": st.lists(st.sampled_from(Color), max_size=4),
    "choices": st.lists(st.sampled_from(["a", 1]), max_size=4),
    "mixed": st.lists(st.integers() | TEXT | FINITE, max_size=4),
    "nested": st.lists(st.tuples(st.integers(), TEXT), max_size=3),
    "optional": st.lists(st.none() | st.integers(), max_size=3),
    "pair": st.tuples(st.integers(), FINITE),
    "tuple_": st.lists(JSON_VALUES, max_size=3).map(tuple),
    "d": st.dictionaries(TEXT, JSON_VALUES, max_size=3),
    "by_int": st.dictionaries(st.integers(), DATES, max_size=3),
    "per_key": st.fixed_dictionaries({"day": DATES, "other": JSON_VALUES}),
    "chosen": st.sets(st.integers(), max_size=4),
    "any_set": st.sets(TEXT, max_size=4),
    "frozen": st.frozensets(TEXT, max_size=4),
    "either": st.integers() | TEXT,
    "text_or_int": TEXT | st.integers() | st.lists(st.integers(), max_size=3),
    "flag_or_int": st.booleans() | st.integers(),
    "dated": DATES | TEXT,
}


@pytest.mark.parametrize("name", STRATEGIES)
@OFTEN
@given(data=st.data())
def test_values_of_every_type(name: str, data: st.DataObject) -> None:
    writer, reader = Typed(), Typed()
    read_by = TraitText(reader, name)
    value = data.draw(STRATEGIES[name])
    text = TraitText(writer, name)
    setattr(writer, name, value)
    value = getattr(writer, name)
    texts = through_the_url(text.texts())
    assert texts or value is None
    if texts:
        setattr(reader, name, read_by.value_of(texts))
        assert is_alike(getattr(reader, name), value), (value, texts, getattr(reader, name))


LIKE = {
    "dates": st.lists(DATES, min_size=1, max_size=3),
    "tuples": st.lists(st.tuples(st.integers(), TEXT), min_size=1, max_size=3),
    "sets": st.sets(st.integers(), min_size=1, max_size=3),
    "times": st.dictionaries(TEXT, TIMES, min_size=1, max_size=3),
    "numbers": st.dictionaries(st.integers(), TEXT, min_size=1, max_size=3),
    "colors": st.tuples(st.sampled_from(Color), st.sampled_from(Color)),
    "nested": st.lists(st.lists(DATES, min_size=1, max_size=2), min_size=1, max_size=2),
}


@pytest.mark.parametrize("kind", LIKE)
@OFTEN
@given(data=st.data())
def test_values_like_the_one_at_sync(kind: str, data: st.DataObject) -> None:
    first, later = data.draw(LIKE[kind]), data.draw(LIKE[kind])
    obj, other = Loose(v_model=first), Loose(v_model=first)
    text, read = TraitText(obj, "v_model"), TraitText(other, "v_model")
    obj.v_model = later
    assert is_alike(read.value_of(through_the_url(text.texts())), later)


@pytest.mark.parametrize(
    ("base", "value"),
    [(5, 3.5), (5, 5.0), (5.0, 5), (True, 1), ("", ["a"]), (None, ["a"]), (None, 3), ("", 3.5)],
    ids=repr,
)
def test_a_value_of_another_type_than_at_sync(base: object, value: object) -> None:
    obj = Loose(v_model=base)
    text = TraitText(obj, "v_model")
    obj.v_model = None
    obj.v_model = value
    back = text.value_of(text.texts())
    assert (back, type(back)) == (value, type(value))


@pytest.mark.parametrize(
    ("base", "value", "text"),
    [
        (5, 3.5, "3.5"),
        (None, 3.5, "3.5"),
        (None, "a b", "a b"),
        (None, "5", '"5"'),
        ("", "5", "5"),
        ("", 5, " 5"),
        ("", ["a"], '["a"]'),
        ("", '["a"]', '"[\\"a\\"]"'),
        ([], ["a", 1], '["a",1]'),
        (None, True, "true"),
        (None, {"a": [None]}, '{"a":[null]}'),
        ([dt.date(2026, 1, 1)], [dt.date(2026, 1, 2)], '["2026-01-02"]'),
        ([dt.date(2026, 1, 1)], ["2026-01-02"], ' ["2026-01-02"]'),
    ],
)
def test_the_text_of_a_value_of_any_type(base: object, value: object, text: str) -> None:
    obj = Loose(v_model=base)
    written = TraitText(obj, "v_model")
    obj.v_model = value
    assert written.texts() == [text]


@pytest.mark.parametrize(
    ("base", "value"),
    [
        (None, dt.date(2026, 1, 1)),
        (None, (1, 2)),
        (5, math.inf),
        ([], [dt.date(2026, 1, 1)]),
        ({}, {1: 2}),
        ("", {1}),
        (None, object()),
        (None, b"x"),
    ],
    ids=lambda value: "an object" if type(value) is object else repr(value),
)
def test_what_would_come_back_as_another_type_is_not_written(base: object, value: object) -> None:
    obj = Loose(v_model=base)
    text = TraitText(obj, "v_model")
    obj.v_model = value
    with pytest.raises((TypeError, ValueError)):
        text.texts()


@pytest.mark.parametrize(
    ("base", "text"), [(5, "abc"), (3.5, "x"), (True, "x"), ([], "abc"), (5, "")]
)
def test_text_of_no_known_type(base: object, text: str) -> None:
    obj = Loose(v_model=base)
    read = TraitText(obj, "v_model")
    if text:
        with pytest.raises(UnreadableTextError):
            read.value_of([text])
    else:
        assert read.value_of([text]) is None


class Point(NamedTuple):
    x: int
    y: float


class Birthday(dt.date):
    pass


class Derived(t.HasTraits):
    anything = t.Any(Point(1, 2.5))
    point = t.Instance(Point, (0, 0.0))
    day = t.Instance(Birthday, (2026, 1, 1))
    word = t.Instance(type("Text", (str,), {}), ("a",))
    ordered = t.Instance(OrderedDict, ())
    number = t.Instance(np.int64, (1,))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("anything", Point(3, 4.5)),
        ("point", Point(3, 4.5)),
        ("day", Birthday(2026, 1, 2)),
        ("word", Derived.word.klass("b")),
        ("ordered", OrderedDict(a=[1])),
        ("number", np.int64(2)),
    ],
)
def test_classes_that_are_derived_from_those_of_python(name: str, value: object) -> None:
    text = TraitText(Derived(**{name: value}), name)
    back = text.value_of(through_the_url(text.texts()))
    assert (back, type(back)) == (value, type(value))


def test_enums_that_are_text_or_numbers() -> None:
    model = Typed(s=Word.YES, i=Level.LOW)
    assert (TraitText(model, "s").texts(), TraitText(model, "i").texts()) == (["ja"], ["1"])


def test_numpy() -> None:
    obj = Loose(v_model=np.float64(3.5))
    assert TraitText(obj, "v_model").texts() == ["3.5"]
    with pytest.raises(TypeError, match="give to_text= and from_text="):
        TraitText(Loose(v_model=np.zeros(3)), "v_model")
