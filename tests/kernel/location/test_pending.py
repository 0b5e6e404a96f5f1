"""Values in a URL that a widget cannot take yet."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import ipywidgets as w
import pytest
import traitlets as t

from played_location import asynchronous, playing, turn
from towns import TOWNS, chain, dropdown

HERE = "http://h:8866/a"


class Pair(t.HasTraits):
    a = t.Int()
    b = t.Int()


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
        for widget, value in ((town, "Köln"), (country, "Italy")):
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
