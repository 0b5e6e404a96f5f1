"""A URL that is applied while observers, other threads and late options change the same traits."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import warnings
from typing import Any, ClassVar

import ipywidgets as w
import pytest
import traitlets as t

from nbsession.core.errors import NBSessionWarning
from played_location import asynchronous, playing, turn

HERE = "http://h:8866/a"
TOWNS = {"Germany": ["Berlin", "Köln"], "France": ["Lyon", "Paris"], "Italy": ["Rome"]}
DISTRICTS = {"Berlin": ["Mitte", "Pankow"], "Köln": ["Deutz", "Ehrenfeld"], "Lyon": ["Croix"]}


class Pair(t.HasTraits):
    a = t.Int()
    b = t.Int()


def dropdown(name: str, options: list[str]) -> w.Dropdown:
    return w.Dropdown(description=name, options=options)


def set_towns(country: w.Dropdown, town: w.Dropdown) -> None:
    town.options = TOWNS[country.options[country.index]]


def chain(watched: str = "value") -> tuple[w.Dropdown, w.Dropdown, w.Dropdown]:
    """Return country, town and district, each of which sets the options of the next."""
    country = dropdown("country", list(TOWNS))
    town = dropdown("town", TOWNS["Germany"])
    district = dropdown("district", DISTRICTS["Berlin"])

    def set_districts(_change: object) -> None:
        district.options = DISTRICTS.get(town.options[town.index], ["Centre"])

    country.observe(lambda _: set_towns(country, town), watched)
    town.observe(set_districts, watched)
    return country, town, district


# -- observers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("is_late", [True, False])
@pytest.mark.parametrize("watched", ["value", "label", "index"])
@asynchronous
async def test_back_to_another_country(is_first: bool, is_late: bool, watched: str) -> None:
    with playing(HERE) as played:
        window = played.pages.window(HERE)
        country, town, _ = chain(watched)
        if is_late:  # the observer comes after those of sync
            country.unobserve_all(watched)
            own = {"value": "_propagate_value", "label": "_propagate_label"}
            country.observe(getattr(country, own.get(watched, "_propagate_index")), watched)
        for widget in (country, town) if is_first else (town, country):
            played.location.sync(widget)
        if is_late:
            country.observe(lambda _: set_towns(country, town), watched)
        await turn()
        for widget, value in ((town, "Köln"), (country, "France")):
            widget.value = value
            await turn()
            window.read()
        assert len(window.entries) == 3
        sent = len(played.pages.sent)
        seen = []
        for by in (-1, -1, 1, 1, -1):
            window.step(by)
            await turn()
            seen.append(f"{country.value} {town.value}")
            query = played.location.query_params
            assert query == {"country": country.value, "town": town.value}
        assert seen == [
            "Germany Köln",
            "Germany Berlin",
            "Germany Köln",
            "France Lyon",
            "Germany Köln",
        ]
        assert len(played.pages.sent) == sent, "no link of the history is overwritten"
        assert len(window.entries) == 3


@pytest.mark.parametrize("order", ["012", "021", "102", "120", "201", "210"])
@asynchronous
async def test_three_levels_in_any_order(order: str) -> None:
    link = f"{HERE}?country=France&town=Lyon&district=Croix"
    with playing(f"{HERE}?country=Germany&town=K%C3%B6ln&district=Ehrenfeld") as played:
        window = played.pages.window(played.location.href)
        widgets = chain()
        errors: list[object] = []
        for index in order:
            played.location.sync(widgets[int(index)], on_error=errors.append)
        assert [widget.value for widget in widgets] == ["Germany", "Köln", "Ehrenfeld"]
        window.go(link)
        await turn()
        assert [widget.value for widget in widgets] == ["France", "Lyon", "Croix"]
        window.step(-1)
        await turn()
        assert [widget.value for widget in widgets] == ["Germany", "Köln", "Ehrenfeld"]
        window.read()
        assert window.entries[1] == link
        assert errors == []


@asynchronous
async def test_an_observer_that_insists() -> None:
    with playing(f"{HERE}?a=1&b=2") as played:
        pair = Pair()
        errors: list[object] = []
        counts = []

        def insist(_change: object) -> None:
            counts.append(pair.a)
            pair.b = 7

        pair.observe(insist, "a")
        pair.observe(lambda _: setattr(pair, "b", 7), "b")
        played.location.sync(pair, on_error=errors.append)
        assert (pair.a, pair.b, errors) == (1, 7, [{"b": "2"}])
        assert played.location.search == "?a=1&b=7"
        assert counts == [1]


@asynchronous
async def test_an_observer_of_a_trait_that_the_url_does_not_change() -> None:
    with playing(f"{HERE}?a=1&b=2") as played:
        window = played.pages.window(f"{HERE}?a=1&b=2")
        pair = Pair()
        played.location.sync(pair)
        pair.observe(lambda change: setattr(pair, "b", change.new * 10), "a")
        window.go(f"{HERE}?a=3&b=2")
        await turn()
        assert (pair.a, pair.b, window.unread) == (3, 2, [])
        pair.a = 4
        assert played.location.search == "?a=4&b=40"


@asynchronous
async def test_what_observers_derive_is_written_if_the_url_does_not_name_it() -> None:
    with playing(f"{HERE}?a=1") as played:
        window = played.pages.window(f"{HERE}?a=1")
        pair = Pair()
        pair.observe(lambda change: setattr(pair, "b", change.new * 10), "a")
        played.location.sync(pair)
        assert played.location.search == "?a=1&b=10"
        await turn()
        window.read()
        window.go(f"{HERE}?a=2")
        await turn()
        window.read()
        assert (pair.a, pair.b) == (2, 20)
        assert window.entries == [f"{HERE}?a=1&b=10", f"{HERE}?a=2&b=20"]


@asynchronous
async def test_absent_keys_take_their_start_value_first() -> None:
    with playing(HERE) as played:
        window = played.pages.window(HERE)
        country, town, _ = chain()
        town.value = "Köln"
        played.location.sync(town)  # before the country that gives it its options
        played.location.sync(country)
        country.value = "Italy"
        await turn()
        window.read()
        played.location.search = ""
        assert (country.value, town.value, played.location.search) == ("Germany", "Köln", "")
        played.location.search = "?country=France"
        assert (country.value, town.value) == ("France", "Lyon")
        assert played.location.query_params == {"country": "France", "town": "Lyon"}


@asynchronous
async def test_two_traits_that_limit_each_other() -> None:
    class Range(t.HasTraits):
        low, high = t.Int(0), t.Int(5)

        @t.validate("low", "high")
        def _check(self, proposal: Any) -> int:
            low = proposal.value if proposal.trait.name == "low" else self.low
            high = proposal.value if proposal.trait.name == "high" else self.high
            if not 0 <= high - low <= 10:
                message = "too wide"
                raise t.TraitError(message)
            return int(proposal.value)

    with playing(f"{HERE}?low=100&high=105") as played:
        errors: list[object] = []
        span = Range()
        played.location.sync(span, on_error=errors.append)
        assert (span.low, span.high, errors) == (100, 105, [])
        played.location.update_query(low=0, high=50)
        assert errors == [{"low": "0", "high": "50"}]
        assert (span.low, span.high, played.location.search) == (100, 105, "?low=100&high=105")


@asynchronous
async def test_a_trait_is_set_twice_at_most() -> None:
    class Odd(t.HasTraits):
        n = t.Int(1)
        proposed: ClassVar[list[int]] = []

        @t.validate("n")
        def _check(self, proposal: Any) -> int:
            self.proposed.append(proposal.value)
            if proposal.value % 2 == 0:
                message = "even"
                raise t.TraitError(message)
            return int(proposal.value)

    with playing(f"{HERE}?n=4") as played:
        errors: list[object] = []
        played.location.sync(Odd(), on_error=errors.append)
        assert (Odd.proposed, errors) == ([4, 4], [{"n": "4"}])
        assert played.location.search == "?n=1"


@asynchronous
async def test_what_cannot_be_applied_is_written_as_it_is_without_an_entry() -> None:
    with playing(f"{HERE}?a=1&b=2") as played:
        window = played.pages.window(f"{HERE}?a=1&b=2")
        pair = Pair()
        errors: list[object] = []
        played.location.sync(pair, on_error=errors.append)
        window.go(f"{HERE}?a=x&b=3")
        await turn()
        window.read()
        assert errors == [{"a": "x"}]
        assert window.entries == [f"{HERE}?a=1&b=2", f"{HERE}?a=1&b=3"]


@asynchronous
async def test_on_error_that_sets_the_trait_makes_no_entry() -> None:
    with playing(f"{HERE}?a=1") as played:
        window = played.pages.window(f"{HERE}?a=1")
        pair = Pair()
        played.location.sync(pair, ["a"], on_error=lambda _: setattr(pair, "a", 9))
        window.go(f"{HERE}?a=x")
        await turn()
        window.read()
        assert (pair.a, window.entries) == (9, [f"{HERE}?a=1", f"{HERE}?a=9"])


@asynchronous
async def test_a_widget_that_an_observer_makes_anew() -> None:
    with playing(f"{HERE}?country=France&town=Paris") as played:
        window = played.pages.window(played.location.href)
        made: list[w.Dropdown] = []
        country = dropdown("country", list(TOWNS))

        def make_town(_change: object = None) -> None:
            made.append(dropdown("town", TOWNS[country.value]))
            played.location.sync(made[-1])

        played.location.sync(country)
        make_town()
        country.observe(make_town, "value")
        assert made[-1].value == "Paris"
        window.go(f"{HERE}?country=Germany&town=K%C3%B6ln")
        await turn()
        window.read()
        assert (country.value, made[-1].value) == ("Germany", "Köln")
        assert window.entries[1:] == [f"{HERE}?country=Germany&town=K%C3%B6ln"]


@asynchronous
async def test_an_observer_that_unsyncs() -> None:
    with playing(f"{HERE}?a=1&b=2") as played:
        one, two = Pair(), Pair()
        played.location.sync(one, ["a"])
        played.location.sync(two, ["b"])
        one.observe(lambda _: played.location.unsync(two), "a")
        played.location.search = "?a=3&b=4"
        assert (one.a, two.b, played.location.search) == (3, 2, "?a=3")


@asynchronous
async def test_an_observer_that_writes_the_url() -> None:
    with playing(f"{HERE}?a=1&seen=1") as played:
        window = played.pages.window(f"{HERE}?a=1&seen=1")
        pair = Pair()
        played.location.sync(pair, ["a"])
        pair.observe(lambda change: played.location.update_query(seen=change.new), "a")
        pair.a = 2
        await turn()
        window.read()
        assert window.entries == [f"{HERE}?a={n}&seen={n}" for n in (1, 2)]
        window.step(-1)
        await turn()
        window.read()
        window.go(f"{HERE}?a=3&seen=1", "push")
        await turn()
        window.read()
        assert window.entries == [f"{HERE}?a=1&seen=1", f"{HERE}?a=3&seen=3"]


@asynchronous
async def test_an_observer_of_the_url_that_sets_a_trait_leaves_the_way_forward() -> None:
    with playing(f"{HERE}?a=1") as played:
        window = played.pages.window(f"{HERE}?a=1")
        pair = Pair()
        played.location.sync(pair)
        played.location.observe(lambda _: setattr(pair, "b", pair.a * 10), "search")
        for pair.a in (2, 3):
            await turn()
            window.read()
        assert len(window.entries) == 3
        window.step(-1)
        await turn()
        window.read()
        assert (pair.a, pair.b, len(window.entries)) == (2, 20, 3)


# -- other threads and later callbacks -------------------------------------------------------------


@asynchronous
async def test_another_thread_changes_a_trait_meanwhile() -> None:
    with playing(f"{HERE}?a=1&b=2") as played:
        window = played.pages.window(f"{HERE}?a=1&b=2")
        pair = Pair()
        errors: list[object] = []
        played.location.sync(pair, on_error=errors.append)

        def slow(_change: object) -> None:
            thread = threading.Thread(target=lambda: setattr(pair, "b", 9))
            thread.start()
            thread.join()

        pair.observe(slow, "a")
        window.go(f"{HERE}?a=3&b=4")
        await turn()
        window.read()
        assert (pair.a, pair.b, errors) == (3, 9, [])
        assert window.url == f"{HERE}?a=3&b=9"


@asynchronous
async def test_a_later_callback_makes_a_new_change() -> None:
    with playing(f"{HERE}?a=1&b=2") as played:
        window = played.pages.window(f"{HERE}?a=1&b=2")
        pair = Pair()
        played.location.sync(pair)
        loop = asyncio.get_running_loop()
        pair.observe(lambda change: loop.call_soon(setattr, pair, "b", change.new * 10), "a")
        window.go(f"{HERE}?a=3&b=2")
        assert (pair.b, played.location.search) == (2, "?a=3&b=2")
        await turn()
        window.read()
        assert (pair.b, window.entries) == (
            30,
            [f"{HERE}?a=1&b=2", f"{HERE}?a=3&b=2", f"{HERE}?a=3&b=30"],
        )


@asynchronous
async def test_an_async_observer_makes_a_new_change() -> None:
    with playing(f"{HERE}?a=1&b=2") as played:
        window = played.pages.window(f"{HERE}?a=1&b=2")
        pair = Pair()
        played.location.sync(pair)
        tasks = []

        async def later(value: int) -> None:
            pair.b = value  # in the first step of a task that an observer has begun

        def begin(change: Any) -> None:
            tasks.append(asyncio.get_running_loop().create_task(later(change.new * 10)))

        pair.observe(begin, "a")
        window.go(f"{HERE}?a=3&b=2")
        await asyncio.gather(*tasks)
        assert (pair.b, played.location.search) == (30, "?a=3&b=30")


@asynchronous
async def test_threads_and_a_user_who_goes_back_and_forth() -> None:
    with playing(f"{HERE}?a=0&b=0") as played:
        window = played.pages.window(f"{HERE}?a=0&b=0")
        pair = Pair()
        errors: list[object] = []
        played.location.sync(pair, on_error=errors.append)

        def move() -> None:
            for pair.b in range(1, 300):
                pass

        thread = threading.Thread(target=move)
        thread.start()
        for n in range(100):
            window.go(f"{HERE}?a={n}&b={n}")
            await turn()
            window.read()
        thread.join()
        await turn()
        window.read()
        await turn()
        assert played.location.query_params == {"a": str(pair.a), "b": str(pair.b)}
        assert (played.location.href, errors) == (window.url, [])


# -- values that cannot be taken yet ---------------------------------------------------------------


@asynchronous
async def test_options_that_come_later() -> None:
    with playing(f"{HERE}?town=K%C3%B6ln") as played:
        window = played.pages.window(played.location.href)
        town = dropdown("town", ["…"])
        errors: list[object] = []
        played.location.sync(town, on_error=errors.append)
        town.options = ["still", "…"]
        assert (town.value, played.location.query_params) == ("still", {"town": "Köln"})
        town.options = TOWNS["Germany"]
        assert (town.value, played.location.query_params) == ("Köln", {"town": "Köln"})
        town.options = TOWNS["France"]  # it has been taken, and is not tried again
        assert (town.value, played.location.query_params) == ("Lyon", {"town": "Lyon"})
        await turn()
        window.read()
        assert errors == []


@asynchronous
async def test_options_that_come_in_a_later_callback_on_the_way_back() -> None:
    with playing(HERE) as played:
        window = played.pages.window(HERE)
        country, town, _ = chain()
        country.unobserve_all("value")
        country.observe(country._propagate_value, "value")
        loop = asyncio.get_running_loop()

        def load(_change: object) -> None:
            loop.call_soon(setattr, town, "options", TOWNS[country.value])

        country.observe(load, "value")
        played.location.sync(country)
        played.location.sync(town)
        await turn()
        for widget, value in ((town, "Köln"), (country, "France")):
            widget.value = value
            await turn()
            window.read()
        entries = list(window.entries)
        window.step(-1 - (len(entries) - 3))
        await turn()
        await turn()
        window.read()
        assert (country.value, town.value) == ("Germany", "Köln")
        assert window.entries == entries


@pytest.mark.parametrize("kind", [w.Dropdown, w.Select, w.RadioButtons, w.ToggleButtons])
@asynchronous
async def test_the_user_chooses_while_a_value_is_pending(kind: Any) -> None:
    with playing(f"{HERE}?n=z") as played:
        widget = kind(options=["a", "b"], description="n")
        played.location.sync(widget)
        widget.value = "b"
        assert played.location.search == "?n=b"
        widget.options = ["y", "z"]
        assert (widget.value, played.location.search) == ("y", "?n=y")


@asynchronous
async def test_the_url_changes_while_a_value_is_pending() -> None:
    with playing(f"{HERE}?n=z") as played:
        widget = dropdown("n", ["a", "b"])
        played.location.sync(widget)
        played.location.search = "?n=b"
        widget.options = ["y", "z", "b"]
        assert (widget.value, played.location.search) == ("y", "?n=y")


@asynchronous
async def test_another_key_changes_while_a_value_is_pending() -> None:
    with playing(f"{HERE}?n=z&m=1") as played:
        widget, pair = dropdown("n", ["a", "b"]), Pair()
        played.location.sync(widget)
        played.location.sync(pair, {"a": "m"})
        pair.a = 2
        played.location.update_query(m=3)
        assert played.location.search == "?n=z&m=3"
        widget.options = ["y", "z"]
        assert (widget.value, pair.a) == ("z", 3)


@asynchronous
async def test_unsync_while_a_value_is_pending() -> None:
    with playing(f"{HERE}?n=z") as played:
        widget = dropdown("n", ["a", "b"])
        played.location.sync(widget)
        played.location.unsync(widget)
        widget.options = ["y", "z"]
        assert (widget.value, played.location.search) == ("y", "")


@pytest.mark.parametrize(
    ("widget", "limit", "text"),
    [
        (w.SelectMultiple(options=["a"]), {"options": ["a", "b"]}, '["a","b"]'),
        (w.SelectionRangeSlider(options=["a", "c"]), {"options": ["a", "b", "c"]}, '["a","b"]'),
        (w.SelectionSlider(options=["a"]), {"options": ["a", "b"]}, "b"),
        (w.Combobox(options=["a"], ensure_option=True), {"options": ["a", "b"]}, "b"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, w.Widget) else "",
)
@asynchronous
async def test_labels_that_come_later(widget: Any, limit: dict[str, Any], text: str) -> None:
    with playing(f"{HERE}?n={text}") as played:
        played.location.sync(widget, {"value": "n"})
        assert played.location.query_params["n"] == text
        for name, value in limit.items():
            setattr(widget, name, value)
        chosen = widget.value
        assert (list(chosen) if isinstance(chosen, tuple) else chosen) == (
            ["a", "b"] if text[0] == "[" else "b"
        )
        assert played.location.query_params["n"] == text
        played.location.unsync(widget)


@pytest.mark.parametrize("kind", [w.Tab, w.Accordion, w.Stack])
@pytest.mark.parametrize("count", [0, 1])
@asynchronous
async def test_tabs_that_come_later(kind: Any, count: int) -> None:
    with playing(f"{HERE}?tab=2") as played:
        widget = kind([w.Button() for _ in range(count)])
        played.location.sync(widget, {"selected_index": "tab"})
        assert played.location.search == "?tab=2"
        widget.children = [w.Button(), w.Button()]
        assert played.location.search == "?tab=2"
        widget.titles = ["a", "b"]
        widget.children = [w.Button() for _ in range(3)]
        assert (widget.selected_index, played.location.search) == (2, "?tab=2")
        widget.selected_index = 1
        assert played.location.search == "?tab=1"


@asynchronous
async def test_an_index_beyond_the_options() -> None:
    with playing(f"{HERE}?i=3&many=[0,2]") as played:
        one = w.Dropdown(options=["a"])
        many = w.SelectMultiple(options=["a"])
        played.location.sync(one, {"index": "i"})
        played.location.sync(many, {"index": "many"})
        one.options = many.options = ["a", "b", "c", "d"]
        assert (one.value, many.value) == ("d", ("a", "c"))
        assert played.location.query_params == {"i": "3", "many": "[0,2]"}


@asynchronous
async def test_an_index_below_zero_is_never_pending() -> None:
    with playing(f"{HERE}?i=-1") as played:
        errors: list[object] = []
        one = w.Dropdown(options=["a"])
        played.location.sync(one, {"index": "i"}, on_error=errors.append)
        assert (errors, played.location.search) == ([{"index": "-1"}], "?i=0")


@asynchronous
async def test_a_number_beyond_the_maximum() -> None:
    with playing(f"{HERE}?n=500") as played:
        errors: list[object] = []
        slider = w.IntSlider(5, max=100, description="n")
        played.location.sync(slider, on_error=errors.append)
        assert (slider.value, played.location.search) == (100, "?n=500")
        slider.max = 50  # it lowers its own value, before it has the new maximum
        assert (slider.value, played.location.search) == (50, "?n=500")
        slider.max = 200
        assert (slider.value, played.location.search) == (200, "?n=500")
        slider.max = 1000
        assert (slider.value, played.location.search) == (500, "?n=500")
        slider.max = 300
        assert (slider.value, played.location.search) == (300, "?n=300")
        assert errors == []


@asynchronous
async def test_the_user_moves_a_slider_whose_value_is_pending() -> None:
    with playing(f"{HERE}?n=500") as played:
        slider = w.IntSlider(5, max=100, description="n")
        played.location.sync(slider)
        slider.set_state({"value": 50})
        assert played.location.search == "?n=50"
        slider.max = 1000
        assert (slider.value, played.location.search) == (50, "?n=50")


@pytest.mark.parametrize(
    ("widget", "text", "shown", "limits"),
    [
        (w.IntSlider(5, min=0), "-7", 0, {"min": -10}),
        (w.FloatSlider(5), "200.5", 100, {"max": 300}),
        (w.BoundedIntText(5), "200", 100, {"max": 300}),
        (w.BoundedFloatText(5), "-2.5", 0, {"min": -3}),
        (w.FloatLogSlider(5.0), "100000.0", 10_000, {"max": 6}),
        (w.FloatLogSlider(5.0), "100000.0", 10_000, {"base": 20}),
        (w.IntRangeSlider(value=(1, 5)), "[5,200]", (5, 100), {"max": 300}),
        (w.FloatRangeSlider(value=(1, 5)), "[-5.5,50.0]", (0, 50), {"min": -10}),
        (w.IntProgress(5), "200", 100, {"max": 300}),
        (w.Play(value=5), "200", 100, {"max": 300}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, w.Widget) else "",
)
@asynchronous
async def test_numbers_beyond_their_limits(
    widget: Any, text: str, shown: Any, limits: dict[str, Any]
) -> None:
    with playing(f"{HERE}?n={text}") as played:
        errors: list[object] = []
        played.location.sync(widget, {"value": "n"}, on_error=errors.append)
        assert (widget.value, played.location.query_params["n"], errors) == (shown, text, [])
        for name, value in limits.items():
            setattr(widget, name, value)
        assert str(widget.value).replace(" ", "").replace("(", "[").replace(")", "]") == text
        assert played.location.query_params["n"] == text
        played.location.unsync(widget)


@asynchronous
async def test_a_date_beyond_the_maximum() -> None:
    with playing(f"{HERE}?day=2026-05-01") as played:
        picker = w.DatePicker(description="day", max=dt.date(2026, 1, 1))
        played.location.sync(picker)
        assert (str(picker.value), played.location.search) == ("2026-01-01", "?day=2026-05-01")
        picker.max = None
        assert (str(picker.value), played.location.search) == ("2026-05-01", "?day=2026-05-01")


@pytest.mark.parametrize("text", ["x", "1.5", ""])
@asynchronous
async def test_text_of_the_wrong_type_is_never_pending(text: str) -> None:
    with playing(f"{HERE}?n={text}") as played:
        errors: list[object] = []
        slider = w.IntSlider(5, description="n")
        played.location.sync(slider, on_error=errors.append)
        assert (errors, played.location.search) == ([{"value": text}], "?n=5")
        slider.max = 500
        assert errors == [{"value": text}]


@asynchronous
async def test_a_fixed_limit_is_no_pending() -> None:
    class Fixed(t.HasTraits):
        n = t.Int(5, max=10)

    with playing(f"{HERE}?n=50") as played:
        errors: list[object] = []
        played.location.sync(Fixed(), on_error=errors.append)
        assert (errors, played.location.search) == ([{"n": "50"}], "?n=5")


@asynchronous
async def test_a_clamp_of_the_object_itself_is_told() -> None:
    class Clamping(t.HasTraits):
        n = t.Int(5)

        @t.validate("n")
        def _clamp(self, proposal: Any) -> int:
            return min(10, int(proposal.value))

    with playing(f"{HERE}?n=50") as played:
        errors: list[object] = []
        played.location.sync(Clamping(), on_error=errors.append)
        assert (errors, played.location.search) == ([{"n": "50"}], "?n=10")


@asynchronous
async def test_an_object_that_spells_its_text_otherwise() -> None:
    class Lower(t.HasTraits):
        s = t.Unicode()

        @t.validate("s")
        def _lower(self, proposal: Any) -> str:
            return str(proposal.value).lower()

    with playing(f"{HERE}?s=ABC") as played:
        errors: list[object] = []
        lower = Lower()
        played.location.sync(lower, on_error=errors.append)
        assert (lower.s, errors, played.location.search) == ("abc", [], "?s=abc")
        played.location.search = "?s=DEF"
        assert (lower.s, errors, played.location.search) == ("def", [], "?s=def")


@asynchronous
async def test_options_that_come_from_a_thread() -> None:
    with playing(f"{HERE}?n=z") as played:
        widget = dropdown("n", ["a"])
        played.location.sync(widget)
        await asyncio.to_thread(setattr, widget, "options", ["y", "z"])
        assert (widget.value, played.location.search) == ("z", "?n=z")


@asynchronous
async def test_observers_of_a_pending_value_that_comes_leave_the_other_keys() -> None:
    with playing(f"{HERE}?town=K%C3%B6ln&district=Deutz") as played:
        _, town, district = chain()
        town.options = ["…"]
        played.location.sync(town)
        played.location.sync(district)
        town.options = TOWNS["Germany"]
        assert (town.value, district.value) == ("Köln", "Deutz")
        assert played.location.query_params == {"town": "Köln", "district": "Deutz"}


@asynchronous
async def test_nothing_observes_once_nothing_is_pending() -> None:
    with playing(f"{HERE}?n=z") as played:
        widget = dropdown("n", ["a"])
        before = len(widget._trait_notifiers["options"]["change"])
        played.location.sync(widget)
        assert len(widget._trait_notifiers["options"]["change"]) == before + 1
        widget.options = ["z"]
        assert len(widget._trait_notifiers["options"]["change"]) == before


# -- the order of notifications --------------------------------------------------------------------


@asynchronous
async def test_a_change_within_a_change_waits_its_turn() -> None:
    with playing(HERE) as played:
        location = played.location
        seen: list[tuple[str, str, str]] = []

        def write(change: Any) -> None:
            if change.new == "?a":
                location.search = "?b"
                location.search = "?c"

        def note(change: Any) -> None:
            seen.append((change.old, change.new, location.search))

        def seen_again(change: Any) -> None:
            note(change)

        for handler in (note, write, seen_again):
            location.observe(handler, "search")
        location.search = "?a"
        assert [new for _, new, _ in seen] == ["?a", "?a", "?b", "?b", "?c", "?c"]
        assert [old for old, _, _ in seen[::2]] == ["", "?a", "?b"]
        assert seen[-1] == ("?b", "?c", "?c")


@asynchronous
async def test_an_observer_that_never_ends() -> None:
    with playing(HERE) as played:
        location = played.location
        seen: list[str] = []

        def count(change: Any) -> None:
            seen.append(change.new)
            location.search = f"?n={len(seen)}"

        location.observe(count, "search")
        with pytest.raises(RuntimeError, match="changed the URL 100 times in turn"):
            location.search = "?n=0"
        assert len(seen) == 100
        location.unobserve(count, "search")
        location.observe(lambda change: seen.append(change.new), "search")
        location.search = "?end"
        assert seen[100:] == ["?end"]


@asynchronous
async def test_two_observers_that_never_end() -> None:
    with playing(HERE) as played:
        location = played.location
        numbers = iter(range(10_000_000))
        for _ in range(2):
            location.observe(lambda _: location.update_query(n=next(numbers)), "search")
        with pytest.raises(RuntimeError, match="changed the URL"):
            location.search = "?n"


@asynchronous
async def test_a_page_whose_observer_never_ends(capsys: Any) -> None:
    with playing(HERE) as played:
        window = played.pages.window(HERE)
        numbers = iter(range(10_000))
        played.location.observe(lambda _: played.location.update_query(n=next(numbers)), "search")
        window.go(f"{HERE}?a")
        assert "RuntimeError: observers have changed the URL" in capsys.readouterr().err


@asynchronous
async def test_a_trait_that_an_observer_of_the_url_sets() -> None:
    with playing(HERE) as played:
        pair = Pair()
        played.location.sync(pair)
        seen: list[str] = []
        played.location.observe(lambda _: setattr(pair, "b", pair.a * 2), "search")
        played.location.observe(lambda change: seen.append(change.new), "search")
        pair.a = 3
        assert seen == ["?a=3&b=0", "?a=3&b=6"]
        played.location.search = "?a=4&b=6"
        assert (pair.a, pair.b, seen[-1]) == (4, 8, "?a=4&b=8")


@asynchronous
async def test_the_last_notification_is_the_url_with_many_threads() -> None:
    with playing(HERE) as played:
        seen: list[str] = []
        pause = threading.Event()

        def slow(change: Any) -> None:
            pause.wait(0.001)
            seen.append(change.new)

        played.location.observe(slow, "search")

        def write(key: str) -> None:
            for n in range(200):
                played.location.update_query({key: n})

        await asyncio.gather(*(asyncio.to_thread(write, key) for key in "abcd"))
        assert seen[-1] == played.location.search
        assert played.location.query_params == dict.fromkeys("abcd", "199")


@asynchronous
async def test_a_report_and_a_write_are_notified_in_order() -> None:
    with playing(HERE) as played:
        window = played.pages.window(HERE)
        seen: list[str] = []
        played.location.observe(lambda change: seen.append(change.new), "search")
        subshell = threading.Thread(target=window.go, args=(f"{HERE}?a=1",))
        subshell.start()
        subshell.join()  # the loop has no turn meanwhile, as in a cell
        played.location.update_query(b=2)
        await turn()
        assert seen == ["?a=1", "?a=1&b=2"]


@asynchronous
async def test_warnings_of_the_default_report() -> None:
    with playing(f"{HERE}?a=x") as played:
        with pytest.warns(NBSessionWarning, match="cannot be applied: a = 'x'"):
            played.location.sync(Pair())
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            played.location.sync(w.IntSlider(5, description="n"))
            played.location.search = "?n=500"
