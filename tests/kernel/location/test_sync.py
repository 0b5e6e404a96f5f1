"""Traits and query keys, bound both ways."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import warnings
from typing import Any

import ipywidgets as w
import numpy as np
import pytest
import traitlets as t

from nbsession.core.errors import NBSessionWarning
from played_location import asynchronous, playing, turn

HERE = "http://h:8866/a"


class Model(t.HasTraits):
    s = t.Unicode("d")
    i = t.Int(3)
    n = t.Int(None, allow_none=True)


# -- the start ---------------------------------------------------------------------------------


@asynchronous
async def test_the_url_wins_at_the_start_and_the_rest_is_written() -> None:
    with playing(f"{HERE}?keep=007&i=5&x=") as played:
        window = played.pages.window(f"{HERE}?keep=007&i=5&x=")
        model = Model()
        played.location.sync(model)
        assert (model.s, model.i, model.n) == ("d", 5, None)
        assert played.location.search == "?keep=007&i=5&x=&s=d"
        window.read()
        assert window.entries == [f"{HERE}?keep=007&i=5&x=&s=d"]


@pytest.mark.parametrize("text", ["123", "true", "", "[1]", "null"])
@asynchronous
async def test_text_is_text(text: str) -> None:
    with playing(f"{HERE}?s={text}&i=5") as played:
        model = Model()
        played.location.sync(model)
        assert (model.s, model.i) == (text, 5)


@asynchronous
async def test_one_bad_value_does_not_spoil_the_others() -> None:
    with playing(f"{HERE}?i=²&s=ok&n=[") as played:
        errors: list[dict[str, str]] = []
        model = Model()
        played.location.sync(model, on_error=errors.append)
        assert errors == [{"i": "²", "n": "["}]
        assert (model.s, model.i, model.n) == ("ok", 3, None)
        assert played.location.query == {"i": ["3"], "s": ["ok"], "n": ["["]}
        played.location.update_query(i="1e5", s="still")
        assert errors[1:] == [{"i": "1e5"}]
        assert (model.s, model.i) == ("still", 3)
        assert played.location.query_params == {"i": "3", "s": "still", "n": "["}


@asynchronous
async def test_a_warning_without_on_error_once() -> None:
    with playing(f"{HERE}?i=x") as played:
        with pytest.warns(NBSessionWarning, match="cannot be applied: i = 'x'"):
            played.location.sync(Model())
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            played.location.update_query(i="y")


@asynchronous
async def test_on_error_may_be_async_or_raise(capsys: Any) -> None:
    with playing(f"{HERE}?i=x") as played:
        reported: list[object] = []

        async def report(errors: dict[str, str]) -> None:
            await asyncio.sleep(0)
            reported.append(errors)

        model = Model()
        played.location.sync(model, on_error=report)
        for _ in range(5):
            await asyncio.sleep(0)
        assert reported == [{"i": "x"}]
        played.location.unsync(model)
        played.location.update_query(i="x")
        played.location.sync(model, on_error=lambda _: 1 / 0)
        assert "ZeroDivisionError" in capsys.readouterr().err


@asynchronous
async def test_a_trait_that_refuses() -> None:
    class Even(t.HasTraits):
        n = t.Int(2)

        @t.validate("n")
        def _check(self, proposal: Any) -> int:
            if proposal.value % 2:
                message = "odd"
                raise t.TraitError(message)
            return int(proposal.value)

    with playing(f"{HERE}?n=3") as played:
        errors: list[object] = []
        even = Even()
        played.location.sync(even, ["n"], on_error=errors.append)
        assert (errors, even.n, played.location.search) == ([{"n": "3"}], 2, "?n=2")


@asynchronous
async def test_an_observer_that_raises_is_no_refusal(capsys: Any) -> None:
    with playing(f"{HERE}?i=5") as played:
        errors: list[object] = []
        model = Model()
        model.observe(lambda _: 1 / 0, "i")
        played.location.sync(model, ["i"], on_error=errors.append)
        assert (errors, model.i) == ([], 5)
        assert "ZeroDivisionError" in capsys.readouterr().err


# -- both ways -----------------------------------------------------------------------------------


@asynchronous
async def test_back_and_forward() -> None:
    start = f"{HERE}?keep=007&s=a&x="
    with playing(start) as played:
        window = played.pages.window(start)
        model = Model()
        played.location.sync(model, ["s"])
        for value in "bc":
            model.s = value
            await turn()
            window.read()
        assert window.entries == [start.replace("s=a", f"s={value}") for value in "abc"]
        sent = len(played.pages.sent)
        seen = []
        for by in (-1, -1, 1):
            window.step(by)
            seen.append((model.s, played.location.search))
            await turn()
        assert seen == [(value, f"?keep=007&s={value}&x=") for value in "bab"]
        assert len(played.pages.sent) == sent
        assert len(window.entries) == 3


@asynchronous
async def test_replace_makes_no_entries() -> None:
    with playing(HERE) as played:
        window = played.pages.window(HERE)
        model = Model()
        played.location.sync(model, ["i"], history="replace")
        for model.i in range(5):
            await turn()
            window.read()
        assert window.entries == [f"{HERE}?i=4"]


@asynchronous
async def test_none_removes_the_key() -> None:
    with playing(HERE) as played:
        model = Model(n=4)
        played.location.sync(model, {"n": "number"})
        assert played.location.search == "?number=4"
        model.n = None
        assert played.location.search == ""
        model.n = 0
        assert played.location.search == "?number=0"
        model.n = None
        model.n = 4  # as it was when it was synced
        assert played.location.search == "?number=4"
        played.location.search = ""
        model.n = 5
        model.n = 4
        assert played.location.search == "?number=4"


@asynchronous
async def test_a_key_that_goes_away_takes_the_trait_back() -> None:
    with playing(f"{HERE}?i=5") as played:
        window = played.pages.window(f"{HERE}?i=5")
        model = Model()
        played.location.sync(model, ["i", "n"])
        model.n = 7
        await turn()
        window.read()
        played.location.search = ""
        assert (model.i, model.n, played.location.search) == (3, None, "")
        await turn()
        window.read()
        assert window.url == HERE
        window.step(-1)
        assert (model.i, model.n) == (5, 7)
        window.step(-1)
        assert (model.i, model.n) == (5, None)


@asynchronous
async def test_the_start_value_outlives_edits_in_place() -> None:
    class Lists(t.HasTraits):
        items = t.List([1])
        mapped = t.Dict({"a": [1]})

    with playing("http://h/") as played:
        model = Lists()
        played.location.sync(model)
        for _ in range(2):
            model.items.append(2)
            model.mapped["a"].append(2)
            model.items, model.mapped = [3], {"b": [3]}
            played.location.search = ""
            assert (model.items, model.mapped) == ([1], {"a": [1]})


@asynchronous
async def test_python_writes_are_followed() -> None:
    with playing(HERE) as played:
        model = Model()
        played.location.sync(model, ["i"])
        played.location.update_query(i=9)
        assert model.i == 9
        played.location.search = "?i=10&other"
        assert (model.i, played.location.search) == (10, "?i=10&other")


@asynchronous
async def test_many_traits_in_a_turn_make_one_entry() -> None:
    class Many(t.HasTraits):
        a, b, c = t.Int(), t.Int(), t.Int()

    with playing(HERE) as played:
        window = played.pages.window(HERE)
        many = Many()
        played.location.sync(many)
        await turn()
        many.a = many.b = many.c = 1
        await turn()
        window.read()
        assert window.entries == [f"{HERE}?a=0&b=0&c=0", f"{HERE}?a=1&b=1&c=1"]
        assert len(played.pages.sent) == 3


@asynchronous
async def test_what_follows_from_going_back_is_no_new_entry() -> None:
    with playing(f"{HERE}?i=1") as played:
        window = played.pages.window(f"{HERE}?i=1")
        model, other = Model(), Model()
        model.observe(lambda change: setattr(other, "i", change.new * 10), "i")
        played.location.sync(model, ["i"])
        played.location.sync(other, {"i": "ten"}, history="push")
        await turn()
        model.i = 2
        await turn()
        window.read()
        assert window.entries == [f"{HERE}?i=1&ten=10", f"{HERE}?i=2&ten=20"]
        window.go(f"{HERE}?i=3&ten=20")
        await turn()
        window.read()
        assert (model.i, other.i) == (3, 20)
        assert window.entries[2:] == [f"{HERE}?i=3&ten=20"]
        window.go(f"{HERE}?i=4")
        await turn()
        window.read()
        assert (model.i, other.i) == (4, 40)
        assert window.entries[3:] == [f"{HERE}?i=4&ten=40"]
        window.step(-3)
        await turn()
        assert (model.i, other.i, window.entries[3:]) == (1, 10, [f"{HERE}?i=4&ten=40"])


@asynchronous
async def test_a_limit_and_a_value_beyond_the_old_one() -> None:
    with playing(f"{HERE}?value=500&max=1000") as played:
        slider = w.IntSlider(5)
        played.location.sync(slider, ["value", "max"])
        assert (slider.value, slider.max) == (500, 1000)


@asynchronous
async def test_a_value_that_has_no_text_is_not_written() -> None:
    class Thing(t.HasTraits):
        x = t.Any(1)

    with playing(HERE) as played:
        thing = Thing()
        played.location.sync(thing)
        with pytest.warns(NBSessionWarning, match="x is not written into the URL: object cannot"):
            thing.x = object()
        thing.x = 2
        assert played.location.search == "?x=2"


@asynchronous
async def test_threads() -> None:
    with playing(HERE) as played:
        window = played.pages.window(HERE)
        models = [Model() for _ in range(4)]
        for number, model in enumerate(models):
            played.location.sync(model, {"i": f"i{number}"})

        def move(model: Model) -> None:
            for model.i in range(200):
                pass

        await asyncio.gather(*(asyncio.to_thread(move, model) for model in models))
        await turn()
        window.read()
        assert window.url == f"{HERE}?i0=199&i1=199&i2=199&i3=199"


@asynchronous
async def test_a_report_on_a_subshell_is_applied_on_the_main_loop() -> None:
    with playing(f"{HERE}?i=1") as played:
        window = played.pages.window(f"{HERE}?i=1")
        model = Model()
        played.location.sync(model, ["i"])
        threads: list[threading.Thread] = []
        busy: list[bool] = []
        for observed, name in ((model, "i"), (played.location, "search")):
            observed.observe(lambda _: threads.append(threading.current_thread()), name)
        model.observe(lambda _: busy.append(bool(played.runtime.busy)), "i")
        subshell = threading.Thread(target=window.go, args=(f"{HERE}?i=2",))
        subshell.start()
        subshell.join()  # the loop has no turn meanwhile, as in a cell
        assert (played.location.search, model.i, threads) == ("?i=2", 1, [])
        await turn()
        assert (model.i, threads, busy) == (2, [threading.current_thread()] * 2, [True])


# -- pages ---------------------------------------------------------------------------------------


@asynchronous
async def test_synced_before_the_url_is_known() -> None:
    with playing() as played:
        model = Model()
        played.location.sync(model)
        model.i = 4
        assert played.location.search == "?i=4&s=d"
        window = played.pages.window(f"{HERE}?keep=%20&i=5")
        assert (model.i, model.s) == (5, "d")
        await turn()
        window.read()
        assert window.entries == [f"{HERE}?keep=%20&i=5&s=d"]
        assert played.location.href == window.url


@asynchronous
async def test_changed_before_the_page_comes() -> None:
    with playing(f"{HERE}?i=5") as played:
        model = Model()
        played.location.sync(model, ["i"])
        model.i = 6
        window = played.pages.window(f"{HERE}?i=5")
        window.read()
        assert (model.i, window.url) == (6, f"{HERE}?i=6")


@asynchronous
async def test_two_windows() -> None:
    with playing() as played:
        one = played.pages.window(f"{HERE}?i=1", "one")
        model = Model()
        played.location.sync(model, ["i"])
        two = played.pages.window(f"{HERE}?i=2", "two")
        await turn()
        assert (model.i, two.url) == (1, f"{HERE}?i=2")  # a look into a window moves nothing
        model.i = 3
        await turn()
        two.read()
        assert (one.url, two.url) == (f"{HERE}?i=1", f"{HERE}?i=3")
        one.focus()
        assert model.i == 3
        one.go(f"{HERE}?i=4")
        assert model.i == 4
        await turn()
        assert two.url == f"{HERE}?i=3"


@asynchronous
async def test_a_page_loaded_again_with_another_url() -> None:
    with playing() as played:
        one = played.pages.window(f"{HERE}?i=1", "one")
        model = Model()
        played.location.sync(model, ["i"])
        one.close()
        played.pages.window(f"{HERE}?i=2", "two")
        assert model.i == 2


@asynchronous
async def test_a_page_that_has_lost_the_query_of_its_link() -> None:
    """JupyterLab drops it while it loads, and also when a page is loaded again."""
    with playing("http://h/lab/tree/a.ipynb?i=5") as played:
        model = Model()
        played.location.sync(model, ["i"])
        one = played.pages.window("http://h/lab/tree/a.ipynb", "one")
        await turn()
        one.read()
        assert (model.i, one.entries) == (5, ["http://h/lab/tree/a.ipynb?i=5"])
        one.close()
        two = played.pages.window("http://h/lab/tree/a.ipynb", "two")
        await turn()
        two.read()
        assert (model.i, two.entries) == (5, ["http://h/lab/tree/a.ipynb?i=5"])


@asynchronous
async def test_jupyterlab_turns_to_another_tab() -> None:
    with playing() as played:
        window = played.pages.window("http://h/lab/tree/a.ipynb?i=5")
        model = Model()
        played.location.sync(model, ["i"])
        for path in ("/lab", "/lab/tree/b.ipynb", "/lab/tree/a.ipynb"):
            window.go(f"http://h{path}", "replace")
            assert (model.i, played.location.pathname) == (5, path)
        model.i = 6
        await turn()
        window.read()
        assert window.url == "http://h/lab/tree/a.ipynb?i=6"
        window.go("http://h/lab/tree/a.ipynb?i=7")
        assert model.i == 7


# -- names ---------------------------------------------------------------------------------------


@asynchronous
async def test_widgets_by_their_description() -> None:
    url = (
        f"{HERE}?n=7&value=hello&range=[2,4]&pick=Two&many=[%22b%22]&day=2026-01-02&on=true"
        "&tags=[%22x%22]"
    )
    with playing(url) as played:
        widgets = [
            w.IntSlider(description="n"),
            w.Text(),
            w.IntRangeSlider(description="range", min=0, max=9),
            w.Dropdown(description="pick", options=[("One", 1), ("Two", 2)]),
            w.SelectMultiple(description="many", options=["a", "b"]),
            w.DatePicker(description="day"),
            w.Checkbox(description="on"),
            w.TagsInput(),
        ]
        for widget in widgets[:-1]:
            played.location.sync(widget)
        played.location.sync(widgets[-1], {"value": "tags"})
        values = [7, "hello", (2, 4), 2, ("b",), dt.date(2026, 1, 2), True, ["x"]]
        assert [widget.value for widget in widgets] == values
        widgets[3].value = 1
        widgets[4].value = ("a", "b")
        assert played.location.query_params["pick"] == "One"
        assert played.location.query_params["many"] == '["a","b"]'
        played.location.search = ""
        assert [widget.value for widget in widgets[:5]] == [0, "", (2, 6), 1, ()]


@asynchronous
async def test_a_label_that_is_none_may_come_yet() -> None:
    with playing(f"{HERE}?pick=Nine") as played:
        errors: list[object] = []
        dropdown = w.Dropdown(description="pick", options=["One", "Two"])
        played.location.sync(dropdown, on_error=errors.append)
        assert (errors, dropdown.value, played.location.search) == ([], "One", "?pick=Nine")


@asynchronous
async def test_all_public_traits() -> None:
    class Mixed(t.HasTraits):
        a = t.Int()
        _hidden = t.Int()
        fixed = t.Int(read_only=True)
        thing = t.Instance(object, allow_none=True)

    with playing(HERE) as played:
        played.location.sync(Mixed())
        assert played.location.search == "?a=0"


@asynchronous
async def test_no_public_trait_that_text_stands_for() -> None:
    class Held(t.HasTraits):
        blobs = t.List(t.Bytes())

    with playing("http://h/") as played:
        with pytest.raises(TypeError, match=r"Held.blobs cannot be synced with the URL"):
            played.location.sync(Held())
        with pytest.raises(ValueError, match="no public trait"):
            played.location.sync(t.HasTraits())


@asynchronous
async def test_synced_again_it_moves() -> None:
    with playing(f"{HERE}?x=5&y=6") as played:
        model = Model()
        played.location.sync(model, {"i": "x"})
        played.location.sync(model, {"i": "y"})
        assert (model.i, played.location.search) == (6, "?y=6")
        model.i = 7
        assert played.location.search == "?y=7"
        played.location.sync(model, {"i": "y"})
        model.i = 8
        assert played.location.search == "?y=8"


@asynchronous
async def test_a_cell_that_is_run_again() -> None:
    with playing(f"{HERE}?n=5") as played:
        old, new = w.IntSlider(description="n"), w.IntSlider(description="n", max=9)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            played.location.sync(old)
            old.value = 50
            played.location.sync(new)
        assert (new.value, played.location.search) == (9, "?n=50")
        old.value = 1
        assert played.location.search == "?n=50"
        with pytest.warns(NBSessionWarning, match="the key 'n' was synced with another IntSlider"):
            played.location.sync(w.Text(description="n"))


@pytest.mark.parametrize(
    ("names", "error", "problem"),
    [
        ("i", TypeError, r"write \['i'\]"),
        (3, TypeError, "names must be"),
        ([3], TypeError, "text"),
        (["nope"], ValueError, "Model has no trait 'nope'"),
        ({"i": "k", "s": "k"}, ValueError, "two traits under the key 'k'"),
        ({"i": "\ud800"}, ValueError, "surrogate"),
    ],
)
@asynchronous
async def test_names_that_are_wrong(names: Any, error: type[Exception], problem: str) -> None:
    with playing(HERE) as played:
        with pytest.raises(error, match=problem):
            played.location.sync(Model(), names)
        assert played.location.search == ""


@asynchronous
async def test_arguments_that_are_wrong() -> None:
    with playing(HERE) as played:
        sync: Any = played.location.sync
        for args, error in (
            (({},), TypeError),
            ((Model(), None, "x"), TypeError),
            ((Model(), None, None, "pop"), ValueError),
            ((w.Accordion(),), ValueError),
        ):
            with pytest.raises(error):
                sync(*args)
        assert played.location.search == ""


# -- spelling ------------------------------------------------------------------------------------


class Typed(t.HasTraits):
    zoom = t.Float(1.0)
    flag = t.Bool()
    many = t.List(t.Unicode())
    pair = t.Tuple(t.Int(), t.Int(), default_value=(0, 0))
    side = t.CaselessStrEnum(["Left", "Right"], default_value="Left")


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [
        ("zoom=6", "zoom", 6.0),
        ("zoom=%2b6", "zoom", 6.0),
        ("zoom=1", "zoom", 1.0),  # as it is
        ("flag=on", "flag", True),
        ("flag=TRUE", "flag", True),
        ("many=a&many=b", "many", ["a", "b"]),
        ("many=a", "many", ["a"]),
        ("many=[%22a%22,%20%22b%22]", "many", ["a", "b"]),
        ("pair=1&pair=2", "pair", (1, 2)),
    ],
)
@asynchronous
async def test_another_spelling_stays_in_the_url(query: str, name: str, value: object) -> None:
    with playing(f"{HERE}?{query}&i=1") as played:
        window = played.pages.window(f"{HERE}?{query}&i=1")
        typed, model = Typed(), Model()
        played.location.sync(typed, [name])
        played.location.sync(model, ["i"])
        assert getattr(typed, name) == value
        model.i = 2
        played.location.search = played.location.search.replace("i=2", "i=3")
        await turn()
        window.read()
        assert window.url == f"{HERE}?{query}&i=3"
        other = getattr(Typed(), name)
        if other != value:
            setattr(typed, name, other)
            setattr(typed, name, value)
            assert played.location.query_params[name] != ""


@asynchronous
async def test_zoom_is_written_when_it_changes() -> None:
    with playing(f"{HERE}?zoom=6") as played:
        typed = Typed()
        played.location.sync(typed, ["zoom"])
        typed.zoom = 7
        assert played.location.search == "?zoom=7.0"
        typed.zoom = 6
        assert played.location.search == "?zoom=6.0"


# -- a text of one's own ---------------------------------------------------------------------------


class ViewState(t.HasTraits):
    """A trait as lonboard's: it takes a dict and makes an object of it."""

    class State:
        def __init__(self, longitude: float, zoom: float) -> None:
            self.longitude, self.zoom = longitude, zoom

    class Trait(t.TraitType[Any, Any]):
        def validate(self, obj: object, value: Any) -> Any:
            return value if isinstance(value, ViewState.State) else ViewState.State(**value)

    view_state = Trait()
    count = t.Int()


def view_text(state: Any) -> str | None:
    return None if state is None else f"{state.longitude:g},{state.zoom:g}"


def view_of(text: str) -> dict[str, float]:
    longitude, zoom = map(float, text.split(","))
    return {"longitude": longitude, "zoom": zoom}


@asynchronous
async def test_to_text_and_from_text() -> None:
    with playing(f"{HERE}?at=7.5,3") as played:
        errors: list[object] = []
        window = played.pages.window(played.location.href)
        obj = ViewState(view_state={"longitude": 0, "zoom": 1})
        played.location.sync(
            obj, {"view_state": "at"}, errors.append, to_text=view_text, from_text=view_of
        )
        assert (view_text(obj.view_state), played.location.search) == ("7.5,3", "?at=7.5,3")
        obj.view_state = {"longitude": 8, "zoom": 4}
        await turn()
        window.read()
        assert window.url == f"{HERE}?at=8%2C4"
        window.step(-1)
        assert view_text(obj.view_state) == "7.5,3"
        window.go(f"{HERE}?at=nowhere")
        await turn()
        window.read()
        assert (errors, window.url) == ([{"view_state": "nowhere"}], f"{HERE}?at=7.5%2C3")
        played.location.search = ""
        assert view_text(obj.view_state) == "0,1"


@asynchronous
async def test_to_text_that_returns_none_removes_the_key() -> None:
    with playing(HERE) as played:
        model = Model(i=1)
        played.location.sync(
            model, ["i"], to_text=lambda n: f"n{n}" if n else None, from_text=lambda s: int(s[1:])
        )
        assert played.location.search == "?i=n1"
        model.i = 0
        assert played.location.search == ""
        played.location.search = "?i=n7"
        assert model.i == 7


@asynchronous
async def test_an_array() -> None:
    class Holder(t.HasTraits):
        array = t.Any()

    with playing(f"{HERE}?array=1+2") as played:
        holder = Holder(array=np.zeros(2))
        played.location.sync(
            holder,
            to_text=lambda array: " ".join(map(str, array.tolist())),
            from_text=lambda text: np.array([*map(int, text.split())]),
        )
        assert holder.array.tolist() == [1, 2]
        holder.array = np.array([3, 4, 5])
        assert played.location.search == "?array=3+4+5"
        played.location.search = "?array=6"
        assert holder.array.tolist() == [6]
        played.location.search = ""
        assert holder.array.tolist() == [0, 0]


@asynchronous
async def test_text_of_its_own_for_a_selection() -> None:
    with playing(f"{HERE}?n=2") as played:
        dropdown = w.Dropdown(options=[("One", 1), ("Two", 2)], description="n")
        played.location.sync(dropdown, to_text=str, from_text=int)
        assert dropdown.value == 2
        dropdown.value = 1
        assert played.location.search == "?n=1"


@asynchronous
async def test_functions_that_are_wrong() -> None:
    with playing(f"{HERE}?i=3") as played:
        sync: Any = played.location.sync
        for wrong in ({"to_text": 3}, {"from_text": "int"}):
            with pytest.raises(TypeError, match="must be callable"):
                sync(Model(), ["i"], **wrong)
        with pytest.raises(TypeError, match="give to_text= and from_text="):
            sync(ViewState(view_state={"longitude": 0, "zoom": 1}), ["view_state"], to_text=str)
        with pytest.warns(NBSessionWarning, match="to_text must return text or None, got int"):
            sync(Model(), {"i": "j"}, to_text=lambda n: n, from_text=int)
        with pytest.warns(NBSessionWarning, match="to_text raised ZeroDivisionError"):
            sync(Model(), {"i": "k"}, to_text=lambda n: n / 0, from_text=int)
        assert played.location.search == "?i=3"


# -- v_model -------------------------------------------------------------------------------------


class VueWidget(w.DOMWidget):
    """The traits of an ipyvuetify widget."""

    v_model = t.Any("!!disabled!!", allow_none=True).tag(sync=True)
    value = t.Any(None, allow_none=True).tag(sync=True)
    items = t.List(t.Any(), default_value=None, allow_none=True).tag(sync=True)
    children = t.List()


@asynchronous
async def test_v_model_by_default() -> None:
    with playing(f"{HERE}?v_model=3") as played:
        window = played.pages.window(played.location.href)
        select = VueWidget(v_model=None, items=[1, 2, 3])
        played.location.sync(select)
        assert select.v_model == 3
        for value in ("two", ["a", 1], 3.5, "3.5", True, {"a": 1}):
            select.v_model = value
            await turn()
            window.read()
        seen = []
        for _ in range(6):
            window.step(-1)
            seen.append(select.v_model)
        assert seen == [True, "3.5", 3.5, ["a", 1], "two", 3]
        assert [type(value) for value in seen] == [bool, str, float, list, str, int]
        with pytest.warns(NBSessionWarning, match="names={'v_model': 'another'}"):
            played.location.sync(VueWidget(v_model=1))


# -- unsync --------------------------------------------------------------------------------------


@asynchronous
async def test_unsync() -> None:
    with playing(f"{HERE}?keep=007") as played:
        window = played.pages.window(f"{HERE}?keep=007")
        model = Model()
        played.location.sync(model)
        played.location.unsync(model, ["s"])
        assert played.location.search == "?keep=007&i=3"
        model.s = "x"
        model.i = 4
        assert played.location.search == "?keep=007&i=4"
        played.location.unsync(model)
        model.i = 5
        await turn()
        window.read()
        assert window.url == f"{HERE}?keep=007"
        played.location.update_query(i=6)
        assert model.i == 5


@asynchronous
async def test_unsync_of_what_is_not_synced() -> None:
    with playing(HERE) as played:
        model = Model()
        with pytest.raises(ValueError, match="Model is not synced"):
            played.location.unsync(model)
        played.location.sync(model, ["i"])
        with pytest.raises(ValueError, match="not synced with the URL: 's'; of this Model, 'i'"):
            played.location.unsync(model, ["i", "s"])
        assert played.location.search == "?i=3"
        played.location.unsync(model, ["i"])
        with pytest.raises(ValueError, match="Model is not synced"):
            played.location.unsync(model)


@asynchronous
async def test_taken_out_the_traits_are_free() -> None:
    with playing(HERE) as played:
        model = Model()
        played.location.sync(model)
        played.runtime.remove()
        model.i = 9
        assert played.location.query_params["i"] == "3"
        assert not any(
            handlers for kinds in model._trait_notifiers.values() for handlers in kinds.values()
        )


@asynchronous
async def test_a_location_is_not_synced_with_itself() -> None:
    with playing(f"{HERE}?search=x") as played:
        with pytest.raises(ValueError, match="the location is the URL itself; sync another"):
            played.location.sync(played.location)
        assert played.location.search == "?search=x"
