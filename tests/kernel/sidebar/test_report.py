"""News of a session for the server, whatever goes wrong on the way."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

import pytest

from nbsession.kernel.sidebar import report as session_news
from nbsession.kernel.sidebar.report import SessionNews
from turns import runtime
from waiting import eventually

if TYPE_CHECKING:
    from nbsession.kernel.runtime.runtime import Runtime


class Server:
    """The link's other end."""

    usable = True

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def post(self, path: str, data: Any) -> None:
        assert path == "news"
        self.heard.append(data)


class Tasks:
    """Have a row whenever they can be read."""

    def __init__(self, *problems: Exception) -> None:
        self.problems = list(problems)

    def list(self) -> list[dict[str, str]]:
        if self.problems:
            raise self.problems.pop()
        return [{"name": "odd \ud800"}]


ROWS = {"callbacks": [], "tasks": [{"name": "odd ?"}]}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(session_news, "INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(session_news, "_AFTER_FAILURE_SECONDS", 0.01)
    return Server()


def news_of(server: Server, made: Runtime, tasks: Tasks) -> SessionNews:
    return SessionNews(cast("Any", server), made, {"tasks": tasks})


def test_it_goes_on_after_an_error(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with runtime() as made:
        news = news_of(server, made, Tasks(ValueError("of the user's code")))
        news.note()
        eventually(lambda: "no news" in caplog.text)
        news.note()
        eventually(lambda: server.heard == [ROWS])


def test_no_thread_at_first(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        message = "can't start new thread"
        raise RuntimeError(message)

    with runtime() as made:
        news = news_of(server, made, Tasks())
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            news.note()
        news.note()
        eventually(lambda: server.heard == [ROWS])


def test_an_end_while_it_begins_to_tell(server: Server) -> None:
    with runtime() as made:
        news = news_of(server, made, Tasks())

        class Changed(threading.Event):
            def clear(self) -> None:
                if not news._closing.is_set():
                    made.remove()
                super().clear()

        news._changed = Changed()
        news.note()
        eventually(lambda: news._thread is not None and not news._thread.is_alive())
