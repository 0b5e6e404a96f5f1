"""Tables for a terminal."""

from __future__ import annotations

from nbsession.command.tasks import table


def test_columns_are_aligned() -> None:
    assert table(["NAME", "RUNS"], [["a", "1"], ["longer", "20"]]) == (
        "NAME    RUNS\na       1\nlonger  20"
    )


def test_wide_characters_take_two_places() -> None:
    assert table(["N", "X"], [["日本", "1"], ["ab", "2"]]) == "N     X\n日本  1\nab    2"


def test_what_steers_a_terminal_is_escaped() -> None:
    assert table(["N"], [["a\x1b[31mb\nc"]]) == "N\na\\x1b[31mb\\nc"
