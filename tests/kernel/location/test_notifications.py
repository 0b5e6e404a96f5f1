"""The order in which the observers of a location are notified."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
import traitlets as t

from played_location import asynchronous, playing, turn

HERE = "http://h:8866/a"


class Pair(t.HasTraits):
    a = t.Int()
    b = t.Int()


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
async def test_a_report_before_a_write_of_a_thread_waits_for_the_main_loop() -> None:
    with playing(HERE) as played:
        window = played.pages.window(HERE)
        pair = Pair()
        played.location.sync(pair, ["a"])
        await turn()
        window.read()
        seen: list[tuple[str, bool]] = []

        def note(change: Any) -> None:
            seen.append((change.new, threading.current_thread() is threading.main_thread()))

        played.location.observe(note, "search")
        for target in (
            lambda: window.go(f"{HERE}?a=1"),
            lambda: played.location.update_query(b=2),
            lambda: played.location.update_query(b=3),
        ):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
        assert (seen, pair.a, played.location.search) == ([], 0, "?a=1&b=3")
        await turn()
        assert (seen, pair.a) == ([("?a=1", True), ("?a=1&b=3", True)], 1)


@asynchronous
async def test_a_trait_and_an_observer_of_the_url_that_never_end() -> None:
    with playing(HERE) as played:
        pair = Pair()
        played.location.sync(pair)

        def count(_change: object) -> None:
            pair.b += 1

        played.location.observe(count, "search")
        with pytest.raises(RuntimeError, match="changed the URL 100 times in turn"):
            pair.a = 1
        played.location.unobserve(count, "search")
        assert played.location.query_params == {"a": "1", "b": str(pair.b)}
        pair.a = 2
        assert played.location.query_params == {"a": "2", "b": str(pair.b)}
