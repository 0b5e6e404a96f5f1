"""The standard streams while what a callback prints is caught."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from nbsession.kernel.page.defer import OutputCapture

if TYPE_CHECKING:
    from pathlib import Path


def test_the_streams_stay_what_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "printed").open("w", encoding="latin-1") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        capture = OutputCapture()
        with capture.capturing():
            diverted: Any = sys.stdout
            sys.stdout.writelines(["a\n", "b\n"])
            assert (diverted.encoding, diverted.name) == ("latin-1", stream.name)
            assert (diverted.fileno(), diverted.isatty()) == (stream.fileno(), False)
            with pytest.raises(TypeError, match="takes str, got bytes"):
                diverted.write(b"")
        diverted.write("c")
        assert sys.stdout is stream
    assert [output["text"] for output in capture.outputs] == ["a\nb\n"]
    assert (tmp_path / "printed").read_text() == "c"
