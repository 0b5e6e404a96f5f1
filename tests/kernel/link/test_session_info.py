"""What a kernel remembers of its session, and what it asks for again."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace

import pytest

from nbsession.core.errors import NBSessionWarning
from nbsession.core.request import Request
from nbsession.core.session import SessionInfo
from nbsession.kernel.link.session_info import Session

PARKED = SessionInfo("k", "/", bound=False)
BOUND = replace(
    PARKED, bound=True, app_url="/app", request=Request("GET", "http://h/app", "/app", "")
)


@dataclass
class Answers:
    """A link that answers one after the other, and the last one for ever."""

    left: list[SessionInfo]
    asked: list[str] = field(default_factory=list)

    def get(self, path: str, _wait_seconds: float = 0) -> object:
        self.asked.append(path)
        return (self.left.pop(0) if len(self.left) > 1 else self.left[0]).to_json()


def test_what_a_parked_kernel_heard_is_not_the_last_word() -> None:
    answers = Answers([PARKED, BOUND])
    session = Session(answers, "k")  # type: ignore[arg-type]
    assert session.info("server").app_url is None
    assert session.info("server").app_url == "/app"
    assert session.info("visitor").request == BOUND.request
    assert len(answers.asked) == 2


def test_the_visitor_is_waited_for() -> None:
    answers = Answers([PARKED, PARKED, PARKED, BOUND])
    session = Session(answers, "k")  # type: ignore[arg-type]
    assert session.info("visitor").request == BOUND.request
    assert [path.partition("?")[2][:11] for path in answers.asked] == ["", *["until=bound"] * 3]


def test_an_old_voila_is_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbsession.kernel.link.session_info.voila_version", lambda: "0.4.6")
    session = Session(Answers([replace(BOUND, request=None)]), "k")  # type: ignore[arg-type]
    with pytest.warns(NBSessionWarning, match=r"does not serve Voilà 0\.4\.6") as caught:
        assert [session.info("visitor").request for _ in range(2)] == [None, None]
    assert [warning.filename for warning in caught] == [__file__]


def test_a_voila_of_today_may_have_no_visitor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbsession.kernel.link.session_info.voila_version", lambda: "0.5.13")
    session = Session(Answers([replace(BOUND, request=None)]), "k")  # type: ignore[arg-type]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert session.info("visitor").request is None
