from __future__ import annotations

import datetime as dt
import enum

import ipywidgets as w
import pytest
import traitlets as t

from nbsession.kernel.location.codec import text_of_value
from nbsession.kernel.location.trait_codec import TraitText, UnreadableTextError

BERLIN = dt.timezone(dt.timedelta(hours=1))


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Model(t.HasTraits):
    i = t.Int(3)
    f = t.Float(0.5)
    bounded = t.Float(0.5, min=0, max=1)
    b = t.Bool()
    s = t.Unicode("d")
    e = t.Enum([1, "two", None], default_value=1)
    caseless = t.CaselessStrEnum(["Left", "Right"], default_value="Left")
    color = t.UseEnum(Color, default_value=Color.RED)
    day = t.Instance(dt.date, args=(2026, 1, 2))
    when = t.Instance(dt.datetime, allow_none=True)
    items = t.List()
    days = t.List(t.Instance(dt.date))
    pair = t.Tuple(t.Int(), t.Float(), default_value=(1, 2.0))
    d = t.Dict()
    chosen = t.Set()
    either = t.Union([t.Int(), t.Unicode()], default_value=1)
    anything = t.Any(1.5)
    thing = t.Instance(object, allow_none=True)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("i", -7, "-7"),
        ("f", 1.0, "1.0"),
        ("f", 1e300, "1e+300"),
        ("f", float("inf"), "inf"),
        ("b", True, "true"),
        ("s", "123", "123"),
        ("s", "", ""),
        ("e", "two", "two"),
        ("e", 1, "1"),
        ("caseless", "Right", "Right"),
        ("color", Color.BLUE, "BLUE"),
        ("day", dt.date(2026, 11, 22), "2026-11-22"),
        ("when", dt.datetime(2026, 1, 2, 3, 4, tzinfo=BERLIN), "2026-01-02T03:04:00+01:00"),
        ("items", [1, "a", None], '[1,"a",null]'),
        ("days", [dt.date(2026, 1, 2)], '["2026-01-02"]'),
        ("pair", (1, 2.5), "[1,2.5]"),
        ("d", {"ö": [1, {"a": True}]}, '{"ö":[1,{"a":true}]}'),
        ("chosen", {"a"}, '["a"]'),
        ("either", 5, "5"),
        ("either", "x", "x"),
        ("anything", 2.5, "2.5"),
    ],
)
def test_there_and_back(name: str, value: object, text: str) -> None:
    model = Model()
    setattr(model, name, value)
    trait_text = TraitText(model, name)
    assert trait_text.texts() == [text]
    back = trait_text.value_of(["other", text])
    assert (back, type(back)) == (value, type(value))
    setattr(model, name, back)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("b", "True", True),
        ("b", "1", True),
        ("b", "FALSE", False),
        ("b", "0", False),
        ("f", "5", 5.0),
        ("f", ".5e3", 500.0),
        ("s", "true", "true"),
        ("when", "2026-01-02T03:04:05Z", dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)),
        ("items", "[1, 2]", [1, 2]),
    ],
)
def test_other_spellings(name: str, text: str, value: object) -> None:
    assert TraitText(Model(), name).value_of([text]) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("i", text) for text in ("²", "", " 1", "1_000", "1.0", "٣", "0x1", "9" * 5000)),
        *(("f", text) for text in ("", "1_0", "1e400", "x", "Infinity", "1,5")),
        *(("bounded", text) for text in ("nan", "inf", "-inf")),
        *(("b", text) for text in ("", "yes", "2")),
        *(("items", text) for text in ("[abc", "", "abc", "{}", "[NaN]", "[1e999]", "[" * 100_000)),
        *(("d", text) for text in ("[]", "1", "null")),
        *(("pair", text) for text in ("[1]", "[1,2,3]", "1,2")),
        *(("day", text) for text in ("tomorrow", "2026-13-01", "2026-01-01T00:00")),
        ("when", "x"),
        ("color", "GREEN"),
        ("days", '["x"]'),
    ],
)
def test_what_cannot_be_read(name: str, text: str) -> None:
    with pytest.raises(UnreadableTextError):
        TraitText(Model(), name).value_of([text])


def test_none_is_no_text() -> None:
    assert TraitText(Model(), "when").texts() == []


def test_what_no_text_stands_for() -> None:
    with pytest.raises(TypeError, match=r"Model.thing cannot be synced with the URL"):
        TraitText(Model(), "thing")
    with pytest.raises(TypeError, match="object cannot be a query parameter"):
        text_of_value(object())
    with pytest.raises(ValueError, match="half of a surrogate pair"):
        text_of_value("\ud800")
    with pytest.raises(ValueError, match="not JSON compliant"):
        text_of_value([float("nan")])


class Held(t.HasTraits):
    bytes_ = t.Bytes(b"x")
    blobs = t.List(t.Bytes())
    widgets = t.List(t.Instance(w.Widget))
    things = t.Dict(value_trait=t.Instance(object))
    keyed = t.Dict(key_trait=t.Instance(object))
    by_key = t.Dict(per_key_traits={"a": t.Bytes()})
    pair = t.Tuple(t.Int(), t.Bytes(), default_value=(1, b""))
    group = t.Set(t.Instance(object))
    deep = t.List(t.List(t.Bytes()))
    blob = t.Any(b"x")
    listed = t.Any([b"x"])
    mapped = t.Dict({"a": object()})
    loose = t.List([object()])
    mixed = t.Any([dt.date(2026, 1, 1), Color.RED])
    either = t.Union([t.Bytes(), t.Instance(object)], default_value=b"")
    taken = t.Union([t.Bytes(), t.Unicode()], default_value=b"")
    slots = t.List(t.Union([t.Instance(w.Widget), t.Unicode()]))
    parts = t.Dict(value_trait=t.Union([t.Unicode(), t.List(t.Bytes())]))
    call = t.Callable(len)
    kind = t.Type(klass=object)
    number = t.Complex(1j)


@pytest.mark.parametrize("name", Held.class_trait_names())
def test_what_is_refused_at_the_call(name: str) -> None:
    with pytest.raises(TypeError, match=rf"Held.{name} cannot be synced with the URL: .*to_text="):
        TraitText(Held(), name)


@pytest.mark.parametrize("widget", [w.VBox([w.Button()]), w.Tab([w.Button()]), w.VBox()])
def test_widgets_within_a_widget(widget: w.Widget) -> None:
    with pytest.raises(TypeError, match="children cannot be synced with the URL"):
        TraitText(widget, "children")


class Slots(w.DOMWidget):
    """A widget that says only by its serialization that it holds others, as ipyvuetify's do."""

    children = t.List().tag(sync=True, **w.widget_serialization)
    content = t.Any().tag(sync=True, **w.widget_serialization)


@pytest.mark.parametrize(
    ("widget", "name"),
    [(Slots(), "children"), (Slots(), "content"), (w.FileUpload(), "value"), (w.Image(), "value")],
)
def test_what_may_hold_objects(widget: w.Widget, name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} cannot be synced with the URL"):
        TraitText(widget, name)


class Filled(t.HasTraits):
    flag = t.Bool()
    many = t.List(t.Unicode())
    numbers = t.List(t.Int())
    group = t.Set(t.Unicode())
    pair = t.Tuple(t.Int(), t.Float(), default_value=(1, 2.0))
    days = t.List(t.Instance(dt.date))
    loose = t.List()
    like = t.Any([1])
    model = t.Any([])
    when = t.Instance(dt.datetime, allow_none=True)
    number = t.Int(3, allow_none=True)
    name = t.Unicode(allow_none=True)
    choice = t.Enum(["a", "b"], default_value="a")
    either = t.Union([t.List(t.Unicode()), t.Unicode()])


@pytest.mark.parametrize(
    ("name", "texts", "value"),
    [
        ("flag", ["on"], True),
        ("flag", ["off", "on"], True),  # a hidden field before the checkbox
        ("flag", ["off"], False),
        ("many", ["a", "b"], ["a", "b"]),
        ("many", ["a"], ["a"]),
        ("many", ["a", '["b"]'], ["b"]),
        ("many", ["b,c", ""], ["b,c", ""]),
        ("numbers", ["1", "2"], [1, 2]),
        ("numbers", ["7"], [7]),
        ("group", ["a", "b", "a"], {"a", "b"}),
        ("pair", ["1", "2.5"], (1, 2.5)),
        ("days", ["2026-01-02"], [dt.date(2026, 1, 2)]),
        ("loose", ["1", "2"], ["1", "2"]),
        ("like", ["1", "2"], [1, 2]),
        ("model", ["1", "a"], ["1", "a"]),
        ("when", ["2026-01-02T03:04"], dt.datetime(2026, 1, 2, 3, 4)),  # noqa: DTZ001 - as a form sends it
        ("when", [""], None),
        ("number", [""], None),
        ("name", [""], ""),
        ("choice", ["a", "b"], "b"),
        ("either", ["a", "b"], ["a", "b"]),
    ],
)
def test_what_a_form_sends(name: str, texts: list[str], value: object) -> None:
    obj = Filled()
    back = TraitText(obj, name).value_of(texts)
    assert (back, type(back)) == (value, type(value))
    setattr(obj, name, back)


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        *(("many", [text]) for text in ("", "[", '["a"', "{}", "[1]")),
        ("numbers", ["1", "x"]),
        ("numbers", ["[1,"]),
        ("pair", ["1", "2", "3"]),
        ("days", ["x", "2026-01-02"]),
        ("flag", [""]),
    ],
)
def test_what_no_form_sends(name: str, texts: list[str]) -> None:
    with pytest.raises(UnreadableTextError):
        TraitText(Filled(), name).value_of(texts)


def test_choices_of_a_form() -> None:
    chosen = TraitText(w.SelectMultiple(options=["a", "b", "[c]"]), "value")
    assert chosen.value_of(["a"]) == ("a",)
    assert chosen.value_of(["a", "b"]) == ("a", "b")
    assert chosen.value_of(["a", "[c]"]) == ("a", "[c]")
    ends = TraitText(w.SelectionRangeSlider(options=["a", "b"]), "value")
    assert ends.value_of(["a", "b"]) == ("a", "b")


OPTIONS = [("One", 1.5), ("Two", object())]


@pytest.mark.parametrize(
    ("widget", "text"),
    [
        (w.IntSlider(5), "5"),
        (w.FloatSlider(0.5), "0.5"),
        (w.FloatLogSlider(10.0), "10.0"),
        (w.IntRangeSlider(value=(1, 5)), "[1,5]"),
        (w.FloatRangeSlider(value=(0.5, 5.0)), "[0.5,5.0]"),
        (w.BoundedIntText(5), "5"),
        (w.FloatText(5.5), "5.5"),
        (w.Text("a&b"), "a&b"),
        (w.Combobox(value="x"), "x"),
        (w.Checkbox(value=True), "true"),
        (w.ToggleButton(value=True), "true"),
        (w.ColorPicker(value="#ff0000"), "#ff0000"),
        (w.DatePicker(value=dt.date(2026, 1, 2)), "2026-01-02"),
        (w.TimePicker(value=dt.time(1, 2)), "01:02:00"),
        (w.NaiveDatetimePicker(value=dt.datetime(2026, 1, 2)), "2026-01-02T00:00:00"),  # noqa: DTZ001 - that is what it holds
        (
            w.DatetimePicker(value=dt.datetime(2026, 1, 2, tzinfo=dt.UTC)),
            "2026-01-02T00:00:00+00:00",
        ),
        (w.TagsInput(value=["a", "b"]), '["a","b"]'),
        (w.Dropdown(options=OPTIONS, index=1), "Two"),
        (w.Select(options=OPTIONS, index=1), "Two"),
        (w.RadioButtons(options=[1, 2]), "1"),
        (w.ToggleButtons(options={"a": 1}), "a"),
        (w.SelectionSlider(options=["x", "y"]), "x"),
        (w.SelectMultiple(options=OPTIONS, index=(0, 1)), '["One","Two"]'),
        (w.SelectionRangeSlider(options=["x", "y"], index=(0, 1)), '["x","y"]'),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, w.Widget) else "",
)
def test_widgets(widget: w.Widget, text: str) -> None:
    trait_text, value = TraitText(widget, "value"), widget.value
    assert trait_text.texts() == [text]
    setattr(widget, trait_text.attribute, trait_text.value_of([text]))
    assert widget.value == value


def test_a_date_picker_without_a_date() -> None:
    picker = w.DatePicker()
    trait_text = TraitText(picker, "value")
    assert trait_text.texts() == []
    assert trait_text.value_of(["2026-01-02"]) == dt.date(2026, 1, 2)


def test_a_range_of_labels_has_two_ends() -> None:
    slider = w.SelectionRangeSlider(options=["x", "y"])
    with pytest.raises(UnreadableTextError, match="1 items where 2 have to be"):
        TraitText(slider, "value").value_of(['["x"]'])
