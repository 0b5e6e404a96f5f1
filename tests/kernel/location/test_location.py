"""The URL as traits: what Python writes, what pages report, and which of the two counts."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from traitlets import HasTraits, TraitError, Unicode, link

from nbsession.kernel.location.url import PageUrl
from played_location import PARTS, URL, asynchronous, parts_of, playing, turn

# -- reading -----------------------------------------------------------------------------------


@asynchronous
async def test_empty_without_a_server() -> None:
    with playing() as played:
        location = played.location
        assert parts_of(location) == [""] * 8
        assert (location.query, location.query_params, location.reload) == ({}, {}, False)
        location.pathname, location.search, location.hash_ = "/a", "?b=1", "#c"
        assert location.href == "/a?b=1#c"
        assert played.pages.sent == []


@asynchronous
async def test_filled_from_the_request() -> None:
    with playing("https://[::1]:8888/a/b?c=%20&d") as played:
        assert parts_of(played.location) == [
            "https://[::1]:8888/a/b?c=%20&d",
            "https://[::1]:8888",
            "https:",
            "[::1]",
            "8888",
            "/a/b",
            "?c=%20&d",
            "",
        ]
        assert played.pages.opened == 1


@asynchronous
async def test_a_page_reports() -> None:
    with playing() as played:
        changes: list[Any] = []
        played.location.observe(changes.append)
        window = played.pages.window(f"{URL}#part")
        assert parts_of(played.location) == [
            f"{URL}#part",
            "http://h:8866",
            "http:",
            "h",
            "8866",
            "/app/render/a.ipynb",
            "?id=007&x=",
            "#part",
        ]
        assert {change.name for change in changes} == set(PARTS)
        changes.clear()
        window.go("http://h:8866/app/render/a.ipynb?id=007&x=#other")
        assert [(c.name, c.old, c.new) for c in changes] == [
            ("hash_", "#part", "#other"),
            ("href", f"{URL}#part", f"{URL}#other"),
        ]
        assert played.pages.sent == []


@asynchronous
async def test_what_a_hub_counts_is_in_no_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    with playing(URL) as played:
        window = played.pages.window("http://h:8866/app?redirects=1&id=7&x=%20#part")
        assert played.location.search == "?id=7&x=%20"
        window.read()
        assert window.url == "http://h:8866/app?id=7&x=%20#part", "the address bar has lost it too"
        await turn()
        played.location.update_query(id=8)
        await turn()
        window.read()
        assert window.url == "http://h:8866/app?id=8&x=%20#part"


@asynchronous
async def test_without_a_hub_it_is_an_argument_like_any_other() -> None:
    with playing(URL) as played:
        played.pages.window("http://h:8866/app?redirects=1")
        assert played.location.query_params == {"redirects": "1"}
        assert played.pages.sent == []


@asynchronous
async def test_observers_see_all_parts_new() -> None:
    with playing(URL) as played:
        seen = []
        played.location.observe(lambda _: seen.append(parts_of(played.location)))
        played.pages.window("http://h:8866/other?a=1#b")
        played.location.search = "?a=2"
        assert {tuple(parts[-3:]) for parts in seen} == {
            ("/other", "?a=1", "#b"),
            ("/other", "?a=2", "#b"),
        }


@asynchronous
async def test_an_observer_that_raises_keeps_nothing_from_the_others(capsys: Any) -> None:
    with playing(URL) as played:
        seen: list[Any] = []
        played.location.observe(lambda _: 1 / 0, "search")
        played.location.observe(seen.append, "search")
        played.pages.window("http://h:8866/?a=1")
        played.location.search = "?a=2"
        assert [change.new for change in seen] == ["?a=1", "?a=2"]
        assert capsys.readouterr().err.count("ZeroDivisionError") == 2
        played.location.unobserve(seen.append, "search")
        played.location.search = "?a=3"
        assert len(seen) == 2


@asynchronous
async def test_queries() -> None:
    with playing(f"{URL}&n=1&n=2&zip=²&bad=%zz&ö=%C3%B6+") as played:
        assert played.location.query == {
            "id": ["007"],
            "x": [""],
            "n": ["1", "2"],
            "zip": ["²"],
            "bad": ["%zz"],
            "ö": ["ö "],
        }
        assert played.location.query_params["n"] == "2"


@asynchronous
async def test_a_report_with_half_a_character() -> None:
    with playing() as played:
        played.pages.window("http://h/\ud800?a=\udfff")
        assert (played.location.pathname, played.location.search) == ("/?", "?a=?")


def test_page_url_of_an_iframe() -> None:
    report = {"protocol": "about:", "pathname": "srcdoc", "origin": "null", "port": 3}
    assert PageUrl.from_report(report).href == "about:srcdoc"


# -- writing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "value", "problem"),
    [
        ("search", "a=1", r"has to start with '\?'"),
        ("search", "?a#b", "ends where '#' begins; write %23"),
        ("search", "?a\nb", "cannot hold"),
        ("search", "?\ud800", "cannot hold"),
        ("hash_", "x", "has to start with '#'"),
        ("hash_", "#\x00", "cannot hold"),
        ("pathname", "a/b", "has to start with '/'"),
        ("pathname", "javascript:alert(1)", "has to start with '/'"),
        ("pathname", "http://evil/", "has to start with '/'"),
        ("pathname", "//evil/", "a path on this server"),
        ("pathname", "/\\evil", "a path on this server"),
        ("pathname", "/\t/evil", "cannot hold"),
        ("pathname", "/a?b", "ends where"),
        ("pathname", "/a#b", "ends where"),
        ("search", None, "expected a unicode string"),
        ("search", 3, "expected a unicode string"),
        ("reload", "yes", "boolean"),
    ],
)
@asynchronous
async def test_refused(part: str, value: object, problem: str) -> None:
    with playing(URL) as played:
        played.pages.window(URL)
        with pytest.raises(TraitError, match=problem):
            setattr(played.location, part, value)
        assert played.location.href == URL
        assert played.pages.sent == []


@pytest.mark.parametrize("part", ["href", "origin", "protocol", "hostname", "port"])
@asynchronous
async def test_read_only(part: str) -> None:
    with playing(URL) as played:
        with pytest.raises(TraitError, match="read-only"):
            setattr(played.location, part, "x")
        assert played.location.href == URL


@pytest.mark.parametrize(
    ("part", "value", "href"),
    [
        ("search", "", "http://h:8866/app/render/a.ipynb"),
        ("search", "?", "http://h:8866/app/render/a.ipynb"),
        ("search", "?q=a b", "http://h:8866/app/render/a.ipynb?q=a b"),
        ("search", "?" + "x" * 100_000, "http://h:8866/app/render/a.ipynb?" + "x" * 100_000),
        ("hash_", "#a?b#c", f"{URL}#a?b#c"),
        ("pathname", "/[(*+", "http://h:8866/[(*+?id=007&x="),
        ("pathname", "", "http://h:8866?id=007&x="),
        ("pathname", "srcdoc", "http://h:8866srcdoc?id=007&x="),
    ],
)
@asynchronous
async def test_written(part: str, value: str, href: str) -> None:
    with playing(URL) as played:
        played.pages.window(URL)
        setattr(played.location, part, value)
        assert played.location.href == href
        assert played.pages.sent == [
            {
                "kind": "navigate",
                "parts": {part.strip("_"): value if value != "?" else ""},
                "history": "push",
                "reload": False,
            }
        ]


@asynchronous
async def test_what_is_written_comes_back_as_no_change() -> None:
    with playing(URL) as played:
        window = played.pages.window(URL)
        changes: list[Any] = []
        played.location.observe(changes.append, "search")
        for n in range(3):
            played.location.search = f"?n={n}"
            await turn()
        window.read()
        assert window.entries == [URL, *(f"http://h:8866/app/render/a.ipynb?n={n}" for n in "012")]
        assert [change.new for change in changes] == ["?n=0", "?n=1", "?n=2"]
        window.step(-2)
        assert played.location.search == "?n=0"
        await turn()
        assert len(played.pages.sent) == 3


@asynchronous
async def test_a_turn_makes_one_entry() -> None:
    with playing(URL) as played:
        window = played.pages.window(URL)
        location = played.location
        location.search, location.hash_, location.pathname = "?a", "#b", "/c"
        assert len(played.pages.sent) == 1
        await turn()
        assert [(m["parts"], m["history"]) for m in played.pages.sent] == [
            ({"search": "?a"}, "push"),
            ({"pathname": "/c", "search": "?a", "hash": "#b"}, "replace"),
        ]
        window.read()
        assert window.entries == [URL, "http://h:8866/c?a#b"]


@asynchronous
async def test_what_a_cell_holds_up_is_sent_all_the_same() -> None:
    with playing(URL) as played:
        played.pages.window(URL)
        played.location.search, played.location.hash_ = "?a", "#b"
        deadline = threading.Event()
        for _ in range(100):  # the loop has no turn in all this time
            if len(played.pages.sent) == 2:
                break
            deadline.wait(0.05)
        assert played.pages.sent[1]["parts"] == {"search": "?a", "hash": "#b"}
        await turn()
        assert len(played.pages.sent) == 2


@asynchronous
async def test_the_same_again_is_not_sent() -> None:
    with playing(URL) as played:
        played.pages.window(URL)
        played.location.search = "?id=007&x="
        played.location.update_query(id="007")
        await turn()
        assert played.pages.sent == []


@asynchronous
async def test_reload_sends_a_turn_together() -> None:
    with playing(URL) as played:
        window = played.pages.window(URL)
        played.location.reload = True
        played.location.pathname, played.location.search = "/b", "?c"
        await turn()
        window.read()
        assert (window.loads, window.url) == (1, "http://h:8866/b?c")


@asynchronous
async def test_held_notifications() -> None:
    with playing(URL) as played:
        changes: list[Any] = []
        played.location.observe(changes.append)
        with played.location.hold_trait_notifications():
            played.location.search, played.location.hash_ = "?a", "#b"
            assert changes == []
        assert {c.name: c.new for c in changes} == {
            "search": "?a",
            "hash_": "#b",
            "href": "http://h:8866/app/render/a.ipynb?a#b",
        }


@asynchronous
async def test_link() -> None:
    class Text(HasTraits):
        value = Unicode()

    with playing(URL) as played:
        text = Text()
        link((played.location, "search"), (text, "value")).unlink()
        linked = link((played.location, "search"), (text, "value"))
        text.value = "?a"
        assert played.location.search == "?a"
        played.pages.window("http://h/?b").go("http://h/?c")
        assert text.value == "?a"  # what was written before the page came is for the page
        linked.unlink()


@asynchronous
async def test_from_a_thread() -> None:
    with playing(URL) as played:
        window = played.pages.window(URL)

        def write() -> None:
            for n in range(50):
                played.location.update_query(n=n)

        await asyncio.to_thread(write)
        await turn()
        window.read()
        assert window.url == f"{URL}&n=49"
        assert played.location.href == window.url


# -- before a page, and with several -------------------------------------------------------------


@asynchronous
async def test_written_before_a_page_comes() -> None:
    with playing() as played:
        played.location.hash_ = "#there"
        played.location.update_query(a=1)
        window = played.pages.window(URL)
        assert played.location.href == f"{URL}&a=1#there"
        window.read()
        assert window.url == f"{URL}&a=1#there"
        assert len(played.pages.sent) == 1


@asynchronous
async def test_a_search_written_before_a_page_comes() -> None:
    with playing() as played:
        played.location.search = "?a=1"
        played.location.update_query(b=2)
        window = played.pages.window(URL)
        window.read()
        assert played.location.search == "?a=1&b=2"


@asynchronous
async def test_two_windows() -> None:
    with playing() as played:
        one = played.pages.window("http://h/?n=1", "one")
        two = played.pages.window("http://h/?n=2", "two")
        assert played.location.search == "?n=2"
        one.focus()
        assert played.location.search == "?n=1"
        played.location.search = "?n=3"
        one.read()
        assert (one.url, two.url) == ("http://h/?n=3", "http://h/?n=2")
        one.close()
        assert played.location.search == "?n=2"
        await turn()
        assert len(played.pages.sent) == 1


@asynchronous
async def test_a_page_that_does_not_know_the_query() -> None:
    """In JupyterLab after a reload, if the URL names another notebook, or in a tab opened again."""
    with playing("http://h/lab/tree/a.ipynb?n=1") as played:
        changes: list[Any] = []
        one = played.pages.window("http://h/lab/tree/a.ipynb?n=1", "one")
        played.location.search, played.location.hash_ = "?n=2", "#x"
        await turn()
        one.read()
        one.close()
        played.location.observe(changes.append)
        two = played.pages.window("http://h/lab/tree/b.ipynb", "two", knows=False)
        assert played.location.href == "http://h/lab/tree/b.ipynb?n=2#x"
        assert {change.name for change in changes} == {"pathname", "href"}
        two.read()
        assert two.entries == ["http://h/lab/tree/b.ipynb?n=2#x"]
        two.focus()
        await turn()
        assert two.unread == []

        played.location.search = "?n=3"  # the tab is closed, and the window is still there
        await turn()
        two.read()
        two.knows_query = False
        two.go("http://h/lab/tree/b.ipynb", "replace")
        assert played.location.search == "?n=3"
        two.read()
        assert two.url == "http://h/lab/tree/b.ipynb?n=3#x"


@asynchronous
async def test_a_first_page_that_does_not_know_the_query() -> None:
    with playing() as played:
        window = played.pages.window("http://h/lab?n=1", knows=False)
        assert played.location.search == "?n=1"
        played.location.search = "?n=2"
        window.read()
        assert window.url == "http://h/lab?n=2"


@asynchronous
async def test_ready() -> None:
    with playing() as played:
        await played.location.ready()


@asynchronous
async def test_nothing_is_left() -> None:
    with playing(URL) as played:
        window = played.pages.window(URL)
        played.runtime.remove()
        assert played.pages.subscriber_count == 0
        window.go("http://h/later")
        assert played.location.href == URL


# -- update_query ------------------------------------------------------------------------------


@asynchronous
async def test_update_query() -> None:
    with playing(f"{URL}&n=1&n=2&m=%zz") as played:
        window = played.pages.window(f"{URL}&n=1&n=2&m=%zz")
        update = played.location.update_query
        for given, params, search in (
            (None, {"a": 1}, "?id=007&x=&n=1&n=2&m=%zz&a=1"),
            (None, {"n": 3, "a": None}, "?id=007&x=&n=3&m=%zz"),
            ({"n": ["a b", "ö&"]}, {}, "?id=007&x=&n=a+b&n=%C3%B6%26&m=%zz"),
            ({"n": 1, "b": True}, {"n": 2}, "?id=007&x=&n=2&m=%zz&b=true"),
            ({"history": "x", "b": []}, {"n": (1, 5)}, "?id=007&x=&n=%5B1%2C5%5D&m=%zz&history=x"),
        ):
            update(given, **params)
            await turn()
            assert played.location.search == search
        window.read()
        assert window.url == f"http://h:8866/app/render/a.ipynb{search}"
        assert len(window.entries) == 6
        update(history="replace", n=None)
        window.read()
        assert len(window.entries) == 6


@asynchronous
async def test_update_query_refuses() -> None:
    with playing(URL) as played:
        for given, error in (
            (lambda: played.location.update_query(history="pop"), ValueError),  # type: ignore[arg-type]
            (lambda: played.location.update_query(a=object()), TypeError),
            (lambda: played.location.update_query({3: 4}), TypeError),  # type: ignore[dict-item]
            (lambda: played.location.update_query(0), TypeError),  # type: ignore[arg-type]
            (lambda: played.location.update_query(a="\ud800"), ValueError),
            (lambda: played.location.update_query(a=1, b=[None]), TypeError),
        ):
            with pytest.raises(error):
                given()
        assert played.location.href == URL


@pytest.mark.parametrize("given", [5, "a=1", "", [("a", 1)]])
@asynchronous
async def test_update_query_says_how_it_is_called(given: Any) -> None:
    with playing(URL) as played:
        says = r"takes a mapping or keywords, got (int|str|list): .*; write update_query\(a=1\)$"
        with pytest.raises(TypeError, match=says):
            played.location.update_query(given)


# -- what cannot be set --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["href", "origin", "protocol", "hostname", "port"])
@asynchronous
async def test_read_only_parts_name_those_that_can_be_set(name: str) -> None:
    with playing(URL) as played:
        says = f"^Location.{name} is read-only: what can be set is pathname, search and hash_;"
        with pytest.raises(TraitError, match=says):
            setattr(played.location, name, "https://example.org/")
        assert played.location.href == URL


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("hash", r"location\.hash cannot be set: the fragment is hash_"),
        ("query", r"location\.query cannot be set: change it by update_query"),
        ("query_params", r"location\.query_params cannot be set: change it by update_query"),
    ],
)
@asynchronous
async def test_slips_of_names(name: str, says: str) -> None:
    with playing(URL) as played:
        with pytest.raises(AttributeError, match=says):
            setattr(played.location, name, "#x")
        assert played.location.href == URL
