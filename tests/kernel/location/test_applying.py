"""A URL that is applied while observers, other threads and late options change the same traits."""

from __future__ import annotations

import asyncio
import threading
import warnings
from typing import Any, ClassVar

import ipywidgets as w
import pytest
import traitlets as t
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbsession.core.errors import NBSessionWarning
from played_location import asynchronous, playing, turn
from towns import TOWNS, chain, dropdown, set_towns

HERE = "http://h:8866/a"


class Pair(t.HasTraits):
    a = t.Int()
    b = t.Int()


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


@pytest.mark.parametrize("order", ["012", "021", "102", "120", "201", "210"])
@pytest.mark.parametrize(
    ("link", "values"),
    [
        ("?country=France", ["France", "Lyon", "Croix"]),
        ("?country=France&district=Croix", ["France", "Lyon", "Croix"]),
        ("?country=France&town=Paris", ["France", "Paris", "Centre"]),
        ("?town=K%C3%B6ln", ["Germany", "Köln", "Deutz"]),
    ],
)
@asynchronous
async def test_a_link_that_names_some_levels(order: str, link: str, values: list[str]) -> None:
    with playing(HERE + link) as played:
        window = played.pages.window(HERE + link)
        widgets = chain()
        errors: list[object] = []
        for index in order:
            played.location.sync(widgets[int(index)], on_error=errors.append)
        await turn()
        window.read()
        assert [widget.value for widget in widgets] == values
        query = played.location.query_params
        assert query == {"country": values[0], "town": values[1], "district": values[2]}
        assert errors == []
        assert len(window.entries) == 1


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


class Walk:
    """A visitor who chooses, and goes back and forth, at random."""

    def __init__(self, played: Any, window: Any, order: str, watched: str, late: bool) -> None:
        self.played, self.window = played, window
        self.country = dropdown("country", list(TOWNS))
        self.town = dropdown("town", TOWNS["Germany"])
        widgets = [self.country, self.town]
        if not late:
            self.country.observe(self.set_towns, watched)
        for widget in widgets if order == "country first" else reversed(widgets):
            played.location.sync(widget)
        if late:
            self.country.observe(self.set_towns, watched)
        self.shown = {0: self.state()}

    def set_towns(self, _change: object) -> None:
        self.town.options = TOWNS[self.country.label]

    def state(self) -> tuple[str, str, dict[str, str]]:
        return self.country.label, self.town.label, self.played.location.query_params

    async def choose(self, widget: w.Dropdown, number: int) -> None:
        widget.set_state({"index": number % len(widget.options)})
        await turn()
        self.window.read()
        self.shown[self.window.at] = self.state()
        self.shown = {
            at: shown for at, shown in self.shown.items() if at < len(self.window.entries)
        }

    async def go(self, number: int) -> None:
        self.window.step(number % len(self.window.entries) - self.window.at)
        await turn()
        self.window.read()
        assert self.state() == self.shown[self.window.at], self.window.entries


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    order=st.sampled_from(["country first", "town first"]),
    watched=st.sampled_from(["value", "label", "index"]),
    late=st.booleans(),
    steps=st.lists(
        st.tuples(st.sampled_from(["country", "town", "go"]), st.integers(0, 9)),
        min_size=3,
        max_size=15,
    ),
)
def test_each_entry_of_the_history_stays_what_it_was(
    order: str, watched: str, late: bool, steps: list[tuple[str, int]]
) -> None:
    async def main() -> None:
        with playing(HERE) as played:
            window = played.pages.window(HERE)
            walk = Walk(played, window, order, watched, late)
            await turn()
            window.read()
            walk.shown = {0: walk.state()}
            for what, number in steps:
                if what == "go":
                    await walk.go(number)
                else:
                    await walk.choose(getattr(walk, what), number)

    asyncio.run(main())


@asynchronous
async def test_warnings_of_the_default_report() -> None:
    with playing(f"{HERE}?a=x") as played:
        with pytest.warns(NBSessionWarning, match="cannot be applied: a = 'x'"):
            played.location.sync(Pair())
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            played.location.sync(w.IntSlider(5, description="n"))
            played.location.search = "?n=500"
