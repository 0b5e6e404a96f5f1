"""Copies of values for the pages, when a process has no thread left for them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from nbsession.kernel.page.throttle import INTERVAL_SECONDS, Publication
from waiting import eventually

if TYPE_CHECKING:
    import pytest


def refuse(_thread: threading.Thread) -> None:
    message = "can't start new thread"
    raise RuntimeError(message)


def test_it_tries_again_when_there_is_a_thread(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    written: list[Any] = []
    value = 0
    publication = Publication(lambda _name, value: written.append(value), now=lambda: time)
    time = 0.0
    changed = publication.add("value", lambda: value)
    publication.start()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        value = 1
        changed()
        assert written == [0]
    time = INTERVAL_SECONDS
    changed()
    assert written == [0, 1]
    value = 2
    changed()  # due later, by a thread
    time = 2 * INTERVAL_SECONDS
    eventually(lambda: written == [0, 1, 2])
    publication.close()
    assert not caplog.records


def test_it_ends_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    publication = Publication(lambda _name, _value: None, now=lambda: 0.0)
    changed = publication.add("value", lambda: 0)
    publication.start()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        changed()
    publication.close()
